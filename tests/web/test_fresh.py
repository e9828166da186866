"""Fresh captchas from a source that is slow, stops, or sends somewhere else."""

import base64
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Response, redirect
from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries
from cnnlib.web.api_errors import answer_errors_in_json
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from cnnlib.web.page import WAITING_LIMIT, add_page
from tests.client.stuck import BUFFERED_BYTES, FLOOD, LIMIT_S, STUCK, Bytes, large, stuck_server, whole
from tests.helpers import draw, eventually, free_port, running, start_script


@pytest.fixture
def picture(trained: SimpleNamespace) -> bytes:
    return list_entries(trained.config.test_image_dir)[0].read_bytes()


def client_of(config: SampleConfig, source: str) -> FlaskClient:
    model = ServedModel("small", config.model_copy(update={"remote_url": source, "api_save": False}))
    model.load()
    return create_recognition_app(ModelRegistry([model])).test_client()


def page_of(source: str) -> FlaskClient:
    """A client of the page alone, for which no model has to be trained."""
    app = Flask("page")
    answer_errors_in_json(app)
    add_page(app, source, 2**20)
    return app.test_client()


@pytest.fixture
def silent() -> Iterator[tuple[str, list[socket.socket]]]:
    """The address of a source that never answers, and the connections to it."""
    connections: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def accept() -> None:
            while True:
                try:
                    connections.append(stack.enter_context(listener.accept()[0]))
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", connections
        listener.shutdown(socket.SHUT_RDWR)


def test_only_so_many_wait_for_the_source(
    trained: SimpleNamespace, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, asked = threading.Event(), threading.Semaphore(0)

    def fetch(*_: Any) -> bytes:
        asked.release()
        gate.wait(60)
        return picture

    monkeypatch.setattr("cnnlib.web.page.fetch", fetch)
    client = client_of(trained.config, "http://127.0.0.1:1/")
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda: statuses.append(client.application.test_client().get("/fresh").status_code))
        for _ in range(WAITING_LIMIT)
    ]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert asked.acquire(timeout=60)
    refused = client.get("/fresh")
    assert (refused.status_code, refused.json["error_code"], refused.headers["Retry-After"]) == (503, "1007", "1")
    assert f"{WAITING_LIMIT} requests wait for the captcha source already; come again" in refused.json["message"]
    gate.set()
    for thread in threads:
        thread.join()
    assert statuses == [200] * WAITING_LIMIT
    assert client.get("/fresh").status_code == 200, "their places are free again"


@pytest.mark.parametrize("other", ["localhost", "127.0.0.1"])
def test_source_that_sends_to_another_host_or_port_is_not_followed(
    trained: SimpleNamespace, picture: bytes, other: str
) -> None:
    asked: list[str] = []
    inner, source = Flask("inner"), Flask("source")
    inner.add_url_rule("/secret", view_func=lambda: asked.append("it") or Response(picture))  # type: ignore[func-returns-value]
    with running(inner) as secret:
        target = f"{secret}/secret".replace("127.0.0.1", other)
        source.add_url_rule("/captcha/", view_func=lambda: redirect(target))
        source.add_url_rule("/own/", "own", lambda: redirect("/there"))
        source.add_url_rule("/there", "there", lambda: Response(picture))
        source.add_url_rule("/file/", "file", lambda: redirect("file:///etc/hostname"))
        with running(source) as address:
            refused = client_of(trained.config, f"{address}/captcha/").get("/fresh")
            followed = client_of(trained.config, f"{address}/own/").get("/fresh")
            file = client_of(trained.config, f"{address}/file/").get("/fresh")
    assert (refused.status_code, refused.json["error_code"]) == (502, "1007")
    assert f"the captcha source sends on to {target}; write that into remote_url" in refused.json["message"]
    assert asked == []
    assert followed.data == picture
    assert (file.status_code, file.json["error_code"]) == (502, "1007")


@pytest.mark.parametrize("kind", STUCK)
def test_source_that_is_stuck_anywhere_is_given_up(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unread = {"redirection": "answered 302", "busy": "answered 503"}  # their bodies are not waited for
    monkeypatch.setattr("cnnlib.web.page.TIMEOUT_S", 10 if kind in unread else 0.3)
    start = time.monotonic()
    with stuck_server(STUCK[kind]) as (source, _):
        fresh = page_of(source).get("/fresh")
    assert (fresh.status_code, fresh.json["error_code"]) == (502, "1007")
    reason = unread.get(kind, "can't be reached")
    assert fresh.json["message"] == f"{source}: the captcha source {reason}"
    assert time.monotonic() - start < LIMIT_S, "the source hung up"


def test_body_of_a_redirection_is_not_read(tmp_path: Path) -> None:
    data = draw("01", tmp_path / "picture.png").read_bytes()
    above_memory = Bytes(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 99999999999999\r\n\r\n", b"x")
    with stuck_server(above_memory, large(b"302 Found"), whole(data)) as (source, sent):
        assert page_of(source).get("/fresh").data == data
        assert sent[1] < BUFFERED_BYTES


def test_source_that_floods_with_heads_is_given_up() -> None:
    with stuck_server(FLOOD) as (source, _):
        fresh = page_of(source).get("/fresh")
    assert fresh.status_code == 502
    assert "expected an answer of at most" in fresh.json["message"]


def test_source_that_sends_on_to_ftp_is_not_followed() -> None:
    port = free_port()
    place = f"ftp://127.0.0.1:{port}/x"  # the same host and port
    answer = Bytes(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
    with stuck_server(answer, port=port) as (source, sent):
        fresh = page_of(source).get("/fresh")
        assert fresh.json["message"] == f"{source}: the captcha source answered 302"
        assert len(sent) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_server_stops_at_once_while_requests_wait_for_the_source(
    trained: SimpleNamespace, tmp_path: Path, silent: tuple[str, list[socket.socket]], workers: str
) -> None:
    source, waiting = silent
    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"remote_url": source, "api_save": False}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    arguments = ("--config", config, "--port", "0", "--page-port", "0", "--workers", workers)
    process = start_script("webserver_recognize_api.py", *arguments)
    assert process.stdout
    assert process.stderr
    port = int(process.stdout.readline().split(":")[2].split("/")[0])
    threading.Thread(target=process.stderr.read, daemon=True).start()
    clients = [http.client.HTTPConnection("127.0.0.1", port, timeout=60) for _ in range(3)]
    for client in clients:
        client.request("GET", "/fresh")
    assert eventually(lambda: len(waiting) == 3)
    process.terminate()
    answers = [client.getresponse() for client in clients]
    assert [answer.status for answer in answers] == [503] * 3, "502 would be that of the source's time limit"
    assert "the server is stopping" in json.loads(answers[0].read())["message"]
    assert process.wait(60) == 0


@pytest.mark.parametrize("prefix", [b"", b"data:image/png;base64,"])
def test_base64_of_a_source_is_decoded(tmp_path: Path, prefix: bytes) -> None:
    data = draw("01", tmp_path / "01.png").read_bytes()
    source = Flask("source")
    source.add_url_rule("/c", view_func=lambda: Response(prefix + base64.b64encode(data)))
    source.add_url_rule("/json", "json", lambda: {"img": base64.b64encode(data).decode()})
    with running(source) as address:
        fresh = page_of(f"{address}/c").get("/fresh")
        refused = page_of(f"{address}/json").get("/fresh")
    assert (fresh.data, fresh.mimetype) == (data, "image/png")
    assert (refused.status_code, refused.json["error_code"]) == (502, "1007")
    assert "expected a picture; got JSON; remote_url has to answer with the picture itself" in refused.json["message"]
