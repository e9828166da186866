import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from cnnlib.core.errors import ModelError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.evaluation.calibration import tempered
from cnnlib.inference import model_card
from cnnlib.inference.compatibility import Requirements, check_resumable
from cnnlib.inference.model_card import CARD, held, load_card, load_model
from tests.model_cards import card_of, save_bytes


def test_saved_model_is_read_back(tmp_path: Path) -> None:
    saved = save_bytes(tmp_path)
    loaded, content = load_model(tmp_path, "float32")
    assert (loaded, content) == (saved, b"model")
    assert load_card(tmp_path).alphabet.characters == ("0", "1")


def test_next_save_replaces_the_files_of_the_one_before_and_nothing_else(tmp_path: Path) -> None:
    save_bytes(tmp_path, 1)
    (tmp_path / "checkpoint-mine.npz").write_bytes(b"mine")
    (tmp_path / "weights-backup").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    second = save_bytes(tmp_path, 2, b"other")
    names = {file.name for file in second.files.values()}
    mine = {"notes.txt", "checkpoint-mine.npz", "weights-backup"}
    assert {path.name for path in tmp_path.iterdir()} == names | mine | {CARD}
    assert load_model(tmp_path, "checkpoint")[1] == b"other weights"


def test_save_on_a_full_disk_leaves_the_older_model_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bytes(tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    sync, synced = os.fsync, []

    def room_for_one(number: int) -> None:
        if synced:
            raise OSError(errno.ENOSPC, "No space left on device")
        synced.append(number)
        sync(number)

    monkeypatch.setattr(os, "fsync", room_for_one)
    with pytest.raises(OSError, match="No space left"):
        save_bytes(tmp_path, 2, b"other")
    assert synced
    assert {path.name for path in tmp_path.iterdir()} == before
    assert load_model(tmp_path, "float32")[1] == b"model"


def test_files_of_a_killed_save_are_deleted_by_the_next_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bytes(tmp_path)
    leftovers = [tmp_path / "checkpoint-2-01234567.npz", tmp_path / ".float32-2-01234567.tflite.part"]
    for path in leftovers:
        path.touch()
    write = model_card.write_atomically

    def after_clearing(path: Path, content: bytes) -> None:
        assert not any(leftover.exists() for leftover in leftovers)
        write(path, content)

    monkeypatch.setattr(model_card, "write_atomically", after_clearing)
    save_bytes(tmp_path, 3)


def test_folder_without_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no model_card.json; train one with train_model.py"):
        load_card(tmp_path)
    assert not check_resumable(tmp_path, Requirements("config"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [("", "Expecting value"), ("{", "Expecting property"), ("[]", "valid dictionary"), ('{"network": 1}', "network: ")],
)
def test_broken_card_is_refused_with_its_fault_in_one_line(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / CARD).write_text(text)
    with pytest.raises(ModelError, match=rf"expected a model card; got a broken one \(.*{fault}") as caught:
        load_card(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("wrong", [0, -1, 5e-324, 1e300, float("nan"), float("inf"), "hot", None])
def test_temperature_that_confidences_cannot_have_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError, match="temperature"):
        card_of(temperature=wrong)
    with np.errstate(all="raise"):
        assert tempered(np.array([0.0, 1.0]), card_of(temperature=0.1).temperature) == pytest.approx([0, 1])


def test_card_with_a_doubled_character_is_broken(tmp_path: Path) -> None:
    save_bytes(tmp_path)
    keys = json.loads((tmp_path / CARD).read_text())
    keys["characters"] = ["0", "0"]
    (tmp_path / CARD).write_text(json.dumps(keys))
    with pytest.raises(ModelError, match="got a broken one"):
        load_card(tmp_path)


def test_changed_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / save_bytes(tmp_path).files["float32"].name
    path.write_bytes(b"model half")
    with pytest.raises(ModelError, match="expected the SHA-256 in the model card; got another one"):
        load_model(tmp_path, "float32")
    path.unlink()
    with pytest.raises(ModelError, match="a file of the model can't be read"):
        load_model(tmp_path, "float32")


SAVER = """
import sys
from pathlib import Path
from tests.model_cards import card_of, save_bytes
step = 0
while True:
    step += 1
    save_bytes(Path(sys.argv[1]), step, b"%d" % step * 50000)
    print(step, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_reader_beside_a_killed_writer_always_finds_a_whole_model(tmp_path: Path) -> None:
    for delay in (0.0, 0.003, 0.011, 0.02, 0.05):
        writer = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path)], cwd=PROJECT_ROOT, stdout=subprocess.PIPE
        )
        assert writer.stdout
        writer.stdout.readline()
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline:
            load_model(tmp_path, "float32")
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        saved, content = load_model(tmp_path, "float32")
        assert content == b"%d" % saved.step * 50000
    save_bytes(tmp_path, 1)
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".part")]


def test_each_kind_of_unusable_model_has_its_own_sentence_and_way_out(tmp_path: Path) -> None:
    saved = save_bytes(tmp_path)
    remedy = "restore the file from a copy, or train anew: name another model_save_dir, or delete this folder"
    keys = json.loads((tmp_path / CARD).read_text())
    (tmp_path / saved.files["float32"].name).write_bytes(b"model half")
    with pytest.raises(ModelError, match=f"got another one, so the file is damaged; {remedy}"):
        load_model(tmp_path, "float32")
    (tmp_path / saved.files["checkpoint"].name).unlink()
    with pytest.raises(ModelError, match=f"a file of the model can't be read: No such file or directory; {remedy}"):
        load_model(tmp_path, "checkpoint")
    (tmp_path / CARD).write_text(json.dumps(keys | {"format": 2, "network": 1}))
    with pytest.raises(ModelError, match=r"expected a model of format 1; got one of format 2, .* newer .* update"):
        load_card(tmp_path)
    (tmp_path / CARD).write_text("{")
    with pytest.raises(ModelError, match=rf"got a broken one \(.*\); {remedy}"):
        load_card(tmp_path)


def test_card_that_may_not_be_read_is_no_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_bytes(tmp_path)

    def denied(path: str, *_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(model_card, "_open_without_waiting", denied)
    with pytest.raises(ModelError, match="can't be read: Permission denied; give the user that runs this the right"):
        load_card(tmp_path)


@pytest.mark.parametrize("lost", [True, False], ids=["a link to nothing", "a file"])
def test_what_is_in_the_place_of_a_model_folder_is_named(tmp_path: Path, lost: bool) -> None:
    place = tmp_path / "model"
    place.symlink_to("disk") if lost else place.write_text("no folder")
    got = "a link to nothing: disk; is its disk mounted?" if lost else "a file"
    message = "model/?: " + re.escape(f"expected a folder; got {got}")
    with pytest.raises(ModelError, match=f"{message}; a model is a folder with {CARD} in it"):
        load_card(place)
    for use in (save_bytes, lambda folder: held(folder).__enter__()):
        with pytest.raises(NotADirectoryError, match=re.escape(f"expected a folder; got {got}")):
            use(place)
