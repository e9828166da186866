"""What each part of the suite writes, and what has to hold when that fails or is killed at any point."""

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from cnnlib.codec.filenames import label_of
from cnnlib.core.errors import ModelError
from cnnlib.core.files import is_temporary
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import CARD, KINDS, has_file, load_card, load_model
from cnnlib.labelling.journal import Journal
from tests.fault_drivers import SMALL, pack_folder
from tests.fault_injection import FAULTS, KILL, Ended, Point, missing, points, run, run_at, script
from tests.helpers import draw, fill, start_script, write_config

Files = dict[str, bytes]  # by their path below a folder
Run = Callable[[Sequence[str]], Ended]
SEED = 7
LABELLED = 3  # pictures of a labelling
DRAWN = 3  # pictures of a run of the generator
ENDED = (0, 2)  # exit statuses of a script that met a fault which was not a kill


class BrokenError(AssertionError):
    """Something that has to hold does not."""


class UnavailableError(Exception):
    """This system lacks something that a case needs."""


@dataclass
class Case:
    """One thing that is written.

    `fill` puts what is there before into the folder and the elsewhere (another device, or the same folder). `command`
    writes. `holds` and `finished` raise AssertionError: at any time, and after the next run. `clean` is what a run
    without faults leaves. `run` is how runs without a fault are made: as processes, or by `run_here`.
    """

    folder: Path
    fill: Callable[["Case"], None]
    command: list[str]
    holds: Callable[["Case"], None]
    finished: Callable[["Case"], None]
    elsewhere: Path | None = None
    warns: tuple[str, ...] = ("[Warning]",)  # what is said of a file that the run goes on without
    before: Files = field(default_factory=dict)
    clean: Files = field(default_factory=dict)
    run: Run = run

    @property
    def folders(self) -> list[Path]:
        return [self.folder, *([self.elsewhere] if self.elsewhere else [])]

    def reset(self) -> None:
        """Put everything as it was before."""
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        self.fill(self)
        self.before = files_in(self.folders)

    def rehearse(self) -> None:
        """Learn what a run without faults leaves."""
        self.reset()
        ended = self.run(self.command)
        check(ended.status == 0, f"status {ended.status} without a fault: {ended.err}")
        self.clean = files_in(self.folders)
        self.finished(self)

    def try_point(self, point: Point, fault: str, log: Path) -> None:
        """Raise AssertionError when a fault at a point leaves what it must not, or says what it should not."""
        self.reset()
        ended = run_at(self.command, point, fault, log)
        check(ended.met, "the point was not met")
        self.holds(self)
        if fault != KILL:
            self.check_said(ended, fault)
        again = self.run(self.command)
        check(again.status == 0, f"the next run ends with status {again.status}: {again.err.strip()}")
        self.holds(self)
        self.finished(self)

    def check_said(self, ended: Ended, fault: str) -> None:
        """Check exit status and message of a run in which an operation failed."""
        said = ended.out + ended.err
        check("Traceback" not in said, f"a traceback: {ended.err.strip()[-300:]}")
        check(ended.status in ENDED, f"status {ended.status}: {ended.err.strip()[-300:]}")
        warned = any(words in said for words in self.warns)
        if ended.status == 0 and not warned:
            self.finished(self)
            return
        message = ended.err if ended.status else said
        check(any(str(folder) in message for folder in self.folders), f"names no file: {message.strip()[-300:]}")
        if fault == "ENOSPC" and ended.status:
            check("free some space" in message, f"names no way out: {message.strip()[-300:]}")


def check(holds: object, text: str) -> None:
    if not holds:
        raise BrokenError(text)


