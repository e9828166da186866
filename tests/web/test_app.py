import io
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
import requests
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.serving import make_server

import webserver_captcha_image
from cnnlib.codec.filenames import label_of
from cnnlib.config import CaptchaConfig, SampleConfig
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.core.errors import ServiceError
from cnnlib.web.app import create_recognition_app
from cnnlib.web.captcha_app import create_captcha_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from cnnlib.web.received_pictures import PRUNE_INTERVAL, ReceivedPictures, prune
from cnnlib.web.server import serve
from tests.conftest import draw, free_port, running


@pytest.fixture
def config(trained: SimpleNamespace, tmp_path: Path) -> SampleConfig:
    return trained.config.model_copy(update={"api_image_dir": tmp_path / "api"})


@pytest.fixture
def client(config: SampleConfig) -> FlaskClient:
    return client_of(config)


def client_of(*configs: SampleConfig) -> FlaskClient:
    """A client of the API with the models of some configs, called a, b and so on."""
    models = [ServedModel(name, config) for name, config in zip("abc", configs, strict=False)]
    for model in models:
        model.load()
    return create_recognition_app(ModelRegistry(models)).test_client()


def upload(data: bytes, name: str = "captcha.png") -> dict[str, object]:
    return {"data": {"image_file": (io.BytesIO(data), name)}, "content_type": "multipart/form-data"}


def test_picture_is_read_and_kept_under_its_reading(
    client: FlaskClient, config: SampleConfig, picture: Path, text: str
) -> None:
    answer = client.post("/b", **upload(picture.read_bytes()))
    assert answer.status_code == 200
    assert answer.json.keys() == {"time", "value", "speed_time(ms)", "confidence", "character_confidences"}
    assert answer.json["value"] == text
    assert float(answer.json["time"]) > 1.5e9
    assert isinstance(answer.json["time"], str)
    assert 0 < answer.json["speed_time(ms)"] < 60_000
    assert 0 < answer.json["confidence"] <= 1
    (kept,) = config.api_image_dir.iterdir()
    assert kept.read_bytes() == picture.read_bytes()
    assert (label_of(kept.name), kept.suffix) == (answer.json["value"], ".png")


def test_literal_client_of_the_original_works(config: SampleConfig, picture: Path, text: str) -> None:
    with running(client_of(config).application) as address, picture.open("rb") as opened:
        files = {"image_file": ("captcha.jpg", opened, "application")}
        r = requests.post(url=f"{address}/b", files=files, timeout=30)
    assert r.json()["value"] == text


def test_without_picture_the_code_is_the_originals(client: FlaskClient) -> None:
    for request in ({}, upload(b""), {"data": {"other": "x"}}, {"json": {}}, {"content_type": "image/png"}):
        answer = client.post("/b", **request)
        assert answer.status_code == 400
        assert answer.json["error_code"] == "1001"
        assert "image_file" in answer.json["message"]


def test_bad_pictures_are_client_errors_in_json(
    client: FlaskClient, config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    whole = picture.read_bytes()
    other = draw("01", tmp_path / "01_1.png", size=(40, 16)).read_bytes()
    for data, status, code in ((b"text", 400, "1002"), (whole[:-40], 400, "1002"), (other, 422, "1003")):
        answer = client.post("/b", **upload(data))
        assert (answer.status_code, answer.json["error_code"]) == (status, code)
    assert "expected 32x16 pixels; got 40x16" in answer.json["message"]
    assert not config.api_image_dir.exists()


def test_folder_that_cannot_be_written_costs_the_copy_not_the_answer(
    config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    config = config.model_copy(update={"api_image_dir": blocked})
    assert client_of(config).post("/b", **upload(picture.read_bytes())).status_code == 200


def test_kept_pictures_are_so_many_and_the_oldest_go_first(config: SampleConfig) -> None:
    received = ReceivedPictures(config.api_image_dir, "png", 100)
    for number in range(7):
        received.save(bytes([number]), "01")
    foreign = config.api_image_dir / "notes_1.txt"
    foreign.write_text("not ours")
    prune(config.api_image_dir, 3)
    foreign.unlink()
    kept = sorted(config.api_image_dir.iterdir(), key=lambda path: path.stem)
    assert [path.read_bytes() for path in kept] == [bytes([number]) for number in (4, 5, 6)]


def test_limit_is_held_while_pictures_come(config: SampleConfig) -> None:
    received = ServedModel("a", config.model_copy(update={"api_save_limit": 5})).received
    for _ in range(PRUNE_INTERVAL + 1):
        received.save(b"x", "01")
    end = time.monotonic() + 30
    while (left := len([*config.api_image_dir.iterdir()])) > 5 and time.monotonic() < end:
        time.sleep(0.01)
    assert left == 5


def test_pictures_are_not_kept_where_the_config_says_so(config: SampleConfig) -> None:
    ServedModel("a", config.model_copy(update={"api_save": False})).received.save(b"x", "01")
    assert not config.api_image_dir.exists()


@pytest.fixture
def look() -> CaptchaConfig:
    keys = {"root_dir": "unused", "image_suffix": "jpg", "characters": "0天", "count": 1}
    return CaptchaConfig.model_validate(keys | {"char_count": 4, "width": 100, "height": 60})


def test_source_draws_a_fresh_png_each_time(look: CaptchaConfig) -> None:
    client = create_captcha_app(look).test_client()
    first, second = client.get("/captcha/"), client.get("/captcha/")
    assert first.mimetype == "image/png"
    assert Image.open(io.BytesIO(first.data)).size == (100, 60)
    assert first.data != second.data
    assert first.headers["Cache-Control"] == "no-store"


def test_source_draws_in_the_fonts_that_are_named(look: CaptchaConfig, capsys: pytest.CaptureFixture[str]) -> None:
    client = create_captcha_app(look, fonts=("no.ttf",)).test_client()
    assert client.get("/captcha/").status_code == 500, "it is asked for"
    assert webserver_captcha_image.main(["--fonts", "no.ttf"]) == 2
    assert "no.ttf" in capsys.readouterr().err


def test_label_is_told_under_the_flag_alone(look: CaptchaConfig) -> None:
    assert LABEL_HEADER not in create_captcha_app(look).test_client().get("/captcha/").headers
    told = create_captcha_app(look, with_label=True).test_client().get("/captcha/").headers[LABEL_HEADER]
    assert set(unquote(told)) <= set("0天")


@pytest.fixture
def taken_port() -> Iterator[int]:
    port = free_port()
    server = make_server("127.0.0.1", port, lambda *_: [])
    yield port
    server.server_close()


def test_port_that_is_taken_is_one_line(look: CaptchaConfig, taken_port: int) -> None:
    message = (
        f"http://127.0.0.1:{taken_port}: can't listen there \\(.*\\); .* uses the port; choose another --port or --host"
    )
    with pytest.raises(ServiceError, match=message):
        serve(partial(create_captcha_app, look), "127.0.0.1", taken_port, "/captcha/")
