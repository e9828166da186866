"""The replay of a labelling: what the person does and how long it takes, on a model that reads by rule."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.data.folders import list_entries
from cnnlib.data.sources import list_source
from cnnlib.inference.hints import Hints
from cnnlib.labelling import queue
from cnnlib.labelling.filing import Copies
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.session import Labelling
from tests.benchmarks.replay import AFTER_BAD_PAGE, ONE_S, PAGE_S, Person
from tests.benchmarks.replay_page import replay_text
from tests.helpers import fill

PICTURES = 30


class AlwaysZero:
    """Reads 00 on every picture."""

    characters, lengths, version, trained = "01", (1, 4), "general", False

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, _: Image.Image, __: Hints) -> Prediction:
        return Prediction("00", 0.5, (0.5, 0.5))


@pytest.fixture
def person(tmp_path: Path) -> Person:
    fill(tmp_path / "pictures", PICTURES)
    files, reader = list_source(tmp_path / "pictures").entries, AlwaysZero()
    any_reader: Any = reader
    labelling = Labelling(files, Journal(tmp_path / "labels.jsonl"), Copies(tmp_path / "origin", []), any_reader)
    return Person(labelling, {str(file.name): label_of(file.name.name) for file in files})


def test_person_labels_rightly_until_enough_or_for_so_long(person: Person, tmp_path: Path) -> None:
    person.work(person.answer, labels=5)
    assert (person.labelling.progress().done, person.seconds) == (5, 5 * ONE_S)
    person.work(person.answer, seconds=7 * ONE_S)
    assert (person.labelling.progress().done, person.one_by_one) == (7, 7)
    person.work(person.answer)
    said = sorted(entry.label for entry in person.labelling.journal.standing.values())
    copies = sorted(label_of(path.name) for path in list_entries(tmp_path / "origin"))
    assert said == sorted(person.labels.values()) == copies


def test_wrong_ones_of_a_page_are_labelled_one_by_one_and_a_bad_page_costs_more(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 8)
    right = sum(label == "00" for label in person.labels.values())
    person.work_through_page()
    assert person.pages == 1
    assert person.wrong_on_pages > 2, "a quarter of the readings is right"
    assert person.one_by_one == min(PICTURES - (8 - person.wrong_on_pages), person.wrong_on_pages + AFTER_BAD_PAGE)
    assert person.seconds == PAGE_S + ONE_S * person.one_by_one
    assert 0 < right < PICTURES
    assert person.labelling.progress().left == 0
    said = {entry.picture: entry.label for entry in person.labelling.journal.standing.values()}
    assert said == person.labels


def test_page_has_a_row_for_each_model() -> None:
    stages = [
        {"labels": 200, "minutes": 20.4, "training_seconds": 330, "right": 300},
        {"labels": 1800, "minutes": 61.0, "training_seconds": 600, "right": 396},
    ]
    counts = {"one_by_one": 500, "pages": 30, "wrong_on_pages": 99, "labelled_minutes": 50.6, "pictures": 1800}
    about = {"set": "cage", "before": 200, "samples": 400, "commit": "abc", "machine": "a machine", "stages": stages}
    lines = replay_text("", [about | counts]).splitlines()
    assert "| cage | general | 0 | 0 | 50.00% |  |" in lines
    assert "| cage | own | 200 | 20 | 75.00% | 5.5 |" in lines
    assert "| cage | own | 1,800 | 61 | 99.00% | 10.0 |" in lines
    assert "| cage | 1,800 | 51 | 500 | 30 | 99 | abc |" in lines
