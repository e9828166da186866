"""Answers of a server that means harm: a client refuses them in one line, and a stress run goes on."""

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from flask import Flask, Response

from cnnlib.client.answers import Exchange, bounded
from cnnlib.client.api_client import Client
from cnnlib.client.load_test import Load, TimedConnection
from cnnlib.core.errors import ServiceError, UnreachableError
from cnnlib.core.printable import is_obeyed
from tests.client.stuck import BUFFERED_BYTES, FLOOD, LIMIT_S, STUCK, Bytes, large, stuck_server, whole
from tests.helpers import running

Served = Callable[[object], str]
GOOD = {"value": "ab", "confidence": 0.5, "speed_time(ms)": 1}
OTHER_ANSWERS = {
    "confidence is a text": {**GOOD, "confidence": "\x1b[2J"},
    "confidence is a list": {**GOOD, "confidence": [1]},
    "confidence above 1": {**GOOD, "confidence": 1e308},
    "confidence is true": {**GOOD, "confidence": True},
    "value is an object": {**GOOD, "value": {"a": [1]}},
    "value is a list": {**GOOD, "value": ["a"]},
    "value is long": {**GOOD, "value": "x" * 100_000},
    "time is a text": {**GOOD, "speed_time(ms)": "soon"},
    "time is negative": {**GOOD, "speed_time(ms)": -1},
    "time is huge": {**GOOD, "speed_time(ms)": 10**400},
    "candidate is an object": {**GOOD, "value": None, "candidate": {"a": 1}},
    "a list": [GOOD],
    "a number": 1,
    "nothing": None,
}
OTHER_TEXTS = {
    "NaN": '{"value": "a", "speed_time(ms)": NaN}',
    "infinity": '{"value": "a", "speed_time(ms)": Infinity}',
    "1e999": '{"value": "a", "speed_time(ms)": 1e999}',
    "5,000 digits": '{"value": "a", "speed_time(ms)": ' + "9" * 5000 + "}",
    "nesting": '{"value": ' + "[" * 100_000,
    "nested objects": '{"value":' * 100_000,
    "lone surrogate": r'{"value": "\ud800", "speed_time(ms)": 1}',
    "half a pair": r'{"value": "a\udc00", "speed_time(ms)": 1}',
    "bytes that are no UTF-8": b'{"value": "\xff\xfe", "speed_time(ms)": 1}',
    "NUL": b"\0" * 100,
    "control characters": "\x1b[2J\x1b]0;owned\x07",
}
BODIES = {name: json.dumps(answer) for name, answer in OTHER_ANSWERS.items()} | OTHER_TEXTS
statuses = pytest.mark.parametrize("status", [200, 400])
kinds = pytest.mark.parametrize("kind", BODIES)


@pytest.fixture
def served() -> Iterator[Served]:
    with ExitStack() as servers:

        def start(answer: object) -> str:
            app = Flask("hostile")
            app.add_url_rule("/b", "b", lambda: answer, methods=["GET", "POST"])
            return f"{servers.enter_context(running(app))}/b"

        yield start


