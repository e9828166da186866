"""The server: several processes on two ports, that die and stop as an operator expects."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import uvicorn
from flask import Flask, request

from cnnlib.core.api_contract import TOKEN_VARIABLE
from cnnlib.web.prometheus import METRICS_FOLDER
from cnnlib.web.server import WORKER_TIMEOUT_S, Worker, _uvicorn_config, plain_address
from cnnlib.web.worker_process import WorkerProcess
from cnnlib.web.wsgi_bridge import WsgiBridge
from tests.helpers import eventually, start_script
from tests.processes import lives, memory_mb, workers_of

HEAD = {"Content-Type": "image/png"}
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for processes in /proc")


def post(port: int, body: bytes) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("POST", "/b", body, HEAD)
    return connection.getresponse().status


def metrics_folder(worker: int) -> Path:
    environment = Path(f"/proc/{worker}/environ").read_bytes().decode()
    return Path(re.findall(rf"{METRICS_FOLDER}=([^\0]+)", environment)[0])


def have_opened_metrics(workers: set[int]) -> bool:
    """Whether two workers have opened their metrics, so that they will not make the folder any more."""
    folder = metrics_folder(min(workers))
    return len(workers) == 2 and all((folder / f"counter_{worker}.db").exists() for worker in workers)


@contextmanager
def clients(port: int, picture: bytes, count: int) -> Iterator[tuple[list[int], list[Exception]]]:
    """Clients that post a picture again and again, each over a connection of its own: statuses, and what failed."""
    statuses: list[int] = []
    failed: list[Exception] = []
    stop = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
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
def server(trained: SimpleNamespace, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The recognition server with two workers: its `process`, `port`, `page_port` and the lines of its `log`."""
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
    log: list[str] = []
    threading.Thread(target=log.extend, args=(process.stderr,), daemon=True).start()
    with socket.create_connection(("127.0.0.1", port), 120) as connection:  # answered once a worker has started
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    if sys.platform.startswith("linux"):
        assert eventually(lambda: have_opened_metrics(workers_of(process.pid)))
    yield SimpleNamespace(process=process, port=port, page_port=page_port, log=log)
    process.terminate()
    process.wait(120)


@pytest.fixture
def guarded(trained: SimpleNamespace, tmp_path: Path, picture_bytes: bytes) -> Iterator[SimpleNamespace]:
    """A server with all settings, whose port for the page is taken: its `port` and the `lines` it printed."""
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_save": False}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        ports = ("--host", "0.0.0.0", "--port", "0", "--page-port", str(taken.getsockname()[1]))
        settings = ("--cors", "https://example.org", "--body-limit", str(len(picture_bytes)), "--workers", "2")
        environment = {**os.environ, TOKEN_VARIABLE: "sesame"}
        process = start_script("webserver_recognize_api.py", "--config", config, *ports, *settings, env=environment)
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(3)]
    yield SimpleNamespace(port=int(re.findall(r":(\d+)/", lines[1])[0]), lines=lines)
    process.terminate()
    process.wait(120)


def test_settings_of_the_script_reach_its_workers(guarded: SimpleNamespace, picture_bytes: bytes) -> None:
    access, _, page = guarded.lines
    assert "every machine that reaches this one can send requests; only those with the token are answered" in access
    assert "no page (" in page
    connection = http.client.HTTPConnection("127.0.0.1", guarded.port, timeout=120)

    def statuses_with(**headers: str) -> list[int]:
        statuses = []
        for body in (picture_bytes, picture_bytes + b"0"):
            connection.request("POST", "/b", body, HEAD | {"Origin": "https://example.org", **headers})
            answer = connection.getresponse()
            answer.read()
            assert answer.headers["Access-Control-Allow-Origin"] == "https://example.org"
            statuses.append(answer.status)
        return statuses

    assert statuses_with() == [401, 401]
    assert statuses_with(Authorization="Bearer sesame") == [200, 413]


@needs_proc
def test_killed_worker_comes_back_and_others_go_on(server: SimpleNamespace, picture_bytes: bytes) -> None:
    assert post(server.port, picture_bytes) == 200
    before = workers_of(server.process.pid)
    assert len(before) == 2
    with clients(server.port, picture_bytes, 8) as (statuses, failed):
        assert eventually(lambda: len(statuses) > 100)
        os.kill(min(before), signal.SIGKILL)
        assert eventually(lambda: len(workers_of(server.process.pid) - {min(before)}) == 2)
        seen = len(statuses)
        assert eventually(lambda: len(statuses) > seen + 100)
    assert eventually(lambda: any(f"Child process [{min(before)}] died" in line for line in server.log))
    assert set(statuses) == {200}
    assert len(failed) <= 8, "what it worked on for each connection, and nothing more"


