"""What an operator of the API sees."""

import io
import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.inference.model_card import load_card
from cnnlib.web import ACCESS_LOG
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.prometheus import METRICS_FOLDER
from cnnlib.web.server import configure_logs
from tests.web.clients import client_of, form


def figure(client: FlaskClient, name: str) -> float:
    """A metric's value, 0 before it is first counted."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_health_and_readiness(client: FlaskClient, trained: SimpleNamespace, tmp_path: Path) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").json) == (200, {"status": "alive"})
    assert (client.get("/readyz").status_code, client.get("/readyz").json["models"]) == (200, {"small": True})
    lost = ServedModel("small", trained.config.model_copy(update={"model_save_dir": tmp_path / "nothing"}))
    waiting = client_of(lost)
    assert (waiting.get("/healthz").status_code, waiting.get("/readyz").status_code) == (200, 503)


def test_application_makes_its_metrics_folder_and_answers_without_it(trained: SimpleNamespace, tmp_path: Path) -> None:
    code = (
        "import shutil, sys; from webserver_recognize_api import create_app\n"
        "client = create_app(sys.argv[1]).test_client()\n"
        "shutil.rmtree(sys.argv[2])\n"
        "print(client.get('/healthz').status_code)"
    )
    metrics = str(tmp_path / "missing" / "figures")
    environment = os.environ | {METRICS_FOLDER: metrics}
    command = [sys.executable, "-c", code, str(trained.config_path), metrics]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT, env=environment, check=True)
    assert run.stdout == "200\n"
    assert "was removed" not in run.stderr


def test_metrics_count_requests_errors_times_and_confidences(
    client: FlaskClient, picture_bytes: bytes, trained: SimpleNamespace
) -> None:
    names = (
        'captcha_requests_total{method="POST",route="/b",status="200"}',
        'captcha_requests_total{method="POST",route="/b",status="400"}',
        'captcha_requests_total{method="GET",route="other",status="404"}',
        'captcha_requests_total{method="other",route="other",status="404"}',
        'captcha_request_seconds_count{route="/b"}',
        'captcha_confidence_count{model="small"}',
    )
    before = [figure(client, name) for name in names]
    for request in (form(picture_bytes), form(picture_bytes), form(b"no picture")):
        client.post("/b", **request)
    client.get("/invented/by/anyone")
    client.open("/invented/by/anyone", method="BREW")
    assert [figure(client, name) - count for name, count in zip(names, before, strict=True)] == [2, 1, 1, 1, 3, 2]
    assert figure(client, 'captcha_model_step{model="small"}') == trained.outcome.step
    saved = datetime.fromisoformat(load_card(trained.config.model_save_dir).saved_at)
    assert figure(client, 'captcha_model_saved_timestamp_seconds{model="small"}') == saved.timestamp()


def test_each_request_is_one_line_of_json(
    client: FlaskClient, picture_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(logging.getLogger(ACCESS_LOG), "handlers", [])
    monkeypatch.setattr("sys.stderr", written)
    configure_logs()
    client.post("/b", **form(picture_bytes))
    client.get("/no%0Asuch")
    posted, missing = map(json.loads, written.getvalue().splitlines())
    assert (posted["path"], posted["status"], posted["pictures"], posted["model"]) == ("/b", 200, 1, "small")
    assert (missing["status"], missing["path"]) == (404, "/no\nsuch")
    assert posted["ms"] > 0
