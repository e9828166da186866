"""A server that lacks a resource says so once and goes on; its log believes named proxies and stays short."""

import json
import os
import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from typing import Any

import pytest

from cnnlib.web.prometheus import METRICS_FOLDER
from tests.helpers import start_script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="sets limits of POSIX systems"),
]
Start = Callable[..., "Server"]


class Server(SimpleNamespace):
    """A server of one process: its `process` and `port`."""

    process: Popen[str]
    port: int

    def status(self, path: str, *headers: str, connection: socket.socket | None = None) -> int:
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
        with connection or socket.create_connection(("127.0.0.1", self.port), 60) as asked:
            asked.sendall("\r\n".join([*lines, "", ""]).encode())
            return int(asked.recv(4096).split()[1])

    def stop(self) -> str:
        """What it wrote to standard error."""
        self.process.terminate()
        return self.process.communicate(timeout=120)[1]


@pytest.fixture
def start(trained: SimpleNamespace, tmp_path: Path) -> Iterator[Start]:
    servers: list[Server] = []

    def start(*arguments: str, limits: dict[int, int] | None = None, **environment: str) -> Server:
        def limit() -> None:
            import resource

            for kind, most in (limits or {}).items():
                resource.setrlimit(kind, (most, most))

        keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_save": False}
        config = tmp_path / "model.json"
        config.write_text(json.dumps(keys), encoding="utf-8")
        ports = ("--port", "0", "--page-port", "0", "--workers", "1")
        options: dict[str, Any] = {"preexec_fn": limit, "env": os.environ | environment}
        process = start_script("webserver_recognize_api.py", config, *ports, *arguments, **options)
        assert process.stdout
        servers.append(Server(process=process, port=int(re.findall(r":(\d+)/", process.stdout.readline())[0])))
        return servers[-1]

    yield start
    for server in servers:
        server.process.kill()
        server.process.wait()


def test_full_metrics_folder_is_said_once_and_costs_no_answer(start: Start, tmp_path: Path) -> None:
    import resource

    folder = tmp_path / "metrics"
    server = start(limits={resource.RLIMIT_FSIZE: 1000}, **{METRICS_FOLDER: str(folder)})
    statuses = [server.status(path) for path in ("/healthz", "/metrics", "/models", "/none") * 5]
    assert statuses == [200, 200, 200, 404] * 5
    said = server.stop()
    assert said.count(f"{folder}: metrics can't be written: File too large; requests are answered, but") == 1
    assert "Traceback" not in said
    assert list(folder.iterdir()) == []


def test_lack_of_file_descriptors_is_said_once_and_passes(start: Start) -> None:
    import resource

    server = start(limits={resource.RLIMIT_NOFILE: 80})
    assert server.status("/healthz") == 200
    held = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(60)]
    late = [socket.create_connection(("127.0.0.1", server.port), 60) for _ in range(5)]
    assert [server.status("/models", connection=connection) for connection in late] == [503] * 5
    assert [server.status("/models", connection=connection) for connection in held[:5]] == [200] * 5
    for connection in held:
        connection.close()
    assert {server.status("/metrics") for _ in range(3)} == {200}
    said = server.stop()
    assert said.count("too many connections: 80 files may be open (ulimit -n)") == 1
    assert "Traceback" not in said


def test_url_in_the_log_is_cut(start: Start) -> None:
    server = start()
    paths = ["/" + "x" * 5000, "/" + "%1B" * 5000, "/models?" + "y" * 5000]
    assert [server.status(path) for path in paths] == [404, 404, 200]
    entries = [json.loads(line) for line in server.stop().splitlines() if line.startswith("{")]
    assert [entry["path"] for entry in entries] == ["/" + "x" * 199, "/" + "\x1b" * 199, "/models"]


@pytest.mark.parametrize(
    ("arguments", "environment", "believed"),
    [
        ((), {}, False),
        (("--trust-proxy", "192.0.2.1"), {}, False),
        (("--trust-proxy", "127.0.0.1"), {}, True),
        (("--trust-proxy", "192.0.2.1", "--trust-proxy", "127.0.0.0/8"), {}, True),
        ((), {"FORWARDED_ALLOW_IPS": "127.0.0.1"}, True),
    ],
)
def test_forwarded_address_is_believed_from_named_proxies_alone(
    start: Start, arguments: tuple[str, ...], environment: dict[str, str], believed: bool
) -> None:
    server = start(*arguments, **environment)
    assert server.status("/healthz", "X-Forwarded-For: 203.0.113.9") == 200
    assert server.status("/healthz", f"X-Forwarded-For: {'z' * 5000}") == 200
    clients = [json.loads(line)["client"] for line in server.stop().splitlines() if line.startswith("{")]
    assert clients == (["203.0.113.9", "z" * 200] if believed else ["127.0.0.1"] * 2)