def files_in(folders: list[Path]) -> Files:
    """The files below the folders that are not being written, without those that only lock."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.name != ".lock" and not is_temporary(path):
                found[str(path)] = path.read_bytes()
    return found


def below(files: Files, *parts: str) -> Files:
    """The files whose path has one of these folders in it."""
    return {path: data for path, data in files.items() if any(f"/{part}/" in path for part in parts)}


# Folders of pictures.


def samples(files: Files, shown: Callable[[str], str] = str) -> Counter[tuple[str, bytes]]:
    """Names, or what is `shown` of them, and bytes of all pictures of the sets."""
    sets = below(files, "origin", "second", "new_train", "train", "test")
    return Counter((shown(Path(path).name), data) for path, data in sets.items())


def none_lost(case: Case, shown: Callable[[str], str] = str) -> None:
    """Each picture is there, whole, and no more often than the case allows."""
    now, before, clean = (samples(files, shown) for files in (files_in(case.folders), case.before, case.clean))
    check(not clean - now, f"lost: {[name for name, _ in clean - now]}")
    check(set(now) <= set(before), f"torn or strange: {[name for name, _ in set(now) - set(before)]}")
    if not case.elsewhere:
        check(not now - before, f"doubled: {[name for name, _ in now - before]}")


def all_moved(case: Case) -> None:
    """The sets are as large as after a run without faults, and hold all pictures."""
    now, clean = files_in(case.folders), case.clean
    check(samples(now) == samples(clean), "pictures are missing, or there twice")
    for part in ("origin", "second", "train", "test"):
        found, expected = len(below(now, part)), len(below(clean, part))
        check(found == expected, f"{found} pictures in {part}; expected {expected}")


def generating(folder: Path) -> Case:
    origin = folder / "origin"
    keys = {"root_dir": str(origin), "image_suffix": "png", "characters": "01", "count": DRAWN, "char_count": 4}
    drawn: Files = {}

    def fill_in(case: Case) -> None:
        (folder / "captcha_config.json").write_text(json.dumps(keys | {"width": 100, "height": 60}), encoding="utf-8")
        if not drawn:
            case.run(case.command)
            case.run(case.command)
            drawn.update(files_in([origin]))
            shutil.rmtree(origin)

    def holds(_case: Case) -> None:
        now = files_in([origin])
        check(now.items() <= drawn.items(), f"torn or strange: {sorted(dict(now.items() - drawn.items()))}")

    def finished(_case: Case) -> None:
        names = [*files_in([origin])]
        first = sorted(drawn, key=lambda path: path.rpartition("-")[2])[:DRAWN]
        check({*first} <= {*names}, "the first pictures are missing")

    command = script("gen_image/gen_sample_by_captcha.py", folder / "captcha_config.json", "--seed", SEED)
    return Case(folder, fill_in, command, holds, finished)


def splitting(folder: Path, elsewhere: Path | None = None) -> Case:
    def fill_in(_case: Case) -> None:
        keys = {key: str(elsewhere / key[:-10]) for key in ("train_image_dir", "test_image_dir")} if elsewhere else {}
        write_config(folder, **keys)
        origin = folder / "sample" / "origin"
        paths = fill(origin, 3)
        shutil.copy(paths[0], origin / f"{paths[0].stem}9.png")  # a duplicate, which is removed
        draw("01", origin / "01_99.png", size=(20, 20))  # of another size, which stays

    command = script("verify_and_split_data.py", folder / "sample_config.json")
    return Case(folder, fill_in, command, none_lost, all_moved, elsewhere)


def splitting_looks(folder: Path, elsewhere: Path | None = None) -> Case:
    """Two folders that share a name, so that its second picture is renamed."""

    def fill_in(_case: Case) -> None:
        keys = {key: str(elsewhere / key[:-10]) for key in ("train_image_dir", "test_image_dir")} if elsewhere else {}
        looks = [folder / name for name in ("origin", "second")]
        write_config(folder, origin_image_dir=[*map(str, looks)], **keys)
        for seed, look in enumerate(looks):
            draw("01", look / "01_1.png", seed=seed)
            draw("10", look / f"10_{seed}.png", seed=seed)

    command = script("verify_and_split_data.py", folder / "sample_config.json")
    return Case(folder, fill_in, command, lambda case: none_lost(case, label_of), all_moved, elsewhere)


def importing(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        write_config(folder)
        fill(folder / "downloads", 3)

    def holds(case: Case) -> None:
        now, given = files_in([folder]), below(case.before, "downloads")
        check(below(now, "downloads") == given, "the source has changed")
        copies = below(now, "origin")
        check(copies.items() <= below(case.clean, "origin").items(), "a copy is torn or strange")

    def finished(case: Case) -> None:
        check(below(files_in([folder]), "origin") == below(case.clean, "origin"), "copies are missing")

    command = script("verify_and_split_data.py", folder / "sample_config.json", "--import", folder / "downloads")
    return Case(folder, fill_in, command, holds, finished)


def receiving(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        fill(folder / "requests", 3, seed=3)
        for number, path in enumerate(fill(folder / "received", 4)):
            path.rename(path.with_name(f"01_{10**18 + number}.png"))

    def holds(case: Case) -> None:
        given = Counter(below(case.before, "received", "requests").values())
        torn = Counter(below(files_in([folder]), "received").values()) - given - given
        check(not torn, "a received picture is torn")

    def finished(case: Case) -> None:
        kept = Counter(below(files_in([folder]), "received").values())
        check(not Counter(below(case.before, "requests").values()) - kept, "a picture was not kept")
        check(len(list_entries(folder / "received")) >= 3, "too few are kept")

    case = Case(folder, fill_in, driver("receive", folder), holds, finished)
    case.warns = ("can't be saved", "can't be deleted")
    return case


def packing(folder: Path) -> Case:
    def fill_in(case: Case) -> None:
        paths = fill(folder / "train", 12)
        for path in paths[8:]:
            path.rename(folder / path.name)
        case.run(case.command)  # an older cache, without four of the pictures
        for path in paths[8:]:
            (folder / path.name).rename(path)

    def holds(case: Case) -> None:
        check(below(files_in([folder]), "train") == below(case.before, "train"), "a picture has changed")

    def finished(case: Case) -> None:
        now = below(files_in([folder]), "cache")  # an older part may stay until the next run
        check(below(case.clean, "cache").items() <= now.items(), "the cache is another one")
        pixels = [np.asarray(Image.open(path).convert("L")) for path in sorted((folder / "train").iterdir())]
        check((pack_folder(folder)[..., 0] == np.stack(pixels)).all(), "the cache has other pixels")

    return Case(folder, fill_in, driver("pack", folder), holds, finished)


# Single files.


def old_or_new(case: Case, name: str) -> None:
    """A file is whole: as before, or as after a run without faults."""
    path = str(case.folder / name)
    now = files_in(case.folders).get(path)
    check(now in (case.before.get(path), case.clean.get(path)), f"{name} is torn")


def as_clean(case: Case, *names: str) -> None:
    now = files_in(case.folders)
    for path in (str(case.folder / name) for name in names):
        check(now.get(path) == case.clean.get(path), f"{Path(path).name} is not as a run without faults leaves it")


def collecting(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        write_config(folder)
        fill(folder / "sample" / "origin", 3)
        (folder / "labels.json").write_text('["x", "y"]', encoding="utf-8")

    command = script("gen_image/collect_labels.py", folder / "sample_config.json")
    return Case(
        folder,
        fill_in,
        command,
        lambda case: old_or_new(case, "labels.json"),
        lambda case: as_clean(case, "labels.json"),
    )


def configuring(folder: Path) -> Case:
    written, backup = "conf/mine.json", "conf/mine.json.bak"

    def fill_in(_case: Case) -> None:
        write_config(folder)
        fill(folder / "sample" / "origin", 30)
        for number in range(22):  # so many abnormal ones that a file lists them
            draw("01", folder / "sample" / "origin" / f"01_9{number}.png", size=(20, 20), seed=number)
        (folder / "conf").mkdir()
        shutil.copy(write_config(folder / "older", char_set="abc"), folder / written)

    def holds(case: Case) -> None:
        old_or_new(case, written)
        kept = files_in([folder]).get(str(folder / backup), case.before[str(folder / written)])
        check(kept == case.before[str(folder / written)], "the backup is torn")
        none_lost(case)

    def finished(case: Case) -> None:
        as_clean(case, written, backup)
        check(not (folder / f"{backup}2").exists(), "there are two backups")

    command = script("verify_and_split_data.py", folder / "sample_config.json", "--write-config", folder / written)
    return Case(folder, fill_in, command, holds, finished)


def testing(folder: Path, models: Path) -> Case:
    def fill_in(_case: Case) -> None:
        write_config(folder, network="positions")
        shutil.copytree(models / "older", folder / "model")
        fill(folder / "sample" / "test", 12, seed=3)

    def holds(case: Case) -> None:
        report = folder / "model" / "report"
        for path in report.glob("*.json"):
            check(json.loads(path.read_text("utf-8"))["samples"] == 12, "the report is torn")
        for path in report.glob("[a-z]*.png"):
            Image.open(path).load()
        old_or_new(case, "model/model_card.json")

    def finished(_case: Case) -> None:
        names = {path.name for path in (folder / "model" / "report").glob("[a-z]*")}
        check(names == {"test.json", "misread.png", "confusion.png", "index.html"}, f"the report is {sorted(names)}")

    return Case(folder, fill_in, script("test_batch.py", folder / "sample_config.json"), holds, finished)


def stressing(folder: Path, address: str) -> Case:
    def fill_in(_case: Case) -> None:
        write_config(folder)
        fill(folder / "sample" / "test", 1)
        (folder / "out").mkdir()
        (folder / "out" / "test.csv").write_text("of an earlier run", encoding="utf-8")

    def holds(_case: Case) -> None:
        tables = [path.read_text("utf-8-sig") for path in (folder / "out").glob("test*.csv")]
        check("of an earlier run" in tables, "the earlier table is lost")

    def finished(_case: Case) -> None:
        lines = (folder / "out" / "test.csv").read_text("utf-8-sig").splitlines()
        check([line.count(",") for line in lines] == [5] * 4, f"test.csv has {len(lines)} lines; expected 4")
        Image.open(folder / "out" / "test.png").load()

    options = ("--count", 3, "--output", folder / "out", "--url", address)
    command = script("recognize_time_test.py", "--config", folder / "sample_config.json", *options)
    return Case(folder, fill_in, command, holds, finished)


def labelling(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        fill(folder / "pictures", LABELLED)

    def holds(case: Case) -> None:
        now = files_in([folder])
        check(below(now, "pictures") == below(case.before, "pictures"), "a picture of the user's changed")
        copies, pictures = [*below(now, "origin").values()], [*below(case.before, "pictures").values()]
        check(all(copy in pictures for copy in copies), "a copy is torn")
        stale = 1  # copy of a label taken back, which the next start removes
        check(len(copies) <= len({*copies}) + stale, "a picture is labelled twice")

    def finished(_case: Case) -> None:
        copies = below(files_in([folder]), "origin")
        check(len({*copies.values()}) == len(copies) == LABELLED, f"{len(copies)} copies of {LABELLED} pictures")
        standing = Journal(folder / "labels.jsonl").standing.values()
        said = {entry.copy for entry in standing}
        check(said == {Path(path).name for path in copies}, "the journal says something else")

    return Case(folder, fill_in, driver("label", folder), holds, finished)


def looking_again(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        names = [path.name for path in fill(folder / "train", LABELLED)]
        table = "".join(f"train/{name}\n" for name in names)
        (folder / "suspects.csv").write_text(f"picture\n{table}", encoding="utf-8")

    def holds(case: Case) -> None:
        now, before = (Counter(below(files, "train", "aside").values()) for files in (files_in([folder]), case.before))
        check(now == before, "a picture is lost, torn or doubled")

    def finished(case: Case) -> None:
        check(samples(files_in([folder])) == samples(case.clean), "a label is not the new one")
        check(len(below(files_in([folder]), "aside")) == 1, "the picture that can't be read is not set aside")

    return Case(folder, fill_in, driver("look-again", folder), holds, finished)


# Models.


def driver(name: str, folder: Path) -> list[str]:
    """The command that runs a part of `tests.fault_drivers`."""
    python = script("")[0]
    return [python, "-m", "tests.fault_drivers", name, str(folder)]


def model_in(folder: Path) -> Mapping[str, object] | None:
    """Card and files of a model, None without one. Raises ModelError when it is not whole."""
    if not (folder / CARD).exists():
        return None
    card = load_card(folder)
    return {"card": card, **{kind: load_model(folder, kind)[1] for kind in card.files}}


def one_whole_model(case: Case) -> None:
    """The folder holds the older or the newer model."""
    models = (case.folder / "expected" / name for name in ("older", "newer"))
    try:
        now = model_in(case.folder / "model")
    except ModelError as error:
        raise BrokenError(f"the model is not whole: {error}") from error
    check(now in [model_in(model) for model in models], "the model is neither the older nor the newer one")


def newer_model(case: Case) -> None:
    """The folder holds the newer model and no file besides."""
    folder = case.folder / "model"
    check(model_in(folder) == model_in(case.folder / "expected" / "newer"), "the model is not the newer one")
    names = {file.name for file in load_card(folder).files.values()} | {CARD, ".lock"}
    left = {path.name for path in folder.iterdir()} - names
    check(not left, f"left behind: {sorted(left)}")


def saving(folder: Path, models: Path) -> Case:
    def fill_in(_case: Case) -> None:
        shutil.copytree(models / "older", folder / "model")
        shutil.copytree(models / "newer", folder / "newer")
        shutil.copytree(models, folder / "expected")

    return Case(folder, fill_in, driver("save", folder), one_whole_model, newer_model)


def shipping(folder: Path, models: Path) -> Case:
    shipped = folder.with_name(f"{folder.name}-shipped")

    def fill_in(case: Case) -> None:
        if not shipped.exists():
            for name in ("older", "newer"):
                case.run(script("tools/ship_model.py", models / name, shipped / name))
        shutil.copytree(shipped, folder / "expected")
        shutil.copytree(shipped / "older", folder / "model")

    command = script("tools/ship_model.py", models / "newer", folder / "model")
    return Case(folder, fill_in, command, one_whole_model, newer_model)


def exporting(folder: Path) -> Case:
    def fill_in(_case: Case) -> None:
        for place, number in ((folder / "newer", 2), (folder / "export" / "1", 1)):
            for name in ("saved_model.pb", "fingerprint.pb", "variables/variables.index"):
                path = place / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(name.encode() * 1000 * number)
        shutil.copytree(folder / "newer", folder / "newer again")

    def version(files: Files) -> Files:
        return {path: data for path, data in files.items() if "/export/1/" in path}

    def holds(case: Case) -> None:
        check(version(files_in([folder])) in (version(case.before), version(case.clean)), "the version is not whole")

    def finished(case: Case) -> None:
        check(version(files_in([folder])) == version(case.clean), "the version is not the newer one")

    return Case(folder, fill_in, driver("export", folder), holds, finished)


def training(folder: Path, network: str = SMALL) -> Case:
    def fill_in(_case: Case) -> None:
        keys = {"cycle_stop": 4, "cycle_save": 2, "acc_stop": 1, "augmentation": 0, "train_batch_size": 4}
        write_config(folder, network=network, **keys)
        fill(folder / "sample" / "train", 24)

    def holds(case: Case) -> None:
        try:
            model = model_in(folder / "model")
        except ModelError as error:
            raise BrokenError(f"the model is not whole: {error}") from error
        check(model is None or has_file(folder / "model", "checkpoint"), "the model has no checkpoint")
        check(below(files_in([folder]), "sample") == below(case.before, "sample"), "a picture has changed")

    def finished(_case: Case) -> None:
        card = load_card(folder / "model")
        check(card.step == 4 and {*card.files} == {*KINDS}, f"the model is of step {card.step}, with {[*card.files]}")

    return Case(folder, fill_in, driver("train", folder), holds, finished)


@contextmanager
def trained_models(folder: Path) -> Iterator[Path]:
    """A folder with two models of the same training, `older/` and `newer/`, of 32x16 pictures. They are made once."""
    models = folder / "models"
    if not models.exists():
        part = folder / "models.part"
        shutil.rmtree(part, ignore_errors=True)
        case = training(folder / "training", "positions")  # a real network, whose files are as large as a user's
        case.reset()
        for name, steps in (("older", 2), ("newer", 4)):
            train_to(steps, case.folder)
            (part / name).mkdir(parents=True)
            for file in (CARD, *(file.name for file in load_card(case.folder / "model").files.values())):
                shutil.copy(case.folder / "model" / file, part / name / file)
        part.rename(models)
    yield models


def train_to(steps: int, folder: Path) -> None:
    """Train on, to so many steps."""
    path = folder / "sample_config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | {"cycle_stop": steps}), encoding="utf-8")
    ended = run(script("train_model.py", path, "--warm-start", "none"))
    check(ended.status == 0, ended.err)


@contextmanager
def another_device(folder: Path) -> Iterator[Path]:
    """A folder on another device than this one. Raises UnavailableError where there is none."""
    memory = Path("/dev/shm")  # a disk in memory, on Linux
    if not memory.is_dir() or memory.stat().st_dev == folder.stat().st_dev:
        raise UnavailableError("there is no other device")
    with tempfile.TemporaryDirectory(dir=memory, prefix="faults-") as place:
        yield Path(place) / "sets"


@contextmanager
def serving(_folder: Path) -> Iterator[str]:
    """The address for pictures of a recognition service that reads with the general model."""
    config = PROJECT_ROOT / "conf" / "general_config.json"
    options = ("--workers", "1", "--port", "0", "--page-port", "0")
    server = start_script("webserver_recognize_api.py", str(config), *options)
    assert server.stdout
    try:
        yield server.stdout.readline().split()[1]
    finally:
        server.terminate()
        server.communicate()


# What makes each case, and what it needs besides its folder.
CASES: dict[str, tuple[Callable[..., Case], Callable[[Path], AbstractContextManager[object]] | None]] = {
    "generate": (generating, None),
    "split": (splitting, None),
    "split onto another device": (splitting, another_device),
    "split several looks": (splitting_looks, None),
    "split looks onto another device": (splitting_looks, another_device),
    "import": (importing, None),
    "fill the cache": (packing, None),
    "collect labels": (collecting, None),
    "write a config": (configuring, None),
    "save a model": (saving, trained_models),
    "swap in a SavedModel": (exporting, None),
    "ship a model": (shipping, trained_models),
    "keep received pictures": (receiving, None),
    "label pictures": (labelling, None),
    "second look at labels": (looking_again, None),
    "report of the batch test": (testing, trained_models),
    "table of the stress test": (stressing, serving),
    "train": (training, None),
}

# What the tests leave to the benchmark: it takes seconds a point, or other cases have each of its parts.
BENCHMARK_ONLY = ("train", "split onto another device", "split several looks")


@contextmanager
def prepared(name: str, folder: Path, run: Run = run) -> Iterator[tuple[Case, list[Point]]]:
    """A case in a folder, and all its points. Raises UnavailableError when this system lacks what it needs."""
    if missing():
        raise UnavailableError(missing())
    folder.mkdir(parents=True, exist_ok=True)
    make, need = CASES[name]
    with need(folder) if need else nullcontext() as given:
        case = make(folder / "work", given) if need else make(folder / "work")
        case.run = run
        case.rehearse()
        case.reset()
        yield case, points(case.command, case.folders, folder / "strace.log")


def try_each_kind(case: Case, found: list[Point], turn: int) -> None:
    """Try the last point of each kind of operation, with the faults in turn, and with a kill where that counts."""
    last_of_each = {point.call: point for point in found}
    for number, point in enumerate(last_of_each.values(), turn):
        faults = {FAULTS[number % len(FAULTS)]} | ({KILL} if point.call in ("write", "rename") else set())
        for fault in sorted(faults):
            case.try_point(point, fault, case.folder.with_name("strace.log"))
