"""The log line of a request: short for people at a terminal, JSON for programs."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web import ACCESS_LOG
from cnnlib.web.access_log import TerminalFormatter, log_request
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from cnnlib.web.server import configure_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What is logged in a terminal."""
    terminal = Terminal()
    monkeypatch.setattr(logging.getLogger(ACCESS_LOG), "handlers", [])
    monkeypatch.setattr("sys.stderr", terminal)
    configure_logs()
    return terminal


@pytest.fixture
def pictures(trained: SimpleNamespace) -> list[bytes]:
    return [path.read_bytes() for path in list_entries(trained.config.test_image_dir)[:5]]


@pytest.fixture
def client(trained: SimpleNamespace) -> FlaskClient:
    model = ServedModel("small", trained.config.model_copy(update={"api_save": False}))
    model.load()
    return create_recognition_app(ModelRegistry([model])).test_client()


def post(client: FlaskClient, *pictures: bytes) -> Any:
    files = [(io.BytesIO(data), "a.png") for data in pictures]
    return client.post("/b", data={"image_file": files}, content_type="multipart/form-data")


def test_terminal_gets_the_text_its_confidence_and_the_time(
    client: FlaskClient, written: Terminal, pictures: list[bytes], trained: SimpleNamespace
) -> None:
    read = Recognizer(trained.config.model_save_dir).recognize(pictures)
    post(client, pictures[0])
    post(client, *pictures)
    one, five = written.getvalue().splitlines()
    shown = [f"{prediction.text} {prediction.confidence:.1%}" for prediction in read]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d POST /b {re.escape(shown[0])} \d+ ms", one)
    assert f" POST /b {', '.join(shown[:3])} and 2 more " in five


def test_terminal_gets_the_reason_of_a_refusal(client: FlaskClient, written: Terminal) -> None:
    post(client, b"no picture")
    client.get("/healthz")
    client.get("/elsewhere")
    refused, healthy, missing = (line.split(" ", 1)[1] for line in written.getvalue().splitlines())
    assert re.fullmatch(
        r'POST /b 400 picture 1: not a PNG, JPEG, GIF, BMP or WebP picture; got a text, "no picture" \d+ ms', refused
    )
    assert re.fullmatch(r"GET /healthz 200 \d+ ms", healthy)
    assert missing.startswith("GET /elsewhere 404 expected POST /b, or POST /b/NAME")


def test_terminal_gets_nothing_that_it_obeys(client: FlaskClient, written: Terminal) -> None:
    client.get("/%1b%5b2J%0aforged%9b")
    client.get("/" + "a" * 5000)
    log_request(None, 200, [("\x1b[2J", 1.0)], method="POST", path="/b", ms=1)
    escaped, long, text = written.getvalue().splitlines()
    assert r"GET /\x1b[2J\nforged" in escaped
    assert len(long) < 350
    assert r"\x1b[2J 100.0%" in text
    assert written.getvalue().replace("\n", "").isprintable()


def test_line_without_method_is_that_of_a_broken_request() -> None:
    record = logging.makeLogRecord({"request": {"status": 408}, "readings": (), "fault": ""})
    assert re.fullmatch(r"\d\d:\d\d:\d\d 408", TerminalFormatter().format(record))


@pytest.mark.skipif(sys.platform == "win32", reason="opens a terminal of POSIX systems")
@pytest.mark.parametrize("at_terminal", [True, False])
def test_server_s_own_standard_error_decides(
    trained: SimpleNamespace, tmp_path: Path, pictures: list[bytes], at_terminal: bool
) -> None:
    import http.client
    import pty

    keys = json.loads(trained.config_path.read_text(encoding="utf-8")) | {"api_save": False}
    config = tmp_path / "model.json"
    config.write_text(json.dumps(keys), encoding="utf-8")
    arguments = ("--config", config, "--port", "0", "--page-port", "0", "--workers", "2")
    reading, writing = pty.openpty() if at_terminal else os.pipe()
    command = [sys.executable, str(PROJECT_ROOT / "webserver_recognize_api.py"), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writing, text=True)
    os.close(writing)
    assert process.stdout
    port = int(process.stdout.readline().split(":")[2].split("/")[0])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/b", pictures[0], {"Content-Type": "image/png"})
    assert connection.getresponse().status == 200
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.append(os.read(reading, 1000).decode()))
    reader.start()
    reader.join(60)
    process.terminate()
    process.wait(60)
    os.close(reading)
    if at_terminal:
        assert re.match(r"\d\d:\d\d:\d\d POST /b \d\d \d+\.\d% \d+ ms", lines[0])
    else:
        fields = json.loads(lines[0])
        assert {"time", "client", "status", "method", "path", "ms", "bytes", "pictures", "model"} == fields.keys()
