"""Checkpoints and weights that are broken, or made to do harm: each is a ModelError that says what to do."""

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.training.arrays import open_arrays
from cnnlib.training.resume import resume, start
from cnnlib.training.trainer import Trainer

Arrays = dict[str, np.ndarray]


class Harm:
    """What unpickling it would do is seen."""

    done = False

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return harm, ()


def harm() -> None:
    Harm.done = True


def archive_of(arrays: Arrays) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def with_member(content: bytes, name: str, member: bytes) -> bytes:
    """The archive with one member replaced by other bytes."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.namelist():
            new.writestr(one, member if one == name else old.read(one))
    return changed.getvalue()


def array_of(shape: str, kind: str = "<f4") -> bytes:
    """A .npy whose header speaks of another size than its few bytes have."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"1234"


def damages(content: bytes) -> dict[str, bytes]:
    with np.load(io.BytesIO(content)) as loaded:
        arrays = dict(loaded)
    first = next(iter(arrays))
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 0xFF
    objects = np.array([Harm()], dtype=object)
    pickled = io.BytesIO()
    np.savez(pickled, **{first: objects}, allow_pickle=True)
    return {
        "empty": b"",
        "text": b"no arrays",
        "cut": content[: len(content) // 2],
        "a byte changed": bytes(flipped),
        "one array alone": plain.getvalue(),
        "pickle": pickle.dumps(Harm()),
        "pickled objects": pickled.getvalue(),
        "texts": archive_of(arrays | {first: np.full(arrays[first].shape, "x")}),
        "a header that lies": with_member(content, f"{first}.npy", array_of("(1000000000000,)")),
        "a negative size": with_member(content, f"{first}.npy", array_of("(-4,)")),
        "a header that is none": with_member(content, f"{first}.npy", b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 60000),
        "no array inside": with_member(content, f"{first}.npy", b""),
    }


KINDS = [*damages(archive_of({"a": np.zeros(2, np.float32)}))]


PROGRESS = [
    ("step", np.array([1, 2])),
    ("step", np.array("one")),
    ("step", np.array(np.inf)),
    ("training_curve", np.array(1.0)),
    ("verification_curve", np.zeros((2, 5))),
    ("suspects", np.array("[" * 100_000)),
    ("suspects", np.array('[{"a": 1}]')),
    ("suspects", np.array("5")),
    ("suspects", np.zeros(3)),
]


def put(folder: Path, kind: str, content: bytes) -> None:
    """Replace a model's file and its hash on the card."""
    (folder / load_card(folder).files[kind].name).write_bytes(content)
    keys = json.loads((folder / CARD).read_text(encoding="utf-8"))
    keys["files"][kind]["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / CARD).write_text(json.dumps(keys), encoding="utf-8")


def file_of(folder: Path, kind: str) -> bytes:
    return (folder / load_card(folder).files[kind].name).read_bytes()


def read_all(content: bytes) -> list[np.ndarray]:
    with open_arrays(content, 10**6) as arrays:
        return [arrays[name].astype(np.float32) for name in arrays]


@pytest.mark.parametrize("damage", KINDS)
def test_every_damage_is_a_model_error_of_one_line(damage: str) -> None:
    content = damages(archive_of({"a": np.zeros(2, np.float32), "b": np.ones(3)}))[damage]
    with pytest.raises(ModelError) as caught:
        read_all(content)
    assert str(caught.value).isprintable()
    assert not Harm.done


def test_arrays_that_would_fill_the_memory_are_refused_before_they_are_read() -> None:
    content = archive_of({"a": np.zeros(10_000_000)})
    assert len(content) < 100_000
    with (
        pytest.raises(ModelError, match="expected arrays of at most 1000000 bytes; got 80000128"),
        open_arrays(content, 10**6),
    ):
        pass


def test_broken_checkpoint_is_told_with_the_way_out(finished: SampleConfig) -> None:
    folder, trainer = finished.model_save_dir, Trainer(finished)
    sound = file_of(folder, "checkpoint")
    for content in damages(sound).values():
        put(folder, "checkpoint", content)
        with pytest.raises(
            ModelError, match=r"its checkpoint: expected .*; name another model_save_dir, and start from"
        ):
            resume(trainer)
    with np.load(io.BytesIO(sound)) as loaded:
        arrays = dict(loaded)
    for name, value in PROGRESS:
        put(folder, "checkpoint", archive_of(arrays | {f"progress/{name}": value}))
        with pytest.raises(
            ModelError, match="its checkpoint: expected the arrays of a saved training; got a broken file"
        ):
            resume(trainer)
    put(folder, "checkpoint", archive_of(arrays | {"progress/training_curve": np.zeros((20_000_000, 2))}))
    with pytest.raises(ModelError, match=r"its checkpoint: expected arrays of at most \d+ bytes; got 3\d{8}"):
        resume(trainer)
    put(folder, "checkpoint", sound)
    assert resume(trainer)


def test_broken_weights_of_a_warm_start_are_told_with_the_way_out(finished: SampleConfig, tmp_path: Path) -> None:
    folder = finished.model_save_dir
    trainer = Trainer(finished.model_copy(update={"model_save_dir": tmp_path / "new"}))
    sound = file_of(folder, "weights")
    for content in damages(sound).values():
        put(folder, "weights", content)
        with pytest.raises(
            ModelError, match=r"its weights: expected .*; restore the file, or start from random weights"
        ):
            start(trainer, str(folder))
    with np.load(io.BytesIO(sound)) as loaded:
        arrays = {name: np.full_like(value, np.nan) for name, value in loaded.items()}
    put(folder, "weights", archive_of(arrays))
    with pytest.raises(ModelError, match=r"expected numbers; got infinite ones, or none \(NaN\)"):
        start(trainer, str(folder))
    put(folder, "weights", sound)
    assert "100% of the weights" in start(trainer, str(folder))
