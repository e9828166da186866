"""Habits of the original suite: they work, or one sentence says what to write now."""

import json
import runpy
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import train_model
import verify_and_split_data
import webserver_captcha_image
import webserver_recognize_api
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError, ModelError, SampleError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.inference.model_card import load_card
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.lazy_app import LazyApp
from gen_image import gen_sample_by_captcha
from test_batch import TestBatch
from tests.helpers import fill, run_script, write_config
from train_model import TrainModel

pytestmark = pytest.mark.slow

CHECKPOINTS = {
    "prefix of a folder": ("checkpoint", ".meta", ".index", ".data-00000-of-00001"),
    "prefix of a name": ("model.ckpt-3000.meta", "model.ckpt-3000.index", "model.ckpt-3000.data-00000-of-00002"),
    "what is left of one": ("checkpoint",),
    "TensorFlow 2": ("ckpt-1.index", "ckpt-1.data-00000-of-00001"),
}
CAPTCHA_CONFIG_TEXT = (PROJECT_ROOT / "conf/captcha_config.json").read_text(encoding="utf-8")


def remove_keys(path: Path, *names: str) -> Path:
    keys = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({key: value for key, value in keys.items() if key not in names}), encoding="utf-8")
    return path


def test_older_config_takes_the_values_of_its_time_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = remove_keys(write_config(tmp_path), "train_batch_size", "test_batch_size")
    config = load_sample_config(path)
    assert (config.train_batch_size, config.test_batch_size) == (128, 100)
    run = run_script("verify_and_split_data.py", path, "--dry-run")
    assert run.returncode == 0
    assert run.stderr == (
        f"{path}: keys that older configs lack are missing; "
        'taken for them: "train_batch_size": 128, "test_batch_size": 100\n'
    )
    fill(tmp_path / "sample" / "origin", 3)
    written = tmp_path / "written.json"
    assert verify_and_split_data.main([str(path), "--write-config", str(written)]) == 0
    assert json.loads(written.read_text(encoding="utf-8"))["train_batch_size"] == 128
    caplog.clear()
    assert verify_and_split_data.main([str(written), "--dry-run"]) == 0
    assert caplog.text == ""


def test_config_of_the_first_versions_works(tmp_path: Path) -> None:
    path = write_config(tmp_path, char_set=["0", "1", "é"])
    config = load_sample_config(remove_keys(path, "new_image_dir", "train_batch_size", "test_batch_size"))
    assert str(config.alphabet) == "01é"
    assert config.new_image_dir == PROJECT_ROOT / "sample" / "new_train"


@pytest.mark.parametrize("key", ["max_captcha", "image_width", "char_set", "train_image_dir", "cycle_stop"])
def test_key_without_an_obvious_value_is_still_required(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=f"key '{key}': expected .*; the key is missing"):
        load_sample_config(remove_keys(write_config(tmp_path), key))


