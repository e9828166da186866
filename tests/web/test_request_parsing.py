"""The forms that a recognition request can have, and how its model is chosen and replaced."""

import base64
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel, load_configs, load_models
from tests.conftest import eventually


@pytest.fixture
def config(trained: SimpleNamespace, tmp_path: Path) -> SampleConfig:
    """Over a copy of the trained model, which a test may replace."""
    shutil.copytree(trained.config.model_save_dir, tmp_path / "model")
    return trained.config.model_copy(update={"api_image_dir": tmp_path / "api", "model_save_dir": tmp_path / "model"})


@pytest.fixture
def model(config: SampleConfig) -> ServedModel:
    model = ServedModel("small", config)
    model.load()
    return model


@pytest.fixture
def client(model: ServedModel, other_size: SimpleNamespace) -> FlaskClient:
    """Two models: `small`, the first, of 32x16, and `large` of 40x20 pictures."""
    large = ServedModel("large", other_size.config.model_copy(update={"api_image_dir": model.config.api_image_dir}))
    large.load()
    return create_recognition_app(ModelRegistry([model, large])).test_client()


@pytest.fixture
def pictures(trained: SimpleNamespace) -> list[bytes]:
    return [path.read_bytes() for path in list_entries(trained.config.test_image_dir)[:3]]


@pytest.fixture
def texts(trained: SimpleNamespace, pictures: list[bytes]) -> list[str]:
    return [prediction.text for prediction in Recognizer(trained.config.model_save_dir).recognize(pictures)]


def form(*pictures: bytes, **options: Any) -> dict[str, Any]:
    files = [(io.BytesIO(data), "captcha.png") for data in pictures]
    return {"data": {"image_file": files, **options}, "content_type": "multipart/form-data"}


def test_raw_body_json_and_data_url_are_read_as_the_form_is(
    client: FlaskClient, pictures: list[bytes], texts: list[str]
) -> None:
    text = base64.b64encode(pictures[0]).decode()
    for request in (
        form(pictures[0]),
        {"data": pictures[0], "content_type": "image/png"},
        {"json": {"image": text}},
        {"json": {"image": base64.encodebytes(pictures[0]).decode()}},
        {"json": {"image": f"data:image/png;base64,{text}"}},
        {"json": {"image": f"DATA:image/png;BASE64,{text}"}},
        form(pictures[0], notes="x" * 600_000),
    ):
        answer = client.post("/b", **request)
        assert answer.status_code == 200
        assert answer.json["value"] == texts[0]
        assert len(answer.json["character_confidences"]) == len(texts[0])


def test_several_pictures_are_answered_in_their_order(
    client: FlaskClient, pictures: list[bytes], texts: list[str], config: SampleConfig
) -> None:
    encoded = [base64.b64encode(one).decode() for one in pictures]
    for request in (form(*pictures), {"json": {"image": encoded}}):
        assert [one["value"] for one in client.post("/b", **request).json] == texts
    assert [one["value"] for one in client.post("/b", json={"image": encoded[:1]}).json] == texts[:1]
    assert len([*config.api_image_dir.iterdir()]) == 7


def test_one_bad_picture_refuses_all_by_its_number_and_keeps_none(
    client: FlaskClient, pictures: list[bytes], config: SampleConfig
) -> None:
    answer = client.post("/b", **form(pictures[0], b"no picture", pictures[1]))
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert answer.json["message"].startswith("picture 2: ")
    assert not config.api_image_dir.exists()


def test_doubtful_reading_is_a_candidate(client: FlaskClient, pictures: list[bytes], texts: list[str]) -> None:
    for request in (
        form(pictures[0], min_confidence="1"),
        {"data": pictures[0], "content_type": "image/png", "query_string": {"min_confidence": 1}},
        {"json": {"image": base64.b64encode(pictures[0]).decode(), "min_confidence": 1}},
    ):
        answer = client.post("/b", **request).json
        assert (answer["value"], answer["candidate"]) == (None, texts[0])
    sure = client.post("/b", **form(pictures[0], min_confidence="0")).json
    assert (sure["value"], "candidate" in sure) == (texts[0], False)