@pytest.mark.slow
@needs_proc
def test_death_is_seen_while_the_supervisor_waits_for_an_answer(server: SimpleNamespace) -> None:
    worker = min(workers_of(server.process.pid))
    os.kill(worker, signal.SIGSTOP)
    time.sleep(1)  # it is asked, and can't answer
    os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(server.process.pid) - {worker}) == 2, 0.9 * WORKER_TIMEOUT_S)


@pytest.mark.slow
@needs_proc
def test_many_clients_are_all_answered_and_nothing_grows(server: SimpleNamespace, picture_bytes: bytes) -> None:
    def most_mb() -> float:
        return max(map(memory_mb, workers_of(server.process.pid)))

    with clients(server.port, picture_bytes, 64) as (statuses, failed):
        assert eventually(lambda: len(statuses) > 1000, 120)
        before = most_mb()
        assert eventually(lambda: len(statuses) > 4000, 120)
        after = most_mb()
    assert not failed
    assert set(statuses) == {200}
    assert after - before < 10


@pytest.mark.slow
@needs_proc
def test_worker_that_starts_without_its_model_answers_503_until_it_is_back(
    server: SimpleNamespace, picture_bytes: bytes, tmp_path: Path
) -> None:
    assert post(server.port, picture_bytes) == 200
    folder = tmp_path / "model"
    folder.rename(tmp_path / "away")
    assert post(server.port, picture_bytes) == 200, "what was loaded stays"
    before = workers_of(server.process.pid)
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(server.process.pid) - before) == 2)
    assert post(server.port, picture_bytes) == 503
    (tmp_path / "away").rename(folder)
    assert eventually(lambda: post(server.port, picture_bytes) == 200)


@pytest.mark.slow
@needs_proc
def test_removed_metrics_folder_costs_no_answer(server: SimpleNamespace, picture_bytes: bytes) -> None:
    assert post(server.port, picture_bytes) == 200
    before = workers_of(server.process.pid)
    shutil.rmtree(metrics_folder(min(before)))
    assert {status_of(server.page_port, "/metrics") for _ in range(8)} == {200}
    assert eventually(lambda: any("the metrics folder was removed" in line for line in server.log))
    shutil.rmtree(metrics_folder(min(before)))
    for worker in before:
        os.kill(worker, signal.SIGKILL)
    assert eventually(lambda: len(workers_of(server.process.pid) - before) == 2)
    assert post(server.port, picture_bytes) == 200
    assert {status_of(server.page_port, path) for path in ("/healthz", "/metrics")} == {200}


