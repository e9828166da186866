"""The limits of the HTTP protocol, and the bridge to a small application."""

import asyncio
import http.client
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
import uvicorn
from flask import Flask, Response, request
from prometheus_client import REGISTRY

from cnnlib.web import ACCESS_LOG, http_limits
from cnnlib.web.wsgi_bridge import WsgiBridge, waits_for_others

POST = b"POST /size?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"


class Gate:
    """Holds up the slow routes of the small application: `reached` by a request, until `opened`."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def bounded(gate: Gate) -> Iterator[int]:
    """The port of a server of a small application, in a thread."""
    app = Flask("small")
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/size")
    def size() -> Response:
        return Response(f"{len(request.get_data())} {request.query_string.decode()} {request.headers.get('X-Y')}")

    @app.get("/path/<path:name>")
    def path(name: str) -> Response:
        return Response(name)

    @app.get("/slow")
    @app.get("/slow/<name>")
    @waits_for_others
    def slow(name: str = "none") -> Response:
        gate.reached.set()
        return Response(f"{name} {gate.opened.wait(60)}")

    @app.get("/dated")
    def dated() -> Response:
        return Response("", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})

    listener = socket.create_server(("127.0.0.1", 0))
    app.wsgi_app = validator(app.wsgi_app)
    config = uvicorn.Config(
        WsgiBridge(app, 1000), http=http_limits.LimitedProtocol, ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    gate.opened.set()
    server.should_exit = True
    thread.join()


def get(path: bytes) -> bytes:
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


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


def test_request_reaches_the_application_as_it_was_sent(bounded: int) -> None:
    whole = answer_to(
        bounded, POST + b"X-Y: 1\r\nX_Y: evil\r\nX-Y: 2\r\nContent-Length: 5\r\n\r\nab", b"cde", pause=0.1
    )
    assert whole.endswith(b"\r\n\r\n5 a=%20b 1, 2")
    chunked = answer_to(bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert chunked.endswith(b"\r\n\r\n5 a=%20b None")
    got = answer_to(bounded, get(b"/path/%C3%A4%2Fb"))
    assert got.startswith(b"HTTP/1.1 200 OK")
    assert got.endswith("\r\n\r\nä/b".encode())


@pytest.mark.parametrize(("path", "text"), [(b"/slow", "none"), (b"/slow/%C3%A4", "ä")])
def test_route_that_waits_for_others_holds_up_no_other_request(
    bounded: int, gate: Gate, path: bytes, text: str
) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as slow:
        slow.sendall(get(path))
        assert gate.reached.wait(20)
        assert answer_to(bounded, get(b"/path/other")).endswith(b"\r\n\r\nother")
        gate.opened.set()
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert (answer.status, answer.read().decode()) == (200, f"{text} True")


def test_large_bodies_are_refused_and_not_kept(bounded: int) -> None:
    declared = answer_to(bounded, POST + b"Content-Length: 1001\r\n\r\n" + b"a" * 1001)
    chunked = answer_to(
        bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n", b"800\r\n" + b"a" * 0x800 + b"\r\n0\r\n\r\n"
    )
    assert declared.startswith(b"HTTP/1.1 413")
    assert chunked.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(("headers", "taken"), [([(b"content-length", b"101")], 0), ([], 11)])
def test_bridge_takes_no_more_of_a_body_than_its_limit(headers: list[tuple[bytes, bytes]], taken: int) -> None:
    app = Flask("strict")
    app.config["MAX_CONTENT_LENGTH"] = 100
    app.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    asked, answered = 0, []

    async def receive() -> dict[str, Any]:  # of a client that never ends
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": b"a" * 10, "more_body": asked < 1000}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    scope = {"method": "POST", "path": "/", "query_string": b"", "http_version": "1.1", "scheme": "http"}
    asyncio.run(WsgiBridge(app, 100)({**scope, "headers": headers}, receive, send))
    assert (asked, answered[0]["status"]) == (taken, 413)


@pytest.mark.parametrize("sent", [b"", b"POST /size HT", POST + b"Content-Length: 9\r\n\r\nab"])
def test_slow_request_is_ended_and_holds_up_nobody(
    bounded: int, sent: bytes, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[int]]
) -> None:
    before = refused(408)
    monkeypatch.setattr(http_limits, "ARRIVAL_S", 3)  # a busy machine answers the other one within them
    with socket.create_connection(("127.0.0.1", bounded), 20) as slow:
        slow.sendall(sent)
        assert answer_to(bounded, POST + b"Content-Length: 1\r\n\r\na").startswith(b"HTTP/1.1 200")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")
    assert logged() == ([408] if sent else []), "what never began is no request"
    assert refused(408) - before == len(logged())


def test_endless_head_is_ended(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        connection.sendall(POST + b"X-Endless: " + b"a" * (http_limits.HEADER_LIMIT_BYTES + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("line", [b"POST /size?%s HTTP/1.1\r\nX-A: b", b"POST /size HTTP/1.1\r\nX-A: %s"])
def test_large_head_that_comes_at_once_is_refused(bounded: int, line: bytes) -> None:
    rest = b"\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\na"
    assert answer_to(bounded, line % (b"a" * 100) + rest).startswith(b"HTTP/1.1 200")
    assert answer_to(bounded, line % (b"a" * (http_limits.HEADER_LIMIT_BYTES + 1)) + rest).startswith(b"HTTP/1.1 431")
    many = b"\r\na:b" * (http_limits.HEADER_LIMIT_BYTES // 5)
    assert answer_to(bounded, line % b"a" + many + rest).startswith(b"HTTP/1.1 431")


def test_what_follows_a_body_is_no_header(bounded: int) -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Y: late\r\n\r\n"
    whole, told = answer_to(bounded, POST + chunks), answer_to(bounded, POST + b"X-Y: early\r\n" + chunks)
    assert whole.endswith(b"1 a=%20b None")
    assert told.endswith(b"1 a=%20b early")


def test_answer_has_one_date(bounded: int) -> None:
    head = answer_to(bounded, get(b"/dated")).partition(b"\r\n\r\n")[0]
    assert head.lower().count(b"\r\ndate:") == 1


def test_endless_end_of_a_chunked_body_is_ended(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        connection.sendall(b"X-Endless: 1\r\n" * (http_limits.HEADER_LIMIT_BYTES // 14 + 1))
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
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.read().startswith(b"4 ")


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
    for _ in range(http_limits.CONNECTION_REQUESTS + 1):
        connection.request("POST", "/size", b"a")
        answer = connection.getresponse()
        assert answer.read().startswith(b"1 ")
        closing.append(answer.will_close)
    assert closing == [False] * (http_limits.CONNECTION_REQUESTS - 1) + [True, False]
