"""What an operator of the API sees, and who may use it."""

import base64
import io
import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import load_card
from cnnlib.web import ACCESS_LOG
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from cnnlib.web.prometheus import METRICS_FOLDER
from cnnlib.web.server import configure_logs


@pytest.fixture
def picture(trained: SimpleNamespace) -> bytes:
    return list_entries(trained.config.test_image_dir)[0].read_bytes()


@pytest.fixture
def model(trained: SimpleNamespace, tmp_path: Path) -> ServedModel:
    model = ServedModel("small", trained.config.model_copy(update={"api_image_dir": tmp_path / "api"}))
    model.load()
    return model


@pytest.fixture
def client(model: ServedModel) -> FlaskClient:
    return create_recognition_app(ModelRegistry([model])).test_client()


def form(data: bytes) -> dict[str, Any]:
    return {"data": {"image_file": (io.BytesIO(data), "x.png")}, "content_type": "multipart/form-data"}


def figure(client: FlaskClient, name: str) -> float:
    """A metric's value, 0 before it is first told."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_health_and_readiness(client: FlaskClient, trained: SimpleNamespace, tmp_path: Path) -> None:
    assert (client.get("/healthz").status_code, client.get("/healthz").json) == (200, {"status": "alive"})
    assert (client.get("/readyz").status_code, client.get("/readyz").json["models"]) == (200, {"small": True})
    lost = ServedModel("small", trained.config.model_copy(update={"model_save_dir": tmp_path / "nothing"}))
    waiting = create_recognition_app(ModelRegistry([lost])).test_client()
    assert (waiting.get("/healthz").status_code, waiting.get("/readyz").status_code) == (200, 503)


def test_application_for_other_servers_makes_the_folder_of_figures_and_outlives_it(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    code = (
        "import shutil, sys; from webserver_recognize_api import create_app\n"
        "client = create_app(sys.argv[1]).test_client()\n"
        "shutil.rmtree(sys.argv[2])\n"
        "print(client.get('/healthz').status_code)"
    )
    figures = str(tmp_path / "missing" / "figures")
    environment = os.environ | {METRICS_FOLDER: figures}
    command = [sys.executable, "-c", code, str(trained.config_path), figures]
    run = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT_ROOT, env=environment, check=True)
    assert run.stdout == "200\n"
    assert "was removed" not in run.stderr


def test_wrong_method_is_told_the_right_one_and_a_wrong_address_that_it_is(client: FlaskClient) -> None:
    answer = client.get("/b")
    assert (answer.status_code, answer.json["error_code"]) == (405, "405")
    assert "POST" in answer.headers["Allow"]
    assert (client.get("/c").status_code, client.get("/c").json["error_code"]) == (404, "404")
    assert answer.headers["Content-Type"] == "application/json"


def test_metrics_count_requests_errors_times_and_confidences(
    client: FlaskClient, picture: bytes, trained: SimpleNamespace
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
    for request in (form(picture), form(picture), form(b"no picture")):
        client.post("/b", **request)
    client.get("/invented/by/anyone")
    client.open("/invented/by/anyone", method="BREW")
    assert [figure(client, name) - one for name, one in zip(names, before, strict=True)] == [2, 1, 1, 1, 3, 2]
    assert figure(client, 'captcha_model_step{model="small"}') == trained.outcome.step
    saved = datetime.fromisoformat(load_card(trained.config.model_save_dir).saved_at)
    assert figure(client, 'captcha_model_saved_timestamp_seconds{model="small"}') == saved.timestamp()


def test_each_request_is_one_line_of_json(client: FlaskClient, picture: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(logging.getLogger(ACCESS_LOG), "handlers", [])
    monkeypatch.setattr("sys.stderr", written)
    configure_logs()
    client.post("/b", **form(picture))
    client.get("/no%0Asuch")
    read, missing = map(json.loads, written.getvalue().splitlines())
    assert (read["path"], read["status"], read["pictures"], read["model"]) == ("/b", 200, 1, "small")
    assert (missing["status"], missing["path"]) == (404, "/no\nsuch")
    assert read["ms"] > 0


def test_token_is_asked_of_everyone_but_supervisors(model: ServedModel, picture: bytes) -> None:
    client = create_recognition_app(ModelRegistry([model]), token="sesame").test_client()
    for header in (None, "Bearer wrong", "Basic sesame", "sesame", "Bearer \u00e9"):
        refused = client.post("/b", headers={"Authorization": header} if header else {}, **form(picture))
        assert (refused.status_code, refused.json["error_code"]) == (401, "401")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert client.post("/b", headers={"Authorization": "Bearer sesame"}, **form(picture)).status_code == 200
    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/metrics", "/models")] == [
        200,
        200,
        401,
        401,
    ]


def test_page_of_another_site_sends_nothing_unless_it_is_named(model: ServedModel, picture: bytes) -> None:
    client = create_recognition_app(ModelRegistry([model]), origins=["https://labels.example"]).test_client()
    for site, origin, status in (
        ("cross-site", "https://evil.example", 403),
        ("cross-site", "https://labels.example", 200),
        ("same-origin", "http://127.0.0.1:6001", 200),
        (None, "http://evil.example", 403),  # over plain HTTP to another machine, browsers tell the origin alone
        (None, "null", 403),
        (None, "chrome-extension://abc", 200),
        (None, "https://labels.example", 200),
        (None, "http://localhost:6001", 200),
        (None, None, 200),
    ):
        told = {"Sec-Fetch-Site": site, "Origin": origin}
        headers = {name: value for name, value in told.items() if value}
        assert client.post("/b", headers=headers, **form(picture)).status_code == status
    assert client.get("/models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_pages_of_named_origins_alone_may_call(model: ServedModel, client: FlaskClient) -> None:
    page = "https://labels.example"
    assert "Access-Control-Allow-Origin" not in client.get("/models", headers={"Origin": page}).headers
    open_to_page = create_recognition_app(ModelRegistry([model]), origins=[page]).test_client()
    allowed = open_to_page.get("/models", headers={"Origin": page}).headers
    assert (allowed["Access-Control-Allow-Origin"], allowed["Vary"]) == (page, "Origin")
    other = open_to_page.get("/models", headers={"Origin": "https://evil.example"}).headers
    assert "Access-Control-Allow-Origin" not in other
    asked = open_to_page.options("/b", headers={"Origin": page, "Access-Control-Request-Method": "POST"})
    assert (asked.status_code, asked.headers["Access-Control-Allow-Methods"]) == (200, "GET, POST")


def test_body_limit_holds_for_every_form(model: ServedModel, picture: bytes) -> None:
    client = create_recognition_app(ModelRegistry([model]), body_limit=len(picture)).test_client()
    text = base64.b64encode(picture).decode()
    for request in (form(picture), {"json": {"image": text}}, {"data": picture + b"x", "content_type": "image/png"}):
        answer = client.post("/b", **request)
        assert (answer.status_code, answer.json["error_code"]) == (413, "413")
        assert f"at most {len(picture)} bytes (--body-limit)" in answer.json["message"]
    assert client.post("/b", data=picture, content_type="image/png").status_code == 200
