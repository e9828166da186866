"""A model folder that others wrote: what its card lies about is a ModelError, and no file elsewhere is read."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cnnlib.core.errors import ModelError
from cnnlib.inference.litert import LiteRT
from cnnlib.inference.model_card import CARD, load_card, load_model
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.model_registry import ServedModel
from tests.helpers import eventually

Change = Callable[[dict[str, Any]], Any]


def of_file(**changes: Any) -> Change:
    return lambda keys: keys["files"]["float32"].update(changes)


LIES: dict[str, Change] = {
    "lengths turned round": lambda keys: keys.update(min_captcha=251, max_captcha=2),
    "length of nothing": lambda keys: keys.update(max_captcha=0),
    "endless length": lambda keys: keys.update(max_captcha=10**6),
    "negative length": lambda keys: keys.update(min_captcha=-1),
    "more length than rows": lambda keys: keys.update(max_captcha=60),
    "huge picture": lambda keys: keys.update(image_width=10**9),
    "tiny picture": lambda keys: keys.update(image_height=1),
    "picture turned round": lambda keys: keys.update(image_height=32, image_width=16),
    "other channels": lambda keys: keys.update(channels=3),
    "other number of classes": lambda keys: keys.update(characters=["0", "1", "2"]),
    "character of two": lambda keys: keys.update(characters=["0", "10"]),
    "surrogate": lambda keys: keys.update(characters=["0", "\ud800"]),
    "control character": lambda keys: keys.update(characters=["0", "\u001b"]),
    "no characters": lambda keys: keys.update(characters=[]),
    "NaN": lambda keys: keys.update(verification_picture_accuracy=float("nan")),
    "accuracy of 250": lambda keys: keys.update(verification_picture_accuracy=250),
    "step beyond numbers": lambda keys: keys.update(step=10**400),
    "time before time": lambda keys: keys.update(saved_at="0001-01-01T00:00:00"),
    "network that clears the screen": lambda keys: keys.update(network="\u001b[2J"),
    "unknown decoding": lambda keys: keys.update(decoding="rows"),
    "unknown format": lambda keys: keys.update(format=2),
    "nested name": of_file(name="sub/file.tflite"),
    "nested name of Windows": of_file(name="sub\\file.tflite"),
    "name of the folder above": of_file(name="../file.tflite"),
    "name of the folder": of_file(name="."),
    "absolute name": of_file(name="/etc/passwd"),
    "drive": of_file(name="C:file.tflite"),
    "NUL": of_file(name="file\0.tflite"),
    "empty name": of_file(name=""),
    "name that is too long": of_file(name="x" * 5000),
    "hash that is none": of_file(sha256="../"),
    "unknown kind of file": lambda keys: keys["files"].update(other=keys["files"]["float32"]),
    "files in a list": lambda keys: keys.update(files=[]),
    "one file as two": lambda keys: keys["files"].update(weights=keys["files"]["float32"]),
}


@pytest.fixture
def folder(trained: SimpleNamespace, tmp_path: Path) -> Path:
    """A copy of a model that reads with its float32 file."""
    copy = tmp_path / "model"
    shutil.copytree(trained.config.model_save_dir, copy)
    change(copy, lambda keys: keys.update(reads="float32"))
    return copy


def change(folder: Path, lie: Change) -> None:
    keys = json.loads((folder / CARD).read_text(encoding="utf-8"))
    lie(keys)
    replace(folder / CARD, json.dumps(keys).encode())


def replace(path: Path, content: bytes) -> None:
    part = path.with_name("part")
    part.write_bytes(content)
    part.replace(path)


def name_of(folder: Path) -> str:
    return load_card(folder).files["float32"].name


@pytest.mark.parametrize("lie", LIES)
def test_lie_of_a_card_is_a_model_error_in_one_line(folder: Path, lie: str) -> None:
    change(folder, LIES[lie])
    with pytest.raises(ModelError) as caught:
        Recognizer(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"step":' + b"1" * 10_000 + b"}",
        b"\xff",
        b"null",
        b'"',
        b" " * (2**22 + 1),
    ],
)
def test_card_that_is_no_card_is_a_model_error(folder: Path, text: bytes) -> None:
    (folder / CARD).write_bytes(text)
    with pytest.raises(ModelError):
        Recognizer(folder)


@pytest.mark.skipif(os.name != "posix", reason="makes pipes and links")
@pytest.mark.parametrize("of_card", [False, True])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link out", "link to a device", "link to itself", "huge"])
def test_name_of_something_else_than_a_file_is_refused_without_waiting(
    folder: Path, tmp_path: Path, kind: str, of_card: bool
) -> None:
    path = folder / (CARD if of_card else name_of(folder))
    outside = tmp_path / "outside"
    path.rename(outside)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        try:
            os.mknod(path, 0o20666, os.makedev(1, 5))  # /dev/zero
            path.open("rb").close()
        except OSError as error:
            pytest.skip(f"no device can be made here: {error}")
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(2**33)
    else:
        path.symlink_to({"link out": outside, "link to a device": "/dev/zero", "link to itself": path.name}[kind])
    with pytest.raises(ModelError):
        Recognizer(folder)


@pytest.mark.skipif(os.name != "posix", reason="makes links")
def test_links_inside_the_folder_and_to_it_are_followed(folder: Path, tmp_path: Path) -> None:
    path = folder / name_of(folder)
    (folder / "..data").mkdir()  # as Kubernetes mounts files
    path.rename(folder / "..data" / path.name)
    path.symlink_to(Path("..data") / path.name)
    (tmp_path / "current").symlink_to(folder)
    assert Recognizer(tmp_path / "current").characters == "01"


def test_model_that_is_none_is_a_model_error_though_its_hash_is_right(folder: Path) -> None:
    path = folder / name_of(folder)
    whole = path.read_bytes()
    for content in (b"", b"TFL3" * 1000, whole[:1000], whole[:-1000], whole[:5000] + b"\xff" * 500 + whole[5500:]):
        path.write_bytes(content)
        change(folder, of_file(sha256=hashlib.sha256(content).hexdigest()))
        with pytest.raises(ModelError):
            Recognizer(folder)


@pytest.mark.parametrize("answer", [np.nan, 7.0, -1.0])
def test_model_whose_answer_is_none_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch, answer: float) -> None:
    monkeypatch.setattr(LiteRT, "probabilities", lambda self, _: np.full((self.rows, self.classes), answer))
    with pytest.raises(ModelError, match="expected probabilities that add up to 1 in each row"):
        Recognizer(folder)


def test_served_model_stays_when_the_new_one_lies_and_each_lie_is_logged_once(
    folder: Path, trained: SimpleNamespace, picture: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    served = ServedModel("small", trained.config.model_copy(update={"model_save_dir": folder, "api_save": False}))
    served.load()
    sound = (folder / CARD).read_bytes()
    for number, lie in enumerate(("lengths turned round", "name of the folder above", "other number of classes"), 1):
        replace(folder / CARD, sound)
        change(folder, LIES[lie])
        for _ in range(3):  # it is tried again each second
            tried, served._next_check = served._next_check, 0.0
            assert served.recognizer.recognize(picture).text == text
            assert eventually(lambda before=tried: served._next_check > before and not served._loading.locked())
        assert len([one for one in caplog.records if "the new model can't be loaded" in one.message]) == number
    replace(folder / CARD, sound)
    change(folder, lambda keys: keys.update(step=12345))
    served._next_check = 0.0
    assert eventually(lambda: served.recognizer.card.step == 12345)
    assert served.recognizer.recognize(picture).text == text


def test_fault_of_another_kind_leaves_the_model_in_use(
    folder: Path, trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    served = ServedModel("small", trained.config.model_copy(update={"model_save_dir": folder, "api_save": False}))
    served.load()
    before = served.recognizer

    def fail(*_: object) -> None:
        raise MemoryError("no memory")

    monkeypatch.setattr(LiteRT, "probabilities", fail)
    change(folder, lambda keys: keys.update(step=12345))
    for _ in range(2):
        served._next_check = 0.0
        assert served.recognizer is before
        time.sleep(0.1)
        assert eventually(lambda: not served._loading.locked())
    assert [one.message for one in caplog.records] == ["small: the new model can't be loaded: no memory"]


def test_card_without_lies_is_read(folder: Path) -> None:
    assert load_model(folder, "float32")[0] == load_card(folder)
