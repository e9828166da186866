"""The shipped general model, how it is copied for shipping, and which trainings start from it."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

import train_model
from cnnlib.config import load_sample_config
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import has_file, load_card
from cnnlib.inference.recognizer import Recognizer
from tests.conftest import fill, run_script, write_config
from tools import ship_model

GENERAL = PROJECT_ROOT / "model" / "general"


def test_general_model_is_small_and_reads_plain_letters_of_any_size() -> None:
    assert sum(path.stat().st_size for path in GENERAL.iterdir() if path.name != ".lock") <= 6_000_000
    reader = Recognizer(GENERAL)
    predictions = {}
    for text, size in (("hk4R7", (190, 56)), ("B2me", (120, 60)), ("73915", (300, 80))):
        picture = Image.new("RGB", size, "white")
        ImageDraw.Draw(picture).text((size[0] // 8, size[1] // 6), text, "navy", ImageFont.load_default(size[1] * 0.55))
        predictions[text] = reader.recognize([picture])[0].text
    assert predictions == {text: text for text in predictions}


def test_general_config_is_that_of_the_shipped_model() -> None:
    Recognizer(
        GENERAL, requirements=train_model.requirements_of(load_sample_config(PROJECT_ROOT / "conf/general_config.json"))
    )
    keys = [json.loads((PROJECT_ROOT / f"conf/general{part}_config.json").read_text()) for part in ("", "_training")]
    assert {key for key in keys[1] if keys[0].get(key) != keys[1][key]} == {"model_save_dir", "log_dir"}


def test_shipped_model_reads_alike_and_is_not_trained_on(trained: SimpleNamespace, tmp_path: Path) -> None:
    source, target = trained.config.model_save_dir, tmp_path / "model"
    assert ship_model.main([str(source), str(target)]) == 0
    picture = list_entries(trained.config.test_image_dir)[0].read_bytes()
    assert Recognizer(target).recognize([picture]) == Recognizer(source).recognize([picture])
    assert {path.suffix for path in target.iterdir() if path.name != ".lock"} == {".json", ".npz", ".tflite"}
    card = load_card(target)
    assert set(card.files) == {"weights", card.reads}
    config = load_sample_config(write_config(tmp_path, acc_stop=1))
    fill(config.train_image_dir, 4)
    with pytest.raises(ModelError, match="expected a model with a checkpoint to continue its training"):
        train_model.TrainModel(config).train_cnn("none")
    assert ship_model.main([str(target), str(target)]) == 2


@pytest.mark.parametrize("kind", ["float32", "quantised"])
def test_shipped_model_reads_with_the_file_that_is_asked_for(
    trained: SimpleNamespace, tmp_path: Path, kind: str
) -> None:
    source, target = trained.config.model_save_dir, tmp_path / "model"
    assert ship_model.main([str(source), str(target), "--reads", kind]) == 0
    card = load_card(target)
    assert card.reads == kind
    assert set(card.files) == {"weights", kind}
    name = load_card(source).files[kind].name
    assert (target / card.files[kind].name).read_bytes() == (source / name).read_bytes()


def test_shipping_spares_a_model_that_can_be_trained_on(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "other"
    shutil.copytree(trained.config.model_save_dir, target)
    assert ship_model.main([str(GENERAL), str(target)]) == 2
    assert "a model that can be trained on is there; it stays" in capsys.readouterr().err
    assert has_file(target, "checkpoint")


def test_a_training_starts_from_the_general_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_sample_config(write_config(tmp_path))
    model = train_model.TrainModel(config)
    assert has_file(GENERAL, "weights")
    assert model.model_to_start_from("auto", resuming=False) == GENERAL
    assert model.model_to_start_from("auto", resuming=True) is None
    assert model.model_to_start_from("none", resuming=False) is None
    with pytest.raises(ModelError, match="expected a trained model"):
        model.model_to_start_from(str(tmp_path), resuming=False)
    classic = train_model.TrainModel(config.model_copy(update={"network": "classic"}))
    assert classic.model_to_start_from("auto", resuming=False) is None
    monkeypatch.setattr(train_model, "GENERAL_MODEL", tmp_path / "missing")
    assert model.model_to_start_from("auto", resuming=False) is None


def test_many_looks_are_drawn_by_the_script(tmp_path: Path) -> None:
    look = {"image_suffix": "png", "characters": "ab", "count": 6, "char_count": 4, "least_char_count": 2}
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps(look | {"width": 80, "height": 40, "root_dir": str(tmp_path / "origin")}))
    script = ("gen_image/gen_sample_of_many_looks.py", "--config", path, "--seed", "5", "--fonts")
    run = run_script(*script, *DEFAULT_FONTS)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(list_entries(tmp_path / "origin")) == 6
    wrong = run_script(*script, "missing.ttf")
    assert wrong.returncode == 2
    assert "missing.ttf: expected a TrueType or OpenType font; there is no such file" in wrong.stderr
