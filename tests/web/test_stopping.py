"""A server that is told to stop under load: whoever has connected is answered."""

import http.client
import json
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace

import pytest

from cnnlib.web.sockets import refuse_new_connections
from tests.helpers import eventually, start_script
from tests.processes import workers_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="new connections can be held off on Linux alone"),
]
CLIENTS = 260


@pytest.fixture
def start(trained: SimpleNamespace, tmp_path: Path) -> Iterator[Callable[[int], tuple[Popen[str], int]]]:
    """Starts a server with some workers that all serve: its process and port."""
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_save": False}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    started: list[Popen[str]] = []

    def start(workers: int) -> tuple[Popen[str], int]:
        arguments = ("--config", config, "--port", "0", "--page-port", "0", "--workers", str(workers))
        process = start_script("webserver_recognize_api.py", *arguments, start_new_session=True)
        started.append(process)
        assert process.stdout
        port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
        status_of(request(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        return process, port

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=120)


def request(port: int, start: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.sendall(start)
    return connection


def status_of(connection: socket.socket) -> str:
    """The status of the answer, or what went wrong with the connection."""
    with connection:
        try:
            return connection.recv(4096).partition(b"\r\n")[0].decode() or "closed without an answer"
        except OSError as error:
            return type(error).__name__


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_no_connection_is_reset_when_a_server_stops_under_load(
    start: Callable[[int], tuple[Popen[str], int]], picture: Path, workers: int, number: signal.Signals
) -> None:
    process, port = start(workers)
    body = picture.read_bytes()
    head = f"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(body)}\r\n\r\n"
    whole = head.encode() + body
    cuts = (0, 20, len(head) + 9, len(whole))  # what a client has sent when the server hears of its end
    waiting = [(cut, request(port, whole[:cut])) for cut in cuts * (CLIENTS // len(cuts))]
    os.killpg(process.pid, number)  # as Ctrl-C and service managers do
    for cut, connection in waiting:
        with suppress(OSError):
            connection.sendall(whole[cut:])
    answers = {status_of(connection) for _, connection in waiting}
    assert answers == {"HTTP/1.1 200 OK"}
    assert process.wait(120) == 0


def test_kept_connection_is_answered_once_more_and_told_to_close(
    start: Callable[[int], tuple[Popen[str], int]],
) -> None:
    process, port = start(1)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask() -> tuple[int, bool]:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.will_close

    assert ask() == (200, False)
    process.terminate()
    answers = [ask()]
    while answers[-1] == (200, False):
        answers.append(ask())
    assert answers[-1] == (200, True)


def test_one_stopped_worker_closes_the_port_to_nobody(start: Callable[[int], tuple[Popen[str], int]]) -> None:
    process, port = start(2)
    assert eventually(lambda: len(workers_of(process.pid)) == 2)
    worker = min(workers_of(process.pid))
    os.kill(worker, signal.SIGTERM)
    assert eventually(lambda: len(workers_of(process.pid) - {worker}) == 2)
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert {status_of(request(port, ask)) for _ in range(20)} == {"HTTP/1.1 200 OK"}


def test_those_who_wait_are_accepted_and_no_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname(), 5) as early:
            refuse_new_connections([listener])
            with pytest.raises(TimeoutError):
                socket.create_connection(listener.getsockname(), 0.5)
            accepted, _ = listener.accept()
            with accepted:
                early.sendall(b"x" * 100_000)
                received = 0
                while received < 100_000:
                    received += len(accepted.recv(2**16))
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