def test_model_is_chosen_by_path_field_and_size(
    client: FlaskClient, pictures: list[bytes], texts: list[str], other_size: SimpleNamespace
) -> None:
    large, small = other_size.picture, pictures[0]
    assert client.post("/b", **form(small, large)).json[1]["value"] == other_size.text
    assert client.post("/b/large", **form(large)).json["value"] == other_size.text
    assert client.post("/b", **form(large, model="large")).json["value"] == other_size.text
    assert client.post("/b/small", **form(small)).json["value"] == texts[0]
    wrong = client.post("/b/small", **form(large))
    assert (wrong.status_code, wrong.json["error_code"]) == (422, "1003")
    unknown = client.post("/b/tiny", **form(small))
    assert (unknown.status_code, unknown.json["error_code"]) == (404, "1004")
    assert unknown.json["message"] == "expected a model of small, large; got tiny"


def test_models_are_listed_with_what_they_read(client: FlaskClient, config: SampleConfig) -> None:
    small, large = client.get("/models").json
    assert (small["name"], small["path"], large["name"]) == ("small", "/b/small", "large")
    assert (small["characters"], small["width"], small["height"], small["resize"]) == ("01", 32, 16, False)
    assert (small["min_length"], small["max_length"], small["network"]) == (2, 2, "columns")
    assert small["picture_accuracy"] == load_card(config.model_save_dir).verification_picture_accuracy


def test_characters_that_a_config_leaves_out_are_not_listed(config: SampleConfig, tmp_path: Path) -> None:
    path = tmp_path / "digits.json"
    keys = json.loads((PROJECT_ROOT / "conf" / "general_config.json").read_text(encoding="utf-8"))
    path.write_text(json.dumps(keys | {"char_set": "0123456789", "api_image_dir": str(config.api_image_dir)}))
    (model,) = load_models(load_configs([path])).by_name.values()
    assert model.describe()["characters"] == "0123456789"


@pytest.mark.parametrize(
    ("request_", "status", "code", "told"),
    [
        ({"data": "x", "content_type": "text/plain"}, 415, "415", "; got text/plain"),
        ({"data": "{", "content_type": "application/json"}, 400, "400", "expected JSON in UTF-8;"),
        ({"data": b'{"image": "\xff"}', "content_type": "application/json"}, 400, "400", "expected JSON in UTF-8;"),
        ({"data": "[" * 100_000, "content_type": "application/json"}, 400, "400", "nested too deep"),
        ({"json": ["image"]}, 400, "400", "expected a JSON object such as"),
        ({"json": {"image": 5}}, 400, "1002", "base64 text, a data URL or a list of them"),
        ({"json": {"image": "no base64!"}}, 400, "1002", "expected base64: "),
        ({"json": {"image": "data:image/png,raw"}}, 400, "1002", "data:image/png;base64,..."),
        ({"json": {"image": []}}, 400, "1001", "in JSON or as the body"),
        ({"json": {"image": ["eA==", ""]}}, 400, "1001", "; picture 2 is empty"),
        ({"data": {"image_file": "a text, no file"}}, 400, "1001", "; got a text; a file needs a filename"),
        (
            {"data": b"x", "content_type": "application/x-www-form-urlencoded"},
            400,
            "1001",
            "; a picture as the body needs Content-Type",
        ),
        (form(b"x", min_confidence="much"), 400, "1005", "a number from 0 to 1"),
        (form(b"x", min_confidence="nan"), 400, "1005", "a number from 0 to 1"),
        ({"json": {"image": "eA==", "min_confidence": True}}, 400, "1005", "a number from 0 to 1"),
        ({"json": {"image": "eA==", "min_confidence": 10**400}}, 400, "1005", "a number from 0 to 1"),
        ({"json": {"image": ["eA=="] * 101}}, 413, "413", "at most 100 pictures; got 101"),
        ({"json": {"image": "eA==", "model": 5}}, 400, "1005", "expected model to be a name"),
    ],
)
def test_bad_requests_are_told_what_was_expected(
    client: FlaskClient, request_: dict[str, Any], status: int, code: str, told: str
) -> None:
    answer = client.post("/b", **request_)
    assert (answer.status_code, answer.json["error_code"]) == (status, code)
    assert told in answer.json["message"]


