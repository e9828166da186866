"""The server: several processes on two ports, that die and stop as an operator expects, and bounds to requests."""

import http.client
import json
import logging
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from types import SimpleNamespace
from wsgiref.validate import validator

import pytest
import uvicorn
from flask import Flask, Response, request
from prometheus_client import REGISTRY

from cnnlib.config import TOKEN_VARIABLE
from cnnlib.samples import list_entries
from cnnlib.web import ACCESS_LOG, protocol
from cnnlib.web.gateway import Gateway
from cnnlib.web.listening import listen_on
from cnnlib.web.serving import METRICS_FOLDER, SILENCE_S
from tests.conftest import free_port, start_script

HEAD = {"Content-Type": "image/png"}
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it holds once within some seconds; of what workers do by turns, each may be at another point."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def workers_of(server: Popen[str]) -> set[int]:
    """Processes of a server that were spawned to serve."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in command_of(child)}


def command_of(process: str) -> bytes:
    """Its command line; empty for one that has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def post(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", "/b", body, HEAD)
    return connection.getresponse().status


@contextmanager
def clients(port: int, picture: bytes, count: int) -> Iterator[tuple[list[int], list[Exception]]]:
    """Clients that post a picture again and again, each over a connection of its own: statuses, and what failed."""
    statuses: list[int] = []
    failed: list[Exception] = []
    stop = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while not stop.is_set():
            try:
                connection.request("POST", "/b", picture, HEAD)
                answer = connection.getresponse()
                answer.read()
                statuses.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                failed.append(error)
                connection.close()

    threads = [threading.Thread(target=client) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield statuses, failed
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def picture(trained: SimpleNamespace) -> bytes:
    return list_entries(trained.config.test_image_dir)[0].read_bytes()


@pytest.fixture
def server(trained: SimpleNamespace, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The recognition server with two workers: its `process`, `port`, `page_port` and what it `said`."""
    config, folder = tmp_path / "model.json", tmp_path / "model"
    shutil.copytree(trained.config.model_save_dir, folder)
    changes = {"api_save": False, "model_save_dir": str(folder)}
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | changes
    config.write_text(json.dumps(keys), encoding="utf-8")
    ports = ("--port", "0", "--page-port", "0")
    process = start_script("webserver_recognize_api.py", "--config", config, "--workers", "2", *ports)
    assert process.stdout
    assert process.stderr
    port, page_port = (int(re.findall(r":(\d+)/", process.stdout.readline())[0]) for _ in range(2))
    said: list[str] = []
    threading.Thread(target=said.extend, args=(process.stderr,), daemon=True).start()
    with socket.create_connection(("127.0.0.1", port), 60) as connection:  # answered once a worker has started
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    yield SimpleNamespace(process=process, port=port, page_port=page_port, said=said)
    process.terminate()
    process.wait(40)


@pytest.fixture
def guarded(trained: SimpleNamespace, tmp_path: Path, picture: bytes) -> Iterator[SimpleNamespace]:
    """With a token, another origin, a limit, to the world, its page's port taken: its `port`, what it `told`."""
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_save": False}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        ports = ("--host", "0.0.0.0", "--port", "0", "--page-port", str(taken.getsockname()[1]))
        settings = ("--cors", "https://example.org", "--body-limit", str(len(picture)), "--workers", "2")
        environment = {**os.environ, TOKEN_VARIABLE: "sesame"}
        process = start_script("webserver_recognize_api.py", "--config", config, *ports, *settings, env=environment)
        assert process.stdout
        told = [process.stdout.readline() for _ in range(3)]
    yield SimpleNamespace(port=int(re.findall(r":(\d+)/", told[1])[0]), told=told)
    process.terminate()
    process.wait(40)


def test_page_may_be_at_the_port_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    (listening,) = listen_on("127.0.0.1", port, "/b", port, token=False)
    listening.close()
    assert f"The page is at http://127.0.0.1:{port}/" in capsys.readouterr().out


def test_settings_of_the_script_reach_its_workers(guarded: SimpleNamespace, picture: bytes) -> None:
    who, _, page = guarded.told
    assert "every machine that reaches this one can send requests; only those with the token are answered" in who
    assert "no page (" in page
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=60)

    def statuses(**headers: str) -> list[int]:
        found = []
        for body in (picture, picture + b"0"):
            connection.request("POST", "/b", body, HEAD | {"Origin": "https://example.org", **headers})
            answer = connection.getresponse()
            answer.read()
            assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
            found.append(answer.status)
        return found

    assert statuses() == [401, 401]
    assert statuses(Authorization="Bearer sesame") == [200, 413]


@needs_proc
def test_killed_worker_comes_back_and_others_go_on(server: SimpleNamespace, picture: bytes) -> None:
    assert post(server.port, picture) == 200
    before = workers_of(server.process)
    assert len(before) == 2
    with clients(server.port, picture, 8) as (statuses, failed):
        assert eventually(lambda: len(statuses) > 100)
        os.kill(min(before), signal.SIGKILL)
        assert eventually(lambda: len(workers_of(server.process) - {min(before)}) == 2)
        seen = len(statuses)
        assert eventually(lambda: len(statuses) > seen + 100)
    assert eventually(lambda: any(f"Child process [{min(before)}] died" in line for line in server.said))
    assert set(statuses) == {200}
    assert len(failed) <= 8, "what it worked on for each connection, and nothing more"


@needs_proc
def test_death_is_seen_while_the_supervisor_waits_for_an_answer(server: SimpleNamespace) -> None:
    worker = min(workers_of(server.process))
    os.kill(worker, signal.SIGSTOP)
    time.sleep(1)  # it is asked, and can't answer
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(server.process) - {worker}) == 2, SILENCE_S / 2)


