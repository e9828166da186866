"""The limits of the HTTP protocol."""

import http.client
import json
import socket
from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from cnnlib.web import http_limits
from tests.web.small_app import POST, answer_to


def refused(status: int) -> float:
    """Requests that were counted as refused with this status before the application."""
    labels = {"route": "other", "method": "other", "status": str(status)}
    return REGISTRY.get_sample_value("captcha_requests_total", labels) or 0.0


@pytest.mark.parametrize("sent", [b"", b"POST /size HT", POST + b"Content-Length: 9\r\n\r\nab"])
def test_slow_request_is_ended_and_holds_up_nobody(
    bounded: int, sent: bytes, monkeypatch: pytest.MonkeyPatch, logged: Callable[[], list[int]]
) -> None:
    before = refused(408)
    monkeypatch.setattr(http_limits, "ARRIVAL_S", 3)  # a busy machine answers the other request within them
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


def test_trailers_are_no_headers(bounded: int) -> None:
    chunks = b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Y: late\r\n\r\n"
    assert answer_to(bounded, POST + chunks).endswith(b"1 a=%20b None")
    assert answer_to(bounded, POST + b"X-Y: early\r\n" + chunks).endswith(b"1 a=%20b early")


def test_endless_trailers_are_ended(bounded: int) -> None:
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        connection.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n")
        connection.sendall(b"X-Endless: 1\r\n" * (http_limits.HEADER_LIMIT_BYTES // 14 + 1))
        assert connection.recv(100).startswith(b"HTTP/1.1 431")


def test_body_of_many_small_chunks_is_read(bounded: int) -> None:
    chunks = b"1\r\na\r\n" * 1000
    answer = answer_to(bounded, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
    assert b"\r\n\r\n1000 " in answer


def test_request_for_another_protocol_keeps_its_body(bounded: int) -> None:
    upgrade = (
        b"Connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nHTTP2-Settings: AAEA\r\nContent-Length: 4\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", bounded), 20) as connection:
        for _ in range(2):  # the second one over the same connection
            connection.sendall(POST.replace(b"Connection: close\r\n", b"") + upgrade + b"\r\nab")
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.read().startswith(b"4 ")


def test_bytes_that_are_no_request_are_refused_counted_and_logged(
    bounded: int, logged: Callable[[], list[int]]
) -> None:
    before = refused(400)
    answer = answer_to(bounded, b"nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == "400"
    assert logged() == [400]
    assert refused(400) - before == 1


def test_connection_is_closed_after_many_requests_and_says_so(bounded: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", bounded, timeout=20)
    closing = []
    for _ in range(http_limits.CONNECTION_REQUESTS + 1):
        connection.request("POST", "/size", b"a")
        answer = connection.getresponse()
        assert answer.read().startswith(b"1 ")
        closing.append(answer.will_close)
    assert closing == [False] * (http_limits.CONNECTION_REQUESTS - 1) + [True, False]
