"""Load from sending processes, on a real server whose answers depend on the pictures."""

import http.client
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from flask import Flask, Response, jsonify, request

import recognize_time_test
from cnnlib.client import load_test
from cnnlib.client.api_client import Answer
from cnnlib.client.load_test import Load, Measurement
from recognize_time_test import is_unanswered
from tests.helpers import HANGUP, free_port, running, start_script, write_config

LABEL = {b"one": "1", b"two": "2", b"slow": "3"}


class Api:
    """A recognition API of a few pictures, with the number of requests `seen`, and of the `most` at once."""

    def __init__(self) -> None:
        self.seen, self.now, self.most, self.quick, self.lock = 0, 0, 0, 0, threading.Lock()
        self.slow_s = 8.0  # that a slow answer waits for the others, at most; clients wait for 10
        self.tokens: set[str | None] = set()
        self.others_done, self.waited = threading.Event(), False  # 49 answers that are not slow; whether they came
        self.app = Flask("api")
        self.app.add_url_rule("/b", view_func=self.answer, methods=["POST"])

    def answer(self) -> tuple[Response, int]:
        with self.lock:
            self.seen, self.now = self.seen + 1, self.now + 1
            self.most = max(self.most, self.now)
        self.tokens.add(request.headers.get("Authorization"))
        picture = request.files["image_file"].read()
        if picture == b"slow":
            self.waited = self.others_done.wait(self.slow_s)
        with self.lock:
            self.now -= 1
            self.quick += picture != b"slow"
            if self.quick == 49:
                self.others_done.set()
        if picture == b"odd":
            return jsonify(["what?"]), 200
        if picture not in LABEL:
            return jsonify({"error_code": "1002", "message": "refused"}), 400
        return jsonify({"value": LABEL[picture], "confidence": 0.5, "speed_time(ms)": 0.25}), 200


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    with running(api.app) as address:
        yield f"{address}/b"


def all_of(load: Load) -> list[Measurement]:
    return [measurement for batch in load.measurements() for measurement in batch]


@pytest.mark.parametrize("concurrency", [1, 5])
def test_each_request_is_measured_once(url: str, api: Api, concurrency: int) -> None:
    start = time.time()
    load = Load(url, [b"one", b"two", b"bad", b"odd"], 9, concurrency)
    done = sorted(all_of(load), key=lambda measurement: measurement.index)
    assert [measurement.index for measurement in done] == list(range(1, 10))
    odd = f"{url}: expected an answer of the API; got something else (HTTP 200)"
    expected = ["1", "2", "refused (HTTP 400)", odd] * 2 + ["1"]
    assert [each.answer.value if each.answer else each.fault for each in done] == expected
    assert all(start <= each.sent_at <= time.time() for each in done)
    assert all(each.answer.total_ms > each.answer.recognition_ms == 0.25 for each in done if each.answer)
    assert api.seen == 9, "a repeated request would hide a failure"
    assert load.own_cost_ms > 0


def test_slow_answer_holds_up_its_own_connection_alone(url: str, api: Api) -> None:
    done = all_of(Load(url, [b"slow", *[b"one"] * 49], 50, 4))
    assert len(done) == 50
    assert api.waited, "all others are answered while the first one is waited for"
    assert api.most <= 4


@pytest.mark.slow
def test_slow_first_answer_is_waited_for(url: str, api: Api) -> None:
    api.slow_s = 2
    load = Load(url, [b"slow"], 2, 2)
    batches = list(load.measurements())
    assert all(batches), "no batch is empty"
    assert [each.answer.value for batch in batches for each in batch if each.answer] == ["3", "3"]


@pytest.mark.slow
def test_duration_ends_a_load(url: str) -> None:
    start = time.monotonic()
    done = all_of(Load(url, [b"one"], 10**9, 2, duration_s=1))
    assert 1 < len(done) < 10**6
    assert time.monotonic() - start < 60


def test_each_request_has_the_limits_anew(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_test, "ANSWER_LIMIT_BYTES", 1000)
    connection = load_test.TimedConnection(url)
    assert all(connection.measure(number, b"one").answer for number in range(10))


def test_closed_iterator_sends_no_more(url: str, api: Api) -> None:
    measurements = Load(url, [b"one"], 10**9, 3).measurements()
    next(measurements)
    measurements.close()
    count = api.seen
    time.sleep(0.2)
    assert api.seen == count