@needs_proc
def test_many_clients_are_all_answered_and_nothing_grows(server: SimpleNamespace, picture: bytes) -> None:
    def memory_mb() -> float:
        told = [Path(f"/proc/{worker}/status").read_text() for worker in workers_of(server.process)]
        return max(int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) / 1024 for text in told)

    with clients(server.port, picture, 64) as (statuses, failed):
        assert eventually(lambda: len(statuses) > 1000, 120)
        before = memory_mb()
        assert eventually(lambda: len(statuses) > 4000, 120)
        after = memory_mb()
    assert not failed
    assert set(statuses) == {200}
    assert after - before < 10


@needs_proc
def test_worker_that_starts_without_its_model_answers_503_until_it_is_back(
    server: SimpleNamespace, picture: bytes, tmp_path: Path
) -> None:
    assert post(server.port, picture) == 200
    folder = tmp_path / "model"
    folder.rename(tmp_path / "away")
    assert post(server.port, picture) == 200, "what was loaded stays"
    before = workers_of(server.process)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(server.process) - before) == 2)
    assert post(server.port, picture) == 503
    (tmp_path / "away").rename(folder)
    assert eventually(lambda: post(server.port, picture) == 200)


@needs_proc
def test_workers_end_with_their_parent(server: SimpleNamespace, picture: bytes) -> None:
    assert post(server.port, picture) == 200
    workers = workers_of(server.process)
    environment = Path(f"/proc/{min(workers)}/environ").read_bytes().decode()
    folder = Path(re.findall(rf"{METRICS_FOLDER}=([^\0]+)", environment)[0])
    assert folder.is_dir()
    server.process.kill()
    assert eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX systems")
def test_stopping_finishes_what_is_under_way(server: SimpleNamespace, picture: bytes) -> None:
    assert post(server.port, picture) == 200
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        head = f"POST /b HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
        connection.sendall(head.encode() + picture[:50])
        time.sleep(0.5)
        server.process.terminate()
        time.sleep(1)
        connection.sendall(picture[50:])
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    assert server.process.wait(40) == 0


def test_figures_of_all_workers_are_added(server: SimpleNamespace, picture: bytes) -> None:
    with clients(server.port, picture, 4) as (statuses, _), clients(server.page_port, picture, 4) as (others, _):
        assert eventually(lambda: min(len(statuses), len(others)) > 200, 120)
    count = f"{len(statuses) + len(others):.1f}"
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", server.page_port, timeout=20)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        assert re.search(r'captcha_requests_total\{.*route="/b".*\} (\S+)', text)[1] == count  # type: ignore[index]
        assert f'captcha_confidence_count{{model="model"}} {count}' in text


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of POSIX systems")
def test_full_disk_costs_the_kept_picture_and_not_the_answer(
    trained: SimpleNamespace, tmp_path: Path, picture: bytes
) -> None:
    import resource

    def no_file_beyond_ten_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    kept = tmp_path / "kept"
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_image_dir": str(kept)}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    arguments = ("--config", config, "--port", "0", "--page-port", "0", "--workers", "1")
    process = start_script("webserver_recognize_api.py", *arguments, preexec_fn=no_file_beyond_ten_bytes)
    assert process.stdout
    port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
    assert post(port, picture) == 200
    process.terminate()
    _, said = process.communicate(timeout=40)
    assert "the received picture is not kept: File too large" in said
    assert list(kept.iterdir()) == []


