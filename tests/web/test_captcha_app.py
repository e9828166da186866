import io
from urllib.parse import unquote

import pytest
from PIL import Image

import webserver_captcha_image
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.web.captcha_app import create_captcha_app
from tests.helpers import captcha_config

LOOK = captcha_config(image_suffix="jpg", characters="0天")


def test_source_draws_a_fresh_png_each_time() -> None:
    client = create_captcha_app(LOOK).test_client()
    first, second = client.get("/captcha/"), client.get("/captcha/")
    assert first.mimetype == "image/png"
    assert Image.open(io.BytesIO(first.data)).size == (100, 60)
    assert first.data != second.data
    assert first.headers["Cache-Control"] == "no-store"


def test_source_draws_in_the_fonts_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    client = create_captcha_app(LOOK, fonts=("no.ttf",)).test_client()
    assert client.get("/captcha/").status_code == 500
    assert webserver_captcha_image.main(["--fonts", "no.ttf"]) == 2
    assert "no.ttf" in capsys.readouterr().err


def test_label_is_sent_only_with_its_flag() -> None:
    assert LABEL_HEADER not in create_captcha_app(LOOK).test_client().get("/captcha/").headers
    label = create_captcha_app(LOOK, with_label=True).test_client().get("/captcha/").headers[LABEL_HEADER]
    assert set(unquote(label)) <= set("0天")
