from pathlib import Path
from types import SimpleNamespace

import pytest

import webserver_recognize_api
from cnnlib.core.errors import CaptchaError


def test_wsgi_servers_load_the_application(trained: SimpleNamespace, picture: Path, text: str) -> None:
    client = webserver_recognize_api.create_app(trained.config_path).test_client()
    with picture.open("rb") as opened:
        answer = client.post("/b", data={"image_file": (opened, "x.png")})
    assert answer.json["value"] == text
    with pytest.raises(CaptchaError):
        webserver_recognize_api.create_app(picture.parent / "missing.json")