@pytest.fixture
def bounded() -> Iterator[int]:
    """The port of a server of a small application, in a thread."""
    app = Flask("small")
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/size")
    def size() -> Response:
        return Response(f"{len(request.get_data())} {request.query_string.decode()} {request.headers.get('X-Y')}")

    @app.get("/path/<path:name>")
    def path(name: str) -> Response:
        return Response(name)

    listener = socket.create_server(("127.0.0.1", 0))
    checked: Gateway = Gateway(validator(app), 1000, ("/path/waits",))
    config = uvicorn.Config(checked, http=protocol.BoundedProtocol, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def answer_to(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that a server sends to these bytes."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        connection.settimeout(20)
        got = b""
        while more := connection.recv(4096):
            got += more
        return got


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Tells the status of each request that has a line in the log so far."""
    monkeypatch.setattr(logging.getLogger(ACCESS_LOG), "propagate", True)  # a server in this process may have ended it
    caplog.set_level("INFO", ACCESS_LOG)
    return lambda: [json.loads(one.getMessage())["status"] for one in caplog.records if one.name == ACCESS_LOG]


def refused(status: int) -> float:
    """Requests that were counted as refused with this status before the application."""
    labels = {"route": "other", "method": "other", "status": str(status)}
    return REGISTRY.get_sample_value("captcha_requests_total", labels) or 0.0


POST = b"POST /size?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


def test_request_reaches_the_application_as_it_was_sent(bounded: int) -> None:
    whole = answer_to(
        bounded, POST + b"X-Y: 1\r\nX_Y: evil\r\nX-Y: 2\r\nContent-Length: 5\r\n\r\nab", b"cde", pause=0.1
    )
    assert whole.endswith(b"\r\n\r\n5 a=%20b 1, 2")
    chunked = answer_to(bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert chunked.endswith(b"\r\n\r\n5 a=%20b None")
    for path in (b"/path/%C3%A4%2Fb", b"/path/waits"):
        got = answer_to(bounded, b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 200 OK")
        assert got.endswith({b"/path/waits": b"waits"}.get(path, "ä/b".encode()))


def test_large_bodies_are_refused_and_not_kept(bounded: int) -> None:
    declared = answer_to(bounded, POST + b"Content-Length: 1001\r\n\r\n" + b"a" * 1001)
    chunked = answer_to(
        bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n", b"800\r\n" + b"a" * 0x800 + b"\r\n0\r\n\r\n"
    )
    assert declared.startswith(b"HTTP/1.1 413")
    assert chunked.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("sent", [b"", b"POST /size HT", POST + b"Content-Length: 9\r\n\r\nab"])
def test_slow_request_is_ended_and_holds_up_nobody(
    bounded: int, sent: bytes, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[int]]
) -> None:
    before = refused(408)
    monkeypatch.setattr(protocol, "ARRIVAL_S", 1)
    with socket.create_connection(("127.0.0.1", bounded), 20) as slow:
        slow.sendall(sent)
        assert answer_to(bounded, POST + b"Content-Length: 1\r\n\r\na").startswith(b"HTTP/1.1 200")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert logged() == ([408] if sent else []), "what never began is no request"
    assert refused(408) - before == len(logged())


def test_endless_head_is_ended(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        connection.sendall(POST + b"X-Endless: " + b"a" * (protocol.HEAD_LIMIT_BYTES + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


def test_endless_end_of_a_chunked_body_is_ended(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        connection.sendall(b"X-Endless: 1\r\n" * (protocol.HEAD_LIMIT_BYTES // 14 + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


def test_body_of_many_small_chunks_is_read(bounded: int) -> None:
    chunks = b"1\r\na\r\n" * 1000
    got = answer_to(bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert b"\r\n\r\n1000 " in got


def test_wish_for_another_protocol_costs_no_body(bounded: int) -> None:
    wish = b"Connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nHTTP2-Settings: AAEA\r\nContent-Length: 4\r\n\r\n"
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        for _ in range(2):  # the second one over the same connection
            connection.sendall(POST.replace(b"Connection: close\r\n", b"") + wish + b"\r\nab")
            assert connection.recv(4096).partition(b"\r\n\r\n")[2].startswith(b"4 ")


def test_what_is_no_request_is_refused_in_json_counted_and_logged(
    bounded: int, logged: Callable[[], list[int]]
) -> None:
    before = refused(400)
    got = answer_to(bounded, b"nonsense\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 400")
    assert json.loads(got.partition(b"\r\n\r\n")[2])["error_code"] == "400"
    assert logged() == [400]
    assert refused(400) - before == 1


def test_connection_is_given_up_after_many_requests_and_says_so(bounded: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bounded, timeout=20)
    closing = []
    for _ in range(protocol.KEPT_REQUESTS + 1):
        connection.request("POST", "/size", b"a")
        answer = connection.getresponse()
        assert answer.read().startswith(b"1 ")
        closing.append(answer.will_close)
    assert closing == [False] * (protocol.KEPT_REQUESTS - 1) + [True, False]