def test_missing_server_is_a_fault_of_each_request() -> None:
    done = all_of(Load(f"http://127.0.0.1:{free_port()}/b", [b"x"], 3, 2))
    assert [each.answer for each in done] == [None] * 3
    assert all("is it running" in each.fault and each.unreached for each in done)


def test_token_of_the_environment_is_sent(url: str, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTCHA_API_TOKEN", "sesame")
    assert len(all_of(Load(url, [b"one"], 2))) == 2
    assert api.tokens == {"Bearer sesame"}


def test_address_that_cannot_be_asked_ends_the_measurement() -> None:
    with pytest.raises(http.client.InvalidURL):
        all_of(Load("http://a b/b", [b"one"], 10, 2))


def test_thread_that_the_system_refuses_ends_the_measurement(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(threading.Thread):
        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    def start_one(threads: Sequence[threading.Thread]) -> None:
        opened.extend(threads[:1])
        start([*opened, Refused()])

    start, opened = load_test._start, []
    monkeypatch.setattr(load_test, "_start", start_one)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # for the sending process alone
    reports, theirs = load_test._spawn.Pipe(duplex=False)
    load_test._send_all(Load(url, [b"one"], 10**9), 2, load_test._spawn.Value("q", 0), theirs)
    assert str(reports.recv()) == "can't start new thread: 1 of 2 connections of a process were opened"
    opened[0].join(60)
    assert not opened[0].is_alive(), "what is open sends no more"


def test_summary_has_average_and_percentiles() -> None:
    assert load_test.summary("total", [float(n) for n in range(1, 101)]) == (
        "total: average 50.5ms, 50%: 50.5ms, 90%: 90.1ms, 99%: 99.0ms, longest 100.0ms"
    )


def test_error_in_the_program_itself_ends_the_measurement(url: str) -> None:
    with pytest.raises(TypeError):
        all_of(Load(url, ["text instead of bytes"], 10, 2))


def test_run_ends_when_no_answer_came_for_a_while() -> None:
    answer = Answer("1", 1.0, 1.0, 2.0)
    there, gone = Measurement(1, 100, answer), Measurement(2, 101, None, "gone", unreached=True)
    assert not is_unanswered([there])
    assert not is_unanswered([there, gone])
    assert is_unanswered([gone]), "it was never there"
    later = Measurement(3, 111, None, "gone", unreached=True)
    assert is_unanswered([there, gone, later])
    assert not is_unanswered([Measurement(1, 100, Answer("1", 1.0, 1.0, 9000.0)), later]), "it came at 109"
    assert not is_unanswered([there, gone, Measurement(3, 111, None, "refused")]), "a refusal is an answer"


def test_pictures_of_several_names_are_sent_in_turn(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for content in ("one", "two"):
        (tmp_path / content).write_text(content)
    arguments = ["--config", write_config(tmp_path), "--url", url, "--count", 2, "--output", tmp_path / "out"]
    assert recognize_time_test.main([*map(str, arguments), str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    assert [line.split(", ")[:2] for line in capsys.readouterr().out.splitlines()[:2]] == [["1", "1"], ["2", "2"]]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (HANGUP, 129)])
def test_interrupted_run_reports_what_it_measured(url: str, tmp_path: Path, number: int, status: int) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(b"one")
    arguments = ("--url", url, "--image", picture, "--output", tmp_path)
    config = write_config(tmp_path)
    process = start_script("recognize_time_test.py", "--config", config, *arguments, start_new_session=True)
    assert process.stdout
    first = process.stdout.readline()
    os.killpg(process.pid, number)  # as a terminal and `timeout` do: the sending processes get it too
    out = process.stdout.read()
    assert process.wait(120) == status
    measured = len((first + out).split("total: average")[0].splitlines())
    assert 0 < measured < recognize_time_test.COUNT
    assert len((tmp_path / "test.csv").read_text().splitlines()) == measured + 1
    assert "requests/s; the table is" in out
    assert (tmp_path / "test.png").exists()


def test_without_a_test_picture_naming_one_is_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert recognize_time_test.main(["--config", str(write_config(tmp_path))]) == 2
    assert capsys.readouterr().err.endswith(
        "verify_and_split_data.py puts them there; or name a picture, such as captcha.png\n"
    )
