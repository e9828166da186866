"""A person who has pictures and no labels, played back from known labels: labelling, training, the sorted grid.

Labelling, journal and trainings are the real ones. The person's time is counted, that of a training measured.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.sources import list_source
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.inference.recognizer import Recognizer
from cnnlib.labelling.filing import Copies
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.model_in_use import ModelInUse
from cnnlib.labelling.rounds import default_keys
from cnnlib.labelling.session import Label, Labelling
from label_pictures import journal_path
from tests.benchmarks.runs import WORK, Result, shipped_config, store, stored, write_config
from tests.benchmarks.zoo import HELD_BACK, copy_unnamed, pictures_of

TRAIN_AT = (200, 800)  # labels, at which the person starts a training and goes on; the last one is on all
ONE_S, PAGE_S = 4, 20  # for a picture, and for a page of the grid
BAD_PAGE = 0.25  # share of wrong readings on a page, above which the next pictures are labelled one by one
AFTER_BAD_PAGE = 50  # pictures


class HeldModel(ModelInUse):
    """The model in use. While `held` it stays, as while a training is under way."""

    held = False

    def refresh(self) -> None:
        """Take another model, unless this one is held."""
        if not self.held:
            super().refresh()


@dataclass
class Person:
    """Who knows the labels of all pictures, by name. Each thing done takes its seconds."""

    labelling: Labelling
    labels: dict[str, str]
    seconds: float = 0
    one_by_one: int = 0
    pages: int = 0
    wrong_on_pages: int = 0

    def answer(self) -> None:
        """Label the next picture, if there is one."""
        question = self.labelling.next_question("tab")
        if question:
            reading = question.reading
            shown = (reading.text, reading.confidence, ONE_S, "tab", True, question.model)
            said = Label(self.labels[question.name], *shown)
            self.labelling.label(question.number, said, sure=True)
            self.seconds += ONE_S
            self.one_by_one += 1

    def work_through_page(self) -> None:
        """Accept a page of the grid but for what is wrong on it, and label that. After a bad page, some one by one."""
        page = self.labelling.grid("tab")
        wrong = {question.number for question in page if question.reading.text != self.labels[question.name]}
        self.labelling.doubt(wrong)
        for question in page:
            if question.number not in wrong:
                text, confidence = question.reading.text, question.reading.confidence
                self.labelling.label(question.number, Label(text, text, confidence, tab="tab", at_random=False))
        self.seconds += PAGE_S * bool(page)
        self.pages += bool(page)
        self.wrong_on_pages += len(wrong)
        is_bad = len(wrong) > BAD_PAGE * len(page) or not page
        for _ in range(len(wrong) + AFTER_BAD_PAGE * is_bad):
            self.answer()

    def work(self, step: Callable[[], None], *, labels: int = sys.maxsize, seconds: float = float("inf")) -> None:
        """Do a step again and again until there are so many labels, so much time went by, or no picture is left."""
        progress = self.labelling.progress()
        while progress.left and progress.done < labels and self.seconds < seconds:
            step()
            progress = self.labelling.progress()


@dataclass
class Replay:
    """A replay in a folder of its own, with a row for each model."""

    folder: Path
    person: Person
    model: HeldModel
    config: SampleConfig
    held_back: list[Path]
    stages: list[Result] = field(default_factory=list)

    def train(self, meanwhile: Callable[[], None] | None) -> None:
        """A round on the labels so far. The person goes on `meanwhile`, with the older model, or waits."""
        labels, began, self.model.held = self.person.labelling.progress().done, self.person.seconds, True
        took = self._run_round()
        if meanwhile:
            self.person.work(meanwhile, seconds=began + took)
        self.person.seconds = max(self.person.seconds, began + took)
        self.model.held = False
        self._note(labels, took)

    def _run_round(self) -> float:
        script, pictures = PROJECT_ROOT / "label_pictures.py", self.folder / "pictures"
        command = [sys.executable, script, pictures, "--config", self.folder / "config.json", "--train"]
        began = monotonic()
        with (self.folder / "rounds.log").open("ab") as log:
            subprocess.run(command, stdout=log, stderr=log, check=True)
        return monotonic() - began

    def _note(self, labels: int, took: float) -> None:
        reader = Recognizer(self.config.model_save_dir)
        about = {"labels": labels, "minutes": round(self.person.seconds / 60, 1), "training_seconds": round(took)}
        self.stages.append(about | {"right": right_of(reader, self.held_back, NO_HINTS)})


def measure(zoo: Path, name: str) -> Result:
    """Stored, or replayed now: minutes and accuracy at each stage, until all pictures of a set have labels."""
    result = f"replay-{name}"
    found = stored(result)
    if found is not None:
        return found
    replay = prepare(zoo, name, WORK / result)
    person = replay.person
    before = right_of(Recognizer.general(), replay.held_back, Hints(views=3))
    for labels in TRAIN_AT:
        step = person.answer if labels == TRAIN_AT[0] else person.work_through_page
        person.work(step, labels=labels)
        replay.train(step)
    person.work(person.work_through_page)
    labelled = person.seconds
    replay.train(None)
    about = {"set": name, "pictures": len(person.labels), "before": before, "samples": len(replay.held_back)}
    counted = {"one_by_one": person.one_by_one, "pages": person.pages, "wrong_on_pages": person.wrong_on_pages}
    minutes = {"labelled_minutes": round(labelled / 60, 1), "minutes": round(person.seconds / 60, 1)}
    return store(result, about | counted | minutes | {"stages": replay.stages})


def prepare(zoo: Path, name: str, folder: Path) -> Replay:
    """A new folder with the pictures of a set that are not held back, under names that say nothing, and no label."""
    shutil.rmtree(folder, ignore_errors=True)
    pictures, path = pictures_of(zoo, name), folder / "config.json"
    own = {key: default_keys(path)[key] for key in ("acc_stop", "cycle_stop")}
    write_config(path, shipped_config(folder, **own))
    copy_unnamed(pictures[HELD_BACK:], folder / "pictures")
    files = list_source(folder / "pictures").entries
    names = zip(files, pictures[HELD_BACK:], strict=True)
    config = load_sample_config(path)
    filing = Copies(config.origin_dirs[0], (config.train_image_dir, config.test_image_dir))
    model = HeldModel(config.model_save_dir)
    labelling = Labelling(files, Journal(journal_path(path, folder / "pictures")), filing, model)
    labelling.leave_out_doubles()
    person = Person(labelling, {str(file.name): label_of(picture.name) for file, picture in names})
    return Replay(folder, person, model, config, pictures[:HELD_BACK])


def right_of(reader: Recognizer, pictures: list[Path], hints: Hints) -> int:
    """How many pictures are read exactly as their names say."""
    readings = reader.recognize([path.read_bytes() for path in pictures], hints)
    return sum(reading.text == label_of(path.name) for reading, path in zip(readings, pictures, strict=True))
