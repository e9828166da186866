import time
from datetime import datetime

import pytest

from cnnlib import stress
from cnnlib.client import Answer
from cnnlib.errors import ServiceError
from tests.conftest import free_port


class Recorder:
    """A client whose server takes its time for `slow`."""

    def __init__(self, retries: int) -> None:
        assert retries == 0, "a repeated request would hide a failure"

    def recognize(self, _url: str, data: bytes) -> Answer:
        if data == b"bad":
            raise ServiceError("refused", 400)
        if data == b"slow":
            time.sleep(1)
        return Answer(data.decode(), None, 1.0, 3.0)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_each_request_is_measured_once(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    monkeypatch.setattr(stress, "Client", Recorder)
    done = sorted(stress.measure("url", [b"one", b"two", b"bad"], 7, concurrency), key=lambda one: one.index)
    assert [one.index for one in done] == list(range(1, 8))
    assert [one.answer.value if one.answer else one.fault for one in done] == ["one", "two", "refused"] * 2 + ["one"]
    assert all(isinstance(one.sent_at, datetime) for one in done)


def test_slow_answer_holds_up_its_own_connection_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stress, "Client", Recorder)
    done = list(stress.measure("url", [b"slow", *[b"quick"] * 99], 100, 2))
    assert done[-1].index == 1, "all others are answered while the first one is waited for"


def test_closed_iterator_sends_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []

    class Counter(Recorder):
        def recognize(self, url: str, data: bytes) -> Answer:
            sent.append(1)
            time.sleep(0.001)
            return super().recognize(url, data)

    monkeypatch.setattr(stress, "Client", Counter)
    running = stress.measure("url", [b"x"], 10**6, 2)
    next(running)
    running.close()
    count = len(sent)
    time.sleep(0.05)
    assert len(sent) == count < 10**6


def test_missing_server_is_a_fault_of_each_request() -> None:
    done = list(stress.measure(f"http://127.0.0.1:{free_port()}/b", [b"x"], 3, 2))
    assert [one.answer for one in done] == [None] * 3
    assert all("is it started" in one.fault and one.unreached for one in done)


def test_summary_has_average_and_percentiles() -> None:
    assert stress.summary("total", [float(n) for n in range(1, 101)]) == (
        "total: average 50.5ms, 50%: 50.5ms, 90%: 90.1ms, 99%: 99.0ms, longest 100.0ms"
    )


def test_error_in_the_program_itself_ends_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(Recorder):
        def recognize(self, _url: str, _data: bytes) -> Answer:
            raise ZeroDivisionError

    monkeypatch.setattr(stress, "Client", Broken)
    with pytest.raises(ZeroDivisionError):
        list(stress.measure("url", [b"x"], 10, 2))
