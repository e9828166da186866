"""The limits of `deploy/`: what nginx hands on and counts, the score of the unit, the hashes of the image."""

import http.client
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import free_port
from tests.test_deploy import ask, needs_nginx, nginx_before

pytestmark = pytest.mark.slow

DEPLOY = PROJECT_ROOT / "deploy"
ANALYZE = shutil.which("systemd-analyze")
SCORE_LIMIT = 1.2


class Machine:
    """A machine that counts requests. It answers with `answer`, never (b""), or closes the connection (None)."""

    def __init__(self, answer: bytes | None) -> None:
        self.requests, self._answer = 0, answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._held: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            connection.recv(65536)
            self.requests += 1
            if self._answer != b"":
                connection.sendall(self._answer or b"")
                connection.close()

    def close(self) -> None:
        for each in (self._listener, *self._held):
            each.close()


@contextmanager
def machines(*answers: bytes | None) -> Iterator[list[Machine]]:
    started = [Machine(answer) for answer in answers]
    try:
        yield started
    finally:
        for machine in started:
            machine.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@needs_nginx
def test_slow_request_is_not_handed_to_the_next_machine(tmp_path: Path) -> None:
    with machines(b"", b"") as both, nginx_before([one.address for one in both], tmp_path) as port:
        assert ask(port, "POST", "/b", b"x")[0] == 502
        assert sorted(one.requests for one in both) == [0, 1]


@needs_nginx
@pytest.mark.parametrize("away", ["port is closed", "no answer to SYN", "connection is cut"])
def test_request_goes_on_when_a_machine_is_away(tmp_path: Path, away: str) -> None:
    addresses = {"port is closed": f"127.0.0.1:{free_port()}", "no answer to SYN": "192.0.2.1:6000"}
    with machines(OK, None) as (sound, cut):
        gone = addresses.get(away, cut.address)
        with nginx_before([gone, sound.address], tmp_path) as port:
            assert {ask(port, "POST", "/b", b"x") for _ in range(2)} == {(200, b"ok")}


@needs_nginx
def test_one_address_has_a_number_of_requests_at_a_time_and_learns_no_version(tmp_path: Path) -> None:
    with machines(b"", b"") as both, nginx_before([one.address for one in both], tmp_path) as port:
        held = [socket.create_connection(("127.0.0.1", port)) for _ in range(32)]
        for connection in held:
            connection.sendall(b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        statuses = []
        while 429 not in statuses and len(statuses) < 3:  # until nginx has seen the others
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            assert answer.headers["Server"] == "nginx"
            connection.request("GET", "/b")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        for one in held:
            one.close()
    assert 429 in statuses


@pytest.mark.skipif(ANALYZE is None, reason="no systemd is installed")
def test_unit_is_closed_to_what_it_does_not_need() -> None:
    command = [str(ANALYZE), "security", "--offline=yes", "--no-pager", str(DEPLOY / "captcha-api.service")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in said.stderr:
        pytest.skip("this systemd judges no file")
    score = re.search(r"exposure level for captcha-api\.service: ([\d.]+)", said.stdout)
    assert score, said.stderr
    assert float(score[1]) < SCORE_LIMIT


def test_hash_of_every_package_of_the_image_is_known() -> None:
    lock = (DEPLOY / "requirements.lock").read_text().replace("\\\n", " ")
    entries = [line for line in lock.splitlines() if line.strip() and not line.lstrip().startswith(("#", "--"))]
    assert all(re.match(r"[a-z0-9-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    locked = {entry.split()[0].lower() for entry in entries}
    for line in (PROJECT_ROOT / "requirements-serve.txt").read_text().splitlines():
        package, _, marker = line.partition(";")
        if package and not package.startswith("#") and '>= "3.14"' not in marker:
            assert package.strip() in locked, "write deploy/requirements.lock anew"
    assert "--require-hashes --requirement requirements.lock" in (DEPLOY / "Dockerfile").read_text()
    assert "!deploy/requirements.lock" in (DEPLOY / "Dockerfile.dockerignore").read_text()


def test_containers_have_limits_and_time_to_stop() -> None:
    compose = (DEPLOY / "compose.yaml").read_text()
    for limit in ("memory: 1g, pids: 256", "memory: 512m, pids: 128", "stop_grace_period: 45s", "/tmp:size=16m"):
        assert limit in compose
    unit = (DEPLOY / "captcha-api.service").read_text()
    for limit in ("MemoryMax=", "TasksMax=", "TimeoutStopSec=45"):
        assert limit in unit