def status_of(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", path)
    return connection.getresponse().status


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other words for it")
def test_metrics_folder_that_cannot_be_made_ends_the_server(trained: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    environment = os.environ | {METRICS_FOLDER: str(tmp_path / "file" / "figures")}
    process = start_script(
        "webserver_recognize_api.py", "--config", trained.config_path, "--port", "0", env=environment
    )
    _, errors = process.communicate()
    assert (process.returncode, errors) == (2, f"{tmp_path / 'file' / 'figures'}: Not a directory\n")


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("restarted", [False, True])
def test_workers_end_with_their_parent(server: SimpleNamespace, picture_bytes: bytes, restarted: bool) -> None:
    assert post(server.port, picture_bytes) == 200
    workers = workers_of(server.process.pid)
    folder = metrics_folder(min(workers))
    assert folder.is_dir()
    if restarted:
        os.kill(min(workers), signal.SIGKILL)
        assert eventually(lambda: len(workers_of(server.process.pid) - {min(workers)}) == 2)
        workers = workers_of(server.process.pid)
    server.process.kill()
    assert eventually(lambda: not any(map(lives, workers)))
    assert not folder.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals of POSIX systems")
def test_stopping_finishes_what_is_under_way(server: SimpleNamespace, picture_bytes: bytes) -> None:
    assert post(server.port, picture_bytes) == 200
    with socket.create_connection(("127.0.0.1", server.port), 20) as connection:
        head = "POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nExpect: 100-continue\r\n"
        connection.sendall(f"{head}Content-Length: {len(picture_bytes)}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it is under way
        connection.sendall(picture_bytes[:50])
        server.process.terminate()
        time.sleep(1)
        connection.sendall(picture_bytes[50:])
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    assert server.process.wait(120) == 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("detached", [False, True])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_closed_terminal_ends_a_server_unless_it_is_detached(
    trained: SimpleNamespace, picture_bytes: bytes, workers: str, detached: bool
) -> None:
    def begin() -> None:
        os.setsid()
        if detached:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    arguments = ("--config", trained.config_path, "--workers", workers, "--port", "0", "--page-port", "0")
    process = start_script("webserver_recognize_api.py", *arguments, preexec_fn=begin)
    assert process.stdout
    port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
    assert post(port, picture_bytes) == 200
    os.killpg(process.pid, signal.SIGHUP)
    if detached:
        time.sleep(2)
        assert post(port, picture_bytes) == 200
        process.terminate()
    assert process.wait(120) == 0
    process.communicate()


@pytest.mark.slow
def test_metrics_of_all_workers_are_added(server: SimpleNamespace, picture_bytes: bytes) -> None:
    with (
        clients(server.port, picture_bytes, 4) as (statuses, _),
        clients(server.page_port, picture_bytes, 4) as (others, _),
    ):
        assert eventually(lambda: min(len(statuses), len(others)) > 200, 120)
    count = f"{len(statuses) + len(others):.1f}"
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", server.page_port, timeout=120)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        assert re.search(r'captcha_requests_total\{.*route="/b".*\} (\S+)', text)[1] == count
        assert f'captcha_confidence_count{{model="model"}} {count}' in text


@pytest.mark.skipif(sys.platform == "win32", reason="sets a limit of POSIX systems")
def test_full_disk_costs_the_kept_picture_and_not_the_answer(
    trained: SimpleNamespace, tmp_path: Path, picture_bytes: bytes
) -> None:
    import resource

    def no_file_beyond_ten_bytes() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    folder = tmp_path / "received"
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_image_dir": str(folder)}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    arguments = ("--config", config, "--port", "0", "--page-port", "0", "--workers", "1")
    process = start_script("webserver_recognize_api.py", *arguments, preexec_fn=no_file_beyond_ten_bytes)
    assert process.stdout
    port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
    assert post(port, picture_bytes) == 200
    process.terminate()
    _, errors = process.communicate(timeout=120)
    assert "the received picture can't be saved: File too large" in errors
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no socket of both versions of IP")
def test_proxy_is_trusted_on_a_socket_of_both_versions_of_ip() -> None:
    app = Flask("echo")
    app.add_url_rule("/", view_func=lambda: str(request.remote_addr))
    listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    started = uvicorn.Server(_uvicorn_config(lambda: WsgiBridge(app, 1000), 1, ["127.0.0.1"]))  # type: ignore[arg-type]
    thread = threading.Thread(target=started.run, args=([listener],))
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        assert requests.get(url, timeout=30).text == "127.0.0.1"
        assert requests.get(url, headers={"X-Forwarded-For": "203.0.113.9"}, timeout=30).text == "203.0.113.9"
    finally:
        started.should_exit = True
        thread.join()


def test_addresses_that_are_not_mapped_stay() -> None:
    places = [("::1", 5), ("127.0.0.1", 5), ("socket", 5), None]
    assert [*map(plain_address, places)] == places
    assert plain_address(("::ffff:10.0.0.1", 5)) == ("10.0.0.1", 5)


def test_starting_worker_may_be_silent_for_longer_than_one_that_has_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def worker() -> WorkerProcess:
        process = WorkerProcess(_uvicorn_config(Worker(lambda: Flask("a")), 1, []), [])
        started: Any = SimpleNamespace(is_alive=lambda: True, start=list, join=lambda _: None, pid=7, exitcode=None)
        process.process = started
        process.start()
        return process

    silent, answering = worker(), worker()
    assert silent.is_alive(0)
    assert answering.is_alive(0)
    answering.child_conn.send(True)
    answering.child_conn.send(True)
    assert answering.is_alive(0)
    assert not answering.is_alive(0)
    assert silent.is_alive(0)
    monkeypatch.setattr("cnnlib.web.worker_process.START_TIMEOUT_S", -1)
    assert not silent.is_alive(0)
    assert "worker 7 gave no sign of life for 0 seconds; the machine may be too busy" in caplog.text
