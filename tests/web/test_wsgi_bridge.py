"""The bridge between the server's event loop and a small application."""

import asyncio
import http.client
import socket
from typing import Any

import pytest
from flask import Flask, request

from cnnlib.web.wsgi_bridge import WsgiBridge
from tests.web.small_app import POST, Gate, answer_to, get


def test_request_reaches_the_application_as_it_was_sent(bounded: int) -> None:
    whole = answer_to(
        bounded, POST + b"X-Y: 1\r\nX_Y: evil\r\nX-Y: 2\r\nContent-Length: 5\r\n\r\nab", b"cde", pause=0.1
    )
    assert whole.endswith(b"\r\n\r\n5 a=%20b 1, 2")
    chunked = answer_to(bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    assert chunked.endswith(b"\r\n\r\n5 a=%20b None")
    answer = answer_to(bounded, get(b"/path/%C3%A4%2Fb"))
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith("\r\n\r\nä/b".encode())


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


@pytest.mark.parametrize(("headers", "parts"), [([(b"content-length", b"101")], 0), ([], 11)])
def test_bridge_receives_no_more_of_a_body_than_its_limit(headers: list[tuple[bytes, bytes]], parts: int) -> None:
    app = Flask("strict")
    app.config["MAX_CONTENT_LENGTH"] = 100
    app.add_url_rule("/", view_func=lambda: request.get_data(), methods=["POST"])
    received, answered = 0, []

    async def receive() -> dict[str, Any]:  # of a client that never ends
        nonlocal received
        received += 1
        return {"type": "http.request", "body": b"a" * 10, "more_body": received < 1000}

    async def send(message: dict[str, Any]) -> None:
        answered.append(message)

    scope = {"method": "POST", "path": "/", "query_string": b"", "http_version": "1.1", "scheme": "http"}
    asyncio.run(WsgiBridge(app, 100)({**scope, "headers": headers}, receive, send))
    assert (received, answered[0]["status"]) == (parts, 413)


def test_answer_has_one_date(bounded: int) -> None:
    head = answer_to(bounded, get(b"/dated")).partition(b"\r\n\r\n")[0]
    assert head.lower().count(b"\r\ndate:") == 1
