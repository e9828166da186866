"""How the model of a request is chosen, and how models are replaced while they are served."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.web.model_registry import ServedModel, load_configs, load_models
from tests.helpers import eventually
from tests.web.clients import client_of, form, loaded


@pytest.fixture
def replaceable(api_config: SampleConfig, tmp_path: Path) -> ServedModel:
    """A model over a copy of the trained one, which a test may replace."""
    shutil.copytree(api_config.model_save_dir, tmp_path / "model")
    return loaded("small", api_config.model_copy(update={"model_save_dir": tmp_path / "model"}))


def test_model_is_chosen_by_path_field_and_size(
    client_of_two: FlaskClient, picture_bytes: bytes, text: str, other_size: SimpleNamespace
) -> None:
    client, large, small = client_of_two, other_size.picture, picture_bytes
    assert client.post("/b", **form(small, large)).json[1]["value"] == other_size.text
    assert client.post("/b/large", **form(large)).json["value"] == other_size.text
    assert client.post("/b", **form(large, model="large")).json["value"] == other_size.text
    assert client.post("/b/small", **form(small)).json["value"] == text
    wrong = client.post("/b/small", **form(large))
    assert (wrong.status_code, wrong.json["error_code"]) == (422, "1003")
    other = client.post("/b/small", **form(small, model="large")).json
    assert (other["error_code"], other["message"]) == (
        "1005",
        "expected no model, or small, as the address says; got large",
    )
    assert client.post("/b/small", **form(small, model="small")).json["value"] == text
    unknown = client.post("/b/tiny", **form(small))
    assert (unknown.status_code, unknown.json["error_code"]) == (404, "1004")
    assert unknown.json["message"] == "expected a model of small, large; got tiny"


def test_models_are_listed_with_what_they_read(client_of_two: FlaskClient, api_config: SampleConfig) -> None:
    small, large = client_of_two.get("/models").json
    assert (small["name"], small["path"], large["name"]) == ("small", "/b/small", "large")
    assert (small["characters"], small["width"], small["height"], small["resize"]) == ("01", 32, 16, False)
    assert (small["min_length"], small["max_length"], small["network"]) == (2, 2, "columns")
    assert small["picture_accuracy"] == load_card(api_config.model_save_dir).verification_picture_accuracy


def test_characters_that_a_config_leaves_out_are_not_listed(tmp_path: Path) -> None:
    path = tmp_path / "digits.json"
    keys = json.loads((PROJECT_ROOT / "conf" / "general_config.json").read_text(encoding="utf-8"))
    path.write_text(json.dumps(keys | {"char_set": "0123456789", "api_image_dir": str(tmp_path / "api")}))
    (model,) = load_models(load_configs([path])).by_name.values()
    assert model.describe()["characters"] == "0123456789"


def test_retrained_model_is_loaded_and_a_broken_one_is_not(
    replaceable: ServedModel, picture_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(replaceable)
    path = replaceable.config.model_save_dir / CARD
    card = json.loads(path.read_text())
    statuses = set()

    def answered_until(holds: Callable[[], bool]) -> bool:
        def post_and_check() -> bool:
            statuses.add(client.post("/b", **form(picture_bytes)).status_code)
            return holds()

        return eventually(post_and_check)

    path.write_text(json.dumps(card | {"step": 7777}))
    assert answered_until(lambda: client.get("/models").json[0]["step"] == 7777)
    path.write_text('{"format": 1, "half": ')
    assert answered_until(lambda: "the new model can't be loaded" in caplog.text)
    path.unlink()
    assert client.post("/b", **form(picture_bytes)).status_code == 200
    path.write_text(json.dumps(card | {"step": 8888}))
    assert answered_until(lambda: client.get("/models").json[0]["step"] == 8888)
    assert statuses == {200}


def test_model_whose_card_comes_before_its_files_is_loaded_when_they_arrive(
    replaceable: ServedModel, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    client = client_of(replaceable)
    folder = replaceable.config.model_save_dir
    card = json.loads((folder / CARD).read_text())
    for file in card["files"].values():
        (folder / file["name"]).rename(tmp_path / file["name"])
    (folder / CARD).write_text(json.dumps(card | {"step": 7777}))
    assert eventually(lambda: client.get("/readyz").json["status"] == "ready" and "can't be loaded: " in caplog.text)
    for file in card["files"].values():
        (tmp_path / file["name"]).rename(folder / file["name"])
    assert eventually(lambda: client.get("/models").json[0]["step"] == 7777)


def test_missing_model_does_not_keep_the_others_from_answering(
    model: ServedModel, other_size: SimpleNamespace, picture_bytes: bytes
) -> None:
    lost = ServedModel(
        "lost", model.config.model_copy(update={"model_save_dir": model.config.model_save_dir / "nowhere"})
    )
    client = client_of(lost, loaded("large", other_size.config.model_copy(update={"api_save": False})))
    assert client.post("/b", **form(other_size.picture)).json["value"] == other_size.text
    assert client.post("/b/lost", **form(picture_bytes)).status_code == 503
    assert [(entry["name"], entry["ready"]) for entry in client.get("/models").json] == [
        ("lost", False),
        ("large", True),
    ]


def test_model_that_cannot_be_loaded_is_503_until_it_can(
    replaceable: ServedModel, picture_bytes: bytes, tmp_path: Path
) -> None:
    config, away = replaceable.config, tmp_path / "away"
    config.model_save_dir.rename(away)
    client = client_of(ServedModel("small", config))
    answer = client.post("/b", **form(picture_bytes))
    assert (answer.status_code, answer.json["error_code"]) == (503, "1006")
    away.rename(config.model_save_dir)
    assert eventually(lambda: client.post("/b", **form(picture_bytes)).status_code == 200)


def test_configs_of_one_name_are_refused(trained: SimpleNamespace, tmp_path: Path) -> None:
    same = tmp_path / trained.config_path.name
    shutil.copy(trained.config_path, same)
    with pytest.raises(ConfigError, match="expected files of different names; got two named sample_config"):
        load_configs([trained.config_path, same])
    assert [*load_models(load_configs([trained.config_path])).by_name] == ["sample_config"]
