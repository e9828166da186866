from datetime import datetime

import pytest

from cnnlib import stress
from cnnlib.client import Answer
from cnnlib.errors import ServiceError
from tests.conftest import free_port


@pytest.mark.parametrize("concurrency", [1, 4])
def test_each_request_is_measured_once_and_in_order(monkeypatch: pytest.MonkeyPatch, concurrency: int) -> None:
    class Recorder:
        def __init__(self, retries: int) -> None:
            assert retries == 0, "a repeated request would hide a failure"

        def recognize(self, _url: str, data: bytes) -> Answer:
            if data == b"bad":
                raise ServiceError("refused", 400)
            return Answer(data.decode(), None, 1.0, 3.0)

    monkeypatch.setattr(stress, "Client", Recorder)
    done = list(stress.measure("url", [b"bad", b"one", b"two"], 7, concurrency))
    assert [one.index for one in done] == list(range(1, 8))
    assert [one.answer.value if one.answer else one.fault for one in done] == ["one", "two", "refused"] * 2 + ["one"]
    assert all(isinstance(one.sent_at, datetime) for one in done)


def test_missing_server_is_a_fault_of_each_request() -> None:
    done = list(stress.measure(f"http://127.0.0.1:{free_port()}/b", [b"x"], 3, 2))
    assert [one.answer for one in done] == [None] * 3
    assert all("is it started" in one.fault for one in done)


def test_summary_has_average_and_percentiles() -> None:
    assert stress.summary("total", [float(n) for n in range(1, 101)]) == (
        "total: average 50.5ms, 50%: 50.5ms, 90%: 90.1ms, 99%: 99.0ms, longest 100.0ms"
    )
