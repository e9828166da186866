"""Answers of a server that means harm: a client refuses them in one line, and a stress run goes on."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from flask import Flask, Response

from cnnlib.client.api_client import Client
from cnnlib.client.load_test import Load, TimedConnection
from cnnlib.core.errors import ServiceError
from cnnlib.core.printable import is_obeyed
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
    assert "expected at most 1048576 bytes; got more" in TimedConnection(url).measure(1, b"data").fault
