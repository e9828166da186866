import json
import re
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import tensorflow as tf

import train_model
from cnnlib.codec.images import Shape, open_picture
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import CARD, KINDS, load_card
from cnnlib.inference.recognizer import Recognizer
from cnnlib.training.export import choose


@pytest.fixture
def copied(trained: SimpleNamespace, tmp_path: Path) -> Path:
    """A config over a copy of the trained model that lacks the quantised file, as an interrupted training leaves it."""
    shutil.copytree(trained.config.model_save_dir, tmp_path / "model")
    card = json.loads((tmp_path / "model/model_card.json").read_text())
    card["files"].pop("quantised")
    (tmp_path / "model/model_card.json").write_text(json.dumps(card | {"reads": "float32"}))
    path = tmp_path / "config.json"
    keys = json.loads(trained.config_path.read_text())
    path.write_text(json.dumps(keys | {"model_save_dir": str(tmp_path / "model")}))
    return path


@pytest.mark.slow
def test_checkpoint_is_exported_again(
    copied: Path, trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = copied.parent / "model"
    pictures = [path.read_bytes() for path in list_entries(trained.config.test_image_dir)]
    before = [prediction.text for prediction in Recognizer(folder).recognize(pictures)]
    assert train_model.main(["--config", str(copied), "--export-only"]) == 0
    card = load_card(folder)
    assert set(card.files) == set(KINDS)
    assert card.exported_picture_accuracy["float32"] == pytest.approx(card.verification_picture_accuracy)
    assert card.reads == choose(card.exported_picture_accuracy)
    assert f"pictures are read with {card.reads}" in capsys.readouterr().out
    after = [prediction.text for prediction in Recognizer(folder).recognize(pictures)]
    assert sum(map(str.__eq__, before, after)) >= len(before) - 1, "quantised, one may be at the brink"
    (folder / CARD).write_text(json.dumps(card.model_dump() | {"reads": "float32"}))
    assert [prediction.text for prediction in Recognizer(folder).recognize(pictures)] == before


@pytest.mark.slow
def test_other_formats_read_as_the_recognizer_does(copied: Path, trained: SimpleNamespace) -> None:
    serving, onnx = copied.parent / "serving", copied.parent / "new/model.onnx"
    options = ["--export-only", "--saved-model", str(serving), "--onnx", str(onnx)]
    assert train_model.main(["--config", str(copied), *options]) == 0
    (version,) = serving.iterdir()
    card = load_card(copied.parent / "model")
    assert version.name == str(card.step)
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    data = [path.read_bytes() for path in list_entries(trained.config.test_image_dir)][:8]
    pictures = np.stack([open_picture(each, Shape(16, 32)) for each in data])
    expected = [prediction.text for prediction in Recognizer(copied.parent / "model").recognize(data)]
    for answers in (
        serve(pictures=tf.constant(pictures))["probabilities"].numpy(),
        onnxruntime.InferenceSession(onnx).run(["probabilities"], {"pictures": pictures})[0],
    ):
        assert [card.alphabet.decode(each, card.decoding, card.lengths).text for each in answers] == expected


def test_missing_checkpoint_is_status_two(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(copied.parent / "model")
    assert train_model.main(["--config", str(copied), "--export-only"]) == 2
    assert "expected a model with a checkpoint; train one first" in capsys.readouterr().err
    assert not (copied.parent / "model").exists()
    with pytest.raises(SystemExit):
        train_model.main(["--config", str(copied), "--saved-model", "elsewhere"])


@pytest.mark.usefixtures("finished")
def test_missing_packages_of_onnx_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    options = ["--export-only", "--onnx", str(tmp_path / "x.onnx")]
    assert train_model.main(["--config", str(tmp_path / "sample_config.json"), *options]) == 2
    assert "requirements-onnx.txt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--export-only", "--mix", "1.5"], "expected a number above 0, up to 1; got 1.5"),
        (["--export-only", "--mix", "0"], "expected a number above 0, up to 1; got 0"),
        (["--export-only", "--mix", "nan"], "expected a number above 0, up to 1; got nan"),
        (["--export-only", "--mix", "half"], "expected a number above 0, up to 1; got half"),
        (["--mix", "0.5"], "--saved-model, --onnx and --mix need --export-only"),
    ],
)
def test_mix_that_can_not_be_is_refused(capsys: pytest.CaptureFixture[str], options: list[str], fault: str) -> None:
    with pytest.raises(SystemExit) as ended:
        train_model.main(options)
    assert ended.value.code == 2
    assert fault in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "target", "fault"),
    [
        ("--onnx", "config.json", r"config.json: expected the name of an ONNX file, \*.onnx; got another one"),
        ("--onnx", ".", "expected the name of an ONNX file"),
        ("--onnx", "folder.onnx", "expected the name of an ONNX file; got a folder"),
        ("--onnx", "config.json/a.onnx", "config.json: expected a folder; got a file"),
        ("--saved-model", "config.json", "config.json: expected a folder; got a file"),
        ("--saved-model", "lost", "lost: expected a folder; got a link to nothing: disk"),
        ("--mix", "0.01", "--mix: expected a share from 0.05 to 1; got 0.01"),
    ],
)
def test_exports_that_can_not_be_written_are_refused_before_the_work(
    copied: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    target: str,
    fault: str,
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.Trainer", lambda *_: pytest.fail("work was done"))
    (copied.parent / "folder.onnx").mkdir()
    (copied.parent / "lost").symlink_to("disk")
    before = {path: path.read_bytes() for path in copied.parent.rglob("*") if path.is_file()}
    value = target if option == "--mix" else str(copied.parent / target)
    assert train_model.main(["--config", str(copied), "--export-only", option, value]) == 2
    assert re.search(fault, capsys.readouterr().err)
    assert {path: path.read_bytes() for path in copied.parent.rglob("*") if path.is_file()} == before


def test_missing_package_for_onnx_is_told_before_the_work(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.Trainer", lambda *_: pytest.fail("work was done"))
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    onnx = ["--onnx", str(copied.parent / "new/a.onnx")]
    assert train_model.main(["--config", str(copied), "--export-only", *onnx]) == 2
    assert "ONNX needs the packages of requirements-onnx.txt" in capsys.readouterr().err
    assert not (copied.parent / "new").exists()