@pytest.mark.parametrize("script", [train_model, verify_and_split_data, webserver_recognize_api])
def test_captcha_config_is_one_sentence(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "captcha.json"
    path.write_text(CAPTCHA_CONFIG_TEXT, encoding="utf-8")
    assert script.main([str(path)]) == 2
    assert capsys.readouterr() == (
        "",
        f"{path}: expected a config of pictures to train on and read, such as conf/sample_config.json; "
        "got a config of captchas to draw, such as conf/captcha_config.json\n",
    )


def test_sample_config_for_the_generator_and_other_files_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(PROJECT_ROOT)
    assert gen_sample_by_captcha.main([str(SAMPLE_CONFIG)]) == 2
    assert capsys.readouterr().err == (
        "conf/sample_config.json: expected a config of captchas to draw, such as conf/captcha_config.json; "
        "got a config of pictures to train on and read, such as conf/sample_config.json\n"
    )
    many = tmp_path / "many.json"
    many.write_text(json.dumps({f"key{number}": number for number in range(20_000)}))
    for path in (PROJECT_ROOT / "model/general/model_card.json", SAMPLE_CONFIG.with_suffix(".schema.json"), many):
        with pytest.raises(ConfigError, match=r"; got a file with keys such as [\w, ]+$"):
            load_sample_config(path)


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_checkpoint_of_tensorflow_1_is_recognised(kind: str, tmp_path: Path) -> None:
    for name in CHECKPOINTS[kind]:
        (tmp_path / name).write_bytes(b"\n\x0e")
    for read in (load_card, Recognizer):
        with pytest.raises(ModelError) as caught:
            read(tmp_path)
        assert str(caught.value) == (
            f"{tmp_path}/: expected a trained model; got a checkpoint of the original suite "
            f"({min(CHECKPOINTS[kind])}), which can't be read; "
            "train_model.py trains on the pictures in train_image_dir anew, in minutes"
        )
    values = (60, 100, 4, "0123456789", str(tmp_path))
    with pytest.raises(ModelError, match="a checkpoint of the original suite"):
        Recognizer(*values)


def test_training_beside_an_older_checkpoint_says_that_it_begins_anew(
    short: SampleConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    short.model_save_dir.mkdir()
    (short.model_save_dir / "checkpoint").write_text('model_checkpoint_path: "model/"')
    TrainModel(short).train_cnn()
    said = capsys.readouterr().out
    assert (
        "holds a checkpoint of the original suite (checkpoint), which can't be read; the training begins anew" in said
    )
    assert load_card(short.model_save_dir).step == 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with training pictures; scalars of TensorBoard go into it too."""
    fill(tmp_path / "sample" / "train", 60)
    monkeypatch.setattr("cnnlib.original_calls.SAMPLE_CONFIG", write_config(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_training_and_batch_test_take_the_arguments_of_the_original(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(folder / "sample" / "test", 4, seed=3)
    trained = TrainModel("sample/train/", "sample/test/", "01", "model/", 20, 0.99, 500, "png", 16, 10, verify=False)
    assert trained.config.train_image_dir == folder / "sample" / "train"
    assert (trained.config.train_batch_size, trained.config.test_batch_size) == (16, 10)
    assert (trained.config.image_width, trained.config.image_height, trained.config.max_captcha) == (32, 16, 2)
    assert trained.train_cnn() == 0
    assert load_card(folder / "model").step == 20
    assert len(trained.recognize_captcha()) <= 2
    capsys.readouterr()
    figures = TestBatch("sample/test/", ["0", "1"], "model/", 100).test_batch()
    assert figures["samples"] == 4
    said = capsys.readouterr().out
    assert "is read once, whatever total says" in said
    assert "seconds to identify 4 samples, with an accuracy rate of" in said


TRAIN = ("sample/train", "sample/test", [0, 1], "model", 20, 0.99, 500, ".png")


@pytest.mark.usefixtures("folder")
def test_arguments_before_the_batch_sizes_came_and_by_name() -> None:
    names = ("train_img_path", "verify_img_path", "char_set", "model_save_dir", "cycle_stop", "acc_stop", "cycle_save")
    calls: list[Callable[[], TrainModel]] = [
        lambda: TrainModel(*TRAIN),
        lambda: TrainModel(*TRAIN, False),
        lambda: TrainModel(*TRAIN, verify=True),
        lambda: TrainModel(*TRAIN, 128, 100),
        lambda: TrainModel(**dict(zip((*names, "image_suffix"), TRAIN, strict=True)), train_batch_size=128),
    ]
    first, *others = [call().config.model_dump() for call in calls]
    assert (first["train_batch_size"], first["test_batch_size"], first["char_set"]) == (128, 100, "01")
    assert all(other == first for other in others)


@pytest.mark.parametrize(
    "arguments", [(), ("a", "b"), ("conf/sample_config.json",), (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)]
)
def test_other_arguments_are_a_sentence(arguments: tuple[object, ...]) -> None:
    for kind in (TrainModel, TestBatch):
        with pytest.raises(
            TypeError, match=r"expects a config, as in \w+\(load_sample_config\('conf/sample_config.json'"
        ):
            kind(*arguments)


@pytest.mark.usefixtures("folder")
def test_arguments_that_cannot_be_used_are_a_sentence() -> None:
    with pytest.raises(SampleError, match=r"none/: expected \.png pictures to train on; got none"):
        TrainModel("none", *TRAIN[1:])
    with pytest.raises(
        ConfigError, match="the call of TrainModel: key 'acc_stop': expected a number from 0 to 1; got 99"
    ):
        TrainModel(*TRAIN[:5], 99, *TRAIN[6:])
    with pytest.raises(ModelError, match="expected a trained model"):
        TestBatch("sample/train", "01", "model", 100)


def test_applications_are_found_by_name_as_uwsgi_does() -> None:
    for module in (webserver_recognize_api, webserver_captcha_image):
        assert callable(vars(module)["app"])
    answer = webserver_captcha_image.app.test_client().get("/captcha/")
    assert answer.data.startswith(b"\x89PNG")


def test_application_is_made_by_the_first_request_that_it_can_be(
    trained: SimpleNamespace, picture: Path, text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from werkzeug.test import Client

    path = tmp_path / "config.json"
    client = Client(LazyApp(lambda: webserver_recognize_api.create_app(path)))

    def ask() -> object:
        with picture.open("rb") as opened:
            return client.post("/b", data={"image_file": (opened, "x.png")})

    early = ask()
    assert (early.status_code, early.json["error_code"]) == (503, "503")
    assert "can't be read: No such file" in caplog.text
    assert str(tmp_path) not in early.text
    shutil.copy(trained.config_path, path)
    answer = ask()
    assert (answer.status_code, answer.json["value"]) == (200, text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tools/collect_labels.py", "gen_image/collect_labels.py"),
        ("gen_sample_by_captcha.py", "gen_image/gen_sample_by_captcha.py"),
    ],
)
def test_script_at_its_old_place_is_the_same(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for name in (old, new):
        monkeypatch.setattr(sys, "argv", [name, "--help"])
        with pytest.raises(SystemExit, match=r"^0$"):
            runpy.run_path(str(PROJECT_ROOT / name), run_name="__main__")
        shown.append(capsys.readouterr().out)
    assert shown[0].startswith("usage: ")
    assert shown[0] == shown[1]


def test_labels_are_collected_from_the_old_place(tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "origin", 20)
    run = run_script("tools/collect_labels.py", write_config(tmp_path))
    assert (run.returncode, run.stderr) == (0, "")
    assert json.loads((tmp_path / "labels.json").read_text()) == ["0", "1"]
