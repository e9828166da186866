"""Parts of the library that write, as processes: `python -m tests.fault_drivers NAME FOLDER`.

They are what a long training and a server do at one moment, without their start.
"""

import logging
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from cnnlib.cli import DONE, script
from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.images import Shape, open_picture, read_picture
from cnnlib.core.files import replace_folder, restore_folder
from cnnlib.core.progress import progress_bar
from cnnlib.data import packed
from cnnlib.data.sources import list_source
from cnnlib.inference.model_card import held, load_card, load_model, save_model
from cnnlib.labelling.filing import Copies, Renames
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.session import Label, Labelling
from cnnlib.labelling.suspects import suspects_in
from cnnlib.web.received_pictures import ReceivedPictures

FIRST_SERIAL = 1_700_000_000_000_000_000
KEPT = 3  # received pictures
SMALL = "small"  # the name that the network of the tests has in a training


@contextmanager
def replaced(module: ModuleType, name: str, value: object) -> Iterator[None]:
    """A value of a module in the block: a test calls the parts in its own process too."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


def save(folder: Path) -> None:
    """Save the model in `newer/` into `model/`, as a training does."""
    card = load_card(folder / "newer")
    contents = {
        kind: (Path(file.name).suffix, load_model(folder / "newer", kind)[1]) for kind, file in card.files.items()
    }
    with held(folder / "model"):
        save_model(folder / "model", card, contents)


def export(folder: Path) -> None:
    """Swap in the SavedModel `newer*/` as `export/1/`, as an export does."""
    restore_folder(folder / "export" / "1")
    part = folder / "export" / ".unfinished-1"
    shutil.rmtree(part, ignore_errors=True)  # left by a killed run
    part.mkdir()
    try:
        next(folder.glob("newer*")).rename(part / "model")
        replace_folder(part / "model", folder / "export" / "1")
    finally:
        shutil.rmtree(part, ignore_errors=True)


def train(folder: Path) -> None:
    """Train with the config in the folder. The training's clock stands still, so that names are the same again.

    So do the times of the pictures, from which names of the cache follow.
    """
    import train_model
    from cnnlib.network.names import NETWORKS
    from cnnlib.training import dataset, loop

    NETWORKS[SMALL] = "tests.small_network:Small"
    dataset.fingerprint = lambda name, size_bytes, *_: packed.fingerprint(name, size_bytes, 0)
    clock: Any = SimpleNamespace(perf_counter=float)
    loop.time = clock
    sys.exit(train_model.main([str(folder / "sample_config.json"), "--warm-start", "none"]))


def receive(folder: Path) -> None:
    """Keep the pictures of `requests/` as received ones. The clock is ours, so that names are the same again."""
    logging.basicConfig(level=logging.WARNING)
    serials = [int(path.stem.rpartition("_")[2]) for path in (folder / "received").glob("*.png")]
    ticks = count(max(FIRST_SERIAL, *(serial + 1 for serial in serials)))
    with replaced(time, "time_ns", lambda: next(ticks)):
        pictures = ReceivedPictures(folder / "received", "png", KEPT)
        for path in sorted((folder / "requests").iterdir()):
            pictures.save(path.read_bytes(), "01")
        pictures._pruning.shutdown()


def pack_pictures(folder: Path) -> None:
    """Keep the pictures of `train/` decoded in `cache/`, as a training does at its beginning, in parts of a few."""
    with replaced(packed, "PART_BYTES", 2000):
        pack_folder(folder)


def pack_folder(folder: Path) -> np.ndarray:
    """The pixels of the pictures of `train/`, by way of `cache/`."""
    paths, shape = sorted((folder / "train").iterdir()), Shape(16, 32, 1)
    fingerprints = np.array([packed.fingerprint(path.name, path.stat().st_size, 0) for path in paths], np.uint64)

    def read(number: int) -> np.ndarray:
        return open_picture(read_picture(paths[number]), shape)

    pictures, reasons = packed.pack(folder / "cache", fingerprints, shape, read, progress_bar)
    assert not reasons
    return pictures[:]


def label_pictures(folder: Path) -> None:
    """Label the pictures of `pictures/` that are left. The first label is taken back and given again."""
    files = list_source(folder / "pictures").entries
    reader: Any = FixedReader()
    labelling = Labelling(files, Journal(folder / "labels.jsonl"), Copies(folder / "origin", []), reader)
    begins = labelling.journal.last is None
    while question := labelling.next_question("tab"):
        labelling.label(question.number, Label("10" if begins else "01"))
        if begins:
            labelling.undo("tab")
        begins = False


def look_again(folder: Path) -> None:
    """A second look at the pictures of `train/` that a table names: each gets a new label, and one is set aside."""
    journal, renames = Journal(folder / "labels.jsonl"), Renames(folder, folder / "aside")
    files, reader = suspects_in(folder / "suspects.csv", [folder / "train"], renames, journal), FixedReader()
    any_reader: Any = reader
    labelling = Labelling(files, journal, renames, any_reader, at_random=False)
    while question := labelling.next_question("tab"):
        if question.number:
            labelling.label(question.number, Label(f"{question.label}1"))
        else:
            labelling.set_aside(question.number, 1.0, "tab")


class FixedReader:
    """Reads the same on every picture, without a model."""

    characters, lengths, version = "01", (1, 2), "fixed"
    trained = False

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, *_: object) -> Prediction:
        return Prediction("00", 0.5, (0.5, 0.5))


DRIVERS = {
    "save": save,
    "train": train,
    "export": export,
    "receive": receive,
    "pack": pack_pictures,
    "label": label_pictures,
    "look-again": look_again,
}


@script
def main(argv: Sequence[str] | None = None) -> int:
    name, folder = argv or sys.argv[1:]
    DRIVERS[name](Path(folder))
    return DONE


if __name__ == "__main__":
    sys.exit(main())