def test_retrained_model_is_taken_up_and_a_broken_one_is_not(
    client: FlaskClient, model: ServedModel, pictures: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = model.config.model_save_dir / CARD
    card = json.loads(path.read_text())
    statuses = set()

    def reading_until(holds: Callable[[], bool]) -> bool:
        def read_and_look() -> bool:
            statuses.add(client.post("/b", **form(pictures[0])).status_code)
            return holds()

        return eventually(read_and_look)

    path.write_text(json.dumps(card | {"step": 7777}))
    assert reading_until(lambda: client.get("/models").json[0]["step"] == 7777)
    path.write_text('{"format": 1, "half": ')
    assert reading_until(lambda: "the new model can't be loaded" in caplog.text)
    path.unlink()
    assert client.post("/b", **form(pictures[0])).status_code == 200
    path.write_text(json.dumps(card | {"step": 8888}))
    assert reading_until(lambda: client.get("/models").json[0]["step"] == 8888)
    assert statuses == {200}


def test_model_whose_card_comes_before_its_files_is_taken_when_they_are_there(
    client: FlaskClient, model: ServedModel, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folder = model.config.model_save_dir
    card = json.loads((folder / CARD).read_text())
    for file in card["files"].values():
        (folder / file["name"]).rename(tmp_path / file["name"])
    (folder / CARD).write_text(json.dumps(card | {"step": 7777}))
    assert eventually(lambda: client.get("/readyz").json["status"] == "ready" and "can't be loaded: " in caplog.text)
    for file in card["files"].values():
        (tmp_path / file["name"]).rename(folder / file["name"])
    assert eventually(lambda: client.get("/models").json[0]["step"] == 7777)


def test_lost_model_does_not_take_the_others_down(
    client: FlaskClient, model: ServedModel, other_size: SimpleNamespace, pictures: list[bytes]
) -> None:
    lost = ServedModel(
        "lost", model.config.model_copy(update={"model_save_dir": model.config.model_save_dir / "nowhere"})
    )
    large = ServedModel("large", other_size.config.model_copy(update={"api_save": False}))
    large.load()
    client = create_recognition_app(ModelRegistry([lost, large])).test_client()
    assert client.post("/b", **form(other_size.picture)).json["value"] == other_size.text
    assert client.post("/b/lost", **form(pictures[0])).status_code == 503
    assert [(one["name"], one["ready"]) for one in client.get("/models").json] == [("lost", False), ("large", True)]


def test_model_that_cannot_be_loaded_is_503_until_it_can(
    config: SampleConfig, pictures: list[bytes], tmp_path: Path
) -> None:
    away = tmp_path / "away"
    config.model_save_dir.rename(away)
    client = create_recognition_app(ModelRegistry([ServedModel("small", config)])).test_client()
    answer = client.post("/b", **form(pictures[0]))
    assert (answer.status_code, answer.json["error_code"]) == (503, "1006")
    away.rename(config.model_save_dir)
    assert eventually(lambda: client.post("/b", **form(pictures[0])).status_code == 200)


def test_configs_of_one_name_are_refused(trained: SimpleNamespace, tmp_path: Path) -> None:
    same = tmp_path / trained.config_path.name
    shutil.copy(trained.config_path, same)
    with pytest.raises(ConfigError, match="expected files of different names; got two named sample_config"):
        load_configs([trained.config_path, same])
    assert [*load_models(load_configs([trained.config_path])).by_name] == ["sample_config"]