@pytest.fixture
def unread() -> Iterator[str]:
    """The address of a server that takes no connection from its queue."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/b"


def is_plain(message: str) -> bool:
    """Whether a message is one short line that no terminal obeys."""
    return len(message) < 600 and not any(map(is_obeyed, message))


@statuses
@kinds
def test_answer_is_refused_in_one_line(served: Served, kind: str, status: int) -> None:
    with pytest.raises(ServiceError) as caught:
        Client(retries=0).recognize(served((BODIES[kind], status)), b"data")
    assert is_plain(str(caught.value))


@statuses
@kinds
def test_stress_run_counts_it_as_a_fault(served: Served, kind: str, status: int) -> None:
    measurement = TimedConnection(served((BODIES[kind], status))).measure(1, b"data")
    assert measurement.answer is None
    assert measurement.fault
    assert is_plain(measurement.fault)


def test_stress_run_goes_on_to_its_last_request(served: Served) -> None:
    load = Load(served((BODIES["confidence is a text"], 200)), [b"data"], 5, 2)
    assert len([each for batch in load.measurements() for each in batch]) == 5


def test_texts_of_an_answer_are_printable(served: Served) -> None:
    url = served(json.dumps({**GOOD, "value": "a\x1b[2J\n\u202eb"}))
    assert Client().recognize(url, b"data").value == r"a\x1b[2J\n\u202eb"
    answer = TimedConnection(url).measure(1, b"data").answer
    assert answer
    assert answer.value == r"a\x1b[2J\n\u202eb"
    doubted = served(json.dumps({**GOOD, "value": None, "candidate": "\x1b[2J"}))
    with pytest.raises(ServiceError, match=r"the confidence of \\x1b\[2J is below min_confidence"):
        Client().recognize(doubted, b"data")


def test_digits_may_be_a_number(served: Served) -> None:
    assert Client().recognize(served(json.dumps({**GOOD, "value": 1234})), b"data").value == "1234"


@pytest.mark.parametrize("message", ["\x1b[2J\nPicture accuracy: 100%", "\x9b2J", "x" * 100_000, ["\x1b[2J"], {"a": 1}])
def test_message_of_an_error_is_plain(served: Served, message: object) -> None:
    url = served((json.dumps({"error_code": "1002", "message": message}), 400))
    with pytest.raises(ServiceError, match=r"\(HTTP 400\)$") as caught:
        Client(retries=0).recognize(url, b"data")
    assert is_plain(str(caught.value))
    assert is_plain(TimedConnection(url).measure(1, b"data").fault)


@pytest.mark.parametrize(
    "label", ["%1b%5b2J%0aPicture accuracy: 100%25", "%c2%9b2J", "%e2%80%ae", "%ff%fe", "a" * 5000]
)
def test_label_of_a_source_is_plain(served: Served, label: str) -> None:
    captcha = Client().fetch_captcha(served(Response(b"png", headers={"X-Captcha-Label": label})))
    assert captcha.label
    assert is_plain(captcha.label)


@pytest.mark.parametrize("place", [b"http://[::1", b"gopher://a/", b"http://a b/\x1b[2J", b"//\xff\xfe", b"/b"])
def test_redirection_to_nowhere_is_one_line(served: Served, place: bytes) -> None:
    response = Response(status=302, headers={"Location": place.decode("latin-1")})
    response.autocorrect_location_header = False
    with pytest.raises(ServiceError) as caught:
        Client(retries=0).fetch_captcha(served(response))
    assert is_plain(str(caught.value))


def test_endless_answer_is_not_kept_in_memory(served: Served) -> None:
    url = served(Response(b"x" * 2**16 for _ in range(10**5)))
    fault = f"{url}: expected an answer of at most 1048576 bytes; got more"
    assert TimedConnection(url).measure(1, b"data").fault == fault


@pytest.mark.parametrize("kind", STUCK)
def test_answer_that_is_stuck_anywhere_ends_with_the_time(kind: str) -> None:
    client, start = Client(retries=1, timeout_s=0.3), time.monotonic()
    with stuck_server(STUCK[kind]) as (url, _):
        late = r"/b: no (complete )?answer within 0\.3 seconds(, in 2 tries)?$"
        with pytest.raises(ServiceError, match=late):
            client.fetch_captcha(url)
        sent_on = "/b: the server sends on to http://.*/x; write that"  # the body of that is not waited for
        with pytest.raises(ServiceError, match=sent_on if kind == "redirection" else late):
            client.recognize(url, b"data")
    assert time.monotonic() - start < LIMIT_S, "the server hung up"


@pytest.mark.parametrize("kind", STUCK)
def test_stress_run_goes_on_when_an_answer_is_stuck_anywhere(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlib.client.load_test.TIMEOUT_S", 0.3)
    start = time.monotonic()
    with stuck_server(STUCK[kind]) as (url, _):
        measurement = TimedConnection(url).measure(1, b"data")
    assert (measurement.fault, measurement.unreached) == (f"{url}: no answer within 0.3 seconds", True)
    assert time.monotonic() - start < LIMIT_S, "the server hung up"


def test_all_redirections_of_a_try_share_its_time() -> None:
    slow = Bytes(b"", b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 0.1)
    with (
        stuck_server(slow) as (url, _),
        pytest.raises(ServiceError, match=r"no answer within 0\.3 seconds$"),
    ):
        Client(retries=0, timeout_s=0.3).fetch_captcha(url)


def test_each_try_has_the_time_anew() -> None:
    with stuck_server(STUCK["head"], STUCK["redirection"], whole(b"png")) as (url, _):
        assert Client(timeout_s=1).fetch_captcha(url).data == b"png"


@pytest.mark.parametrize("status", [b"302 Found", b"503 Busy"])
def test_body_that_nobody_wants_is_not_read(status: bytes) -> None:
    with stuck_server(large(status), whole(b"png")) as (url, sent):
        assert Client(retries=1).fetch_captcha(url).data == b"png"
        assert sent[0] < BUFFERED_BYTES


def test_flood_of_heads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlib.client.api_client.FILE_LIMIT_BYTES", 2**20)
    with stuck_server(FLOOD) as (url, _):
        fault = f"{url}: expected an answer of at most 1048576 bytes; got more"
        assert TimedConnection(url).measure(1, b"data").fault == fault
        with pytest.raises(ServiceError) as caught:
            Client().fetch_captcha(url)
    assert str(caught.value) == fault


def test_proxy_whose_head_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with stuck_server(STUCK["head"]) as (url, _):
        monkeypatch.setenv("https_proxy", url.removesuffix("/b"))
        monkeypatch.setenv("no_proxy", "")
        with pytest.raises(ServiceError, match=r"no answer within 1 seconds$|Unable to connect to proxy.*ReadTimeout"):
            Client(retries=0, timeout_s=1).recognize("https://captcha.invalid/b", b"data")  # it may be late beforehand


def test_server_that_does_not_read_the_request_is_given_up(unread: str) -> None:
    with pytest.raises(ServiceError, match=r"no answer within 0\.3 seconds$"):
        Client(retries=0, timeout_s=0.3).recognize(unread, bytes(2**24))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems fill a queue in other ways")
def test_server_that_takes_no_connection_is_given_up(unread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlib.client.load_test.TIMEOUT_S", 0.3)
    port, start = urlsplit(unread).port, time.monotonic()
    with ExitStack() as stack:
        for _ in range(3):  # that the system takes in its place
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        with pytest.raises(UnreachableError, match="the server can't be reached"):
            Client(retries=0, timeout_s=0.3).fetch_captcha(unread)
        assert TimedConnection(unread).measure(1, b"data").fault == f"{unread}: no answer within 0.3 seconds"
    assert time.monotonic() - start < 60, "the system would try for minutes"


def test_request_over_a_kept_connection_has_the_time_anew() -> None:
    """The socket still has the timeout that was left to the end of the answer before."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            time.sleep(0.2)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()

    exchange = Exchange(20, 2**20)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = bounded(HTTPConnection, exchange)("127.0.0.1", server.server_port)
        for _ in range(2):
            connection.request("POST", "/", bytes(2**24))
            assert connection.getresponse().read() == b""
            connection.sock.settimeout(0.001)
        server.shutdown()
