"""Labelled pictures of real generators, a tar each: the default recipe, nothing set by hand."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path

from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.data.folders import list_entries
from cnnlib.data.samples import inspect, judge
from tests.benchmarks.runs import WORK, Config, Run, call, shipped_config, write_config

LABELS = (200, 500, 1000)  # of trainings on few
HELD_BACK = 400  # pictures that are reported on


def sets_in(zoo: Path) -> list[str]:
    """Names of the sets in a folder of tars."""
    return sorted(path.stem for path in zoo.glob("*.tar"))


def pictures_of(zoo: Path, name: str) -> list[Path]:
    """The unpacked pictures of a set, in an order drawn by a hash of their names; the first are held back."""
    folder = WORK / "zoo" / name
    if not folder.exists():
        part = folder.with_name(f"{name}.part")
        with tarfile.open(zoo / f"{name}.tar") as archive:
            archive.extractall(part, filter="data")
        (part / name).rename(folder)
        part.rmdir()
    return sorted(folder.iterdir(), key=lambda path: hashlib.sha256(path.name.encode()).digest())


def run_of(
    zoo: Path, name: str, labels: int | None = None, options: tuple[str, ...] = (), unlabelled: int | None = None
) -> Run:
    """The training on all but the held back pictures of a set, or on `labels` of them, `unlabelled` others beside."""

    def prepare(folder: Path) -> Config:
        path, proposed = folder / "base.json", folder / "proposed.json"
        config = shipped_config(folder)
        write_config(path, config)
        if not proposed.exists():
            pictures = pictures_of(zoo, name)
            copy(pictures[HELD_BACK:][:labels], Path(config["origin_image_dir"]))
            call(
                "verify_and_split_data.py",
                "--config",
                str(path),
                "--write-config",
                str(proposed),
                log=folder / "propose.log",
            )
        config = json.loads(proposed.read_text(encoding="utf-8"))
        training, test = Path(config["train_image_dir"]), Path(config["test_image_dir"])
        done = folder / "split"
        if not done.exists():
            call("verify_and_split_data.py", "--config", str(proposed), log=folder / "split.log")
            copy(list_entries(test), training)  # the script's own test pictures: others are held back here
            done.touch()
        shutil.rmtree(test, ignore_errors=True)
        checked = load_sample_config(proposed)
        held_back = pictures_of(zoo, name)[:HELD_BACK]  # after the proposal: never seen by it
        copy([path for path in held_back if testable(path, checked)], test)
        if unlabelled is None:
            return config
        others, first = folder / "unlabelled", HELD_BACK + (labels or 0)
        copy_unnamed(pictures_of(zoo, name)[first : first + unlabelled], others)
        return config | {"unlabelled_image_dir": str(others)}

    kind = "zoo" if labels is None else "labels" if unlabelled is None else "unlabelled"
    parts = (kind, name, *([] if labels is None else [str(labels)]))
    return Run(
        "-".join([*parts, *(one.strip("-/").replace("/", "-") for one in options)]),
        prepare,
        options=options,
        about={"set": name, "labels": labels, "options": list(options), "unlabelled": unlabelled or 0},
    )


def testable(path: Path, config: SampleConfig) -> bool:
    """Whether a picture can be read; a label that the training could not know is a mistake like others."""
    found, size = judge(inspect(path), config), (config.image_width, config.image_height)
    return found.label is not None and found.size is not None and (config.resize or found.size == size)


def copy_unnamed(pictures: list[Path], folder: Path) -> None:
    """Copy pictures under names that say nothing of their labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(pictures):
        shutil.copy2(path, folder / f"picture{number:05}{path.suffix}")


def copy(pictures: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in pictures:
        shutil.copy2(path, folder / path.name)
