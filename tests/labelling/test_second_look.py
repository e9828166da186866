from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.core.errors import SampleError
from cnnlib.core.tables import plain_cell, table_bytes
from cnnlib.data.folders import list_entries
from cnnlib.labelling.filing import Renames
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.queue import Question
from cnnlib.labelling.session import Label, Labelling, TakenError
from cnnlib.labelling.suspects import suspects_in
from tests.helpers import draw
from tests.labelling.case_blind import ignore_case

Look = Callable[[], Labelling]


class Reader:
    """Reads 10 on every picture."""

    characters, lengths, version = "01", (1, 4), "1"
    trained = False

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, *_: Any) -> Prediction:
        return Prediction("10", 0.9, (0.9, 0.9))


def write_table(path: Path, *names: str) -> Path:
    path.write_bytes(table_bytes(("picture", "label", "reading"), [(name, "", "10") for name in names]))
    return path


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Opens a second look at three pictures of two sets, as each start of the script does."""
    names = [draw("01", tmp_path / folder / f"{name}.png") for folder, name in (("train", "01_1"), ("test", "01_2"))]
    names.append(draw("a/b", tmp_path / "train" / "a%2Fb_3.png"))
    table = write_table(tmp_path / "suspects.csv", *(path.relative_to(tmp_path).as_posix() for path in names))

    def open_look() -> Labelling:
        journal, filing = Journal(tmp_path / "labels.jsonl"), Renames(tmp_path, tmp_path / "aside")
        files = suspects_in(table, [tmp_path / "train", tmp_path / "test"], filing, journal)
        reader: Any = Reader()
        return Labelling(files, journal, filing, reader, at_random=False)

    return open_look


def names_in(tmp_path: Path) -> list[str]:
    folders = [tmp_path / name for name in ("train", "test", "aside")]
    return sorted(path.relative_to(tmp_path).as_posix() for folder in folders for path in list_entries(folder))


def asked(labelling: Labelling) -> Question:
    question = labelling.next_question("tab")
    assert question
    return question


def test_suspects_come_in_the_order_of_the_table_with_label_and_reading(look: Look) -> None:
    labelling = look()
    first = asked(labelling)
    assert (first.name, first.label, first.reading.text) == ("train/01_1.png", "01", "10")
    labelling.label(first.number, Label("01"))
    assert asked(labelling).name == "test/01_2.png"
    labelling.label(1, Label("01"))
    assert asked(labelling).label == "a/b"


def test_right_label_stays_and_wrong_one_is_corrected_where_it_is(look: Look, tmp_path: Path) -> None:
    labelling, before = look(), (tmp_path / "test" / "01_2.png").read_bytes()
    labelling.label(0, Label("01"))
    labelling.label(1, Label("x/y"))
    assert names_in(tmp_path) == ["test/x%2Fy_2.png", "train/01_1.png", "train/a%2Fb_3.png"]
    assert (tmp_path / "test" / "x%2Fy_2.png").read_bytes() == before
    assert labelling.progress().right is None, "suspects say nothing about the others"


def test_picture_that_can_not_be_read_leaves_the_sets(look: Look, tmp_path: Path) -> None:
    labelling = look()
    labelling.set_aside(2, 1.0, "tab")
    assert names_in(tmp_path) == ["aside/a%2Fb_3.png", "test/01_2.png", "train/01_1.png"]
    assert look().progress().left == 2
    assert labelling.undo("tab") is not None
    assert names_in(tmp_path) == ["test/01_2.png", "train/01_1.png", "train/a%2Fb_3.png"]


def test_correction_is_taken_back_also_after_a_start_anew(look: Look, tmp_path: Path) -> None:
    look().label(1, Label("11"))
    labelling = look()
    assert "test/11_2.png" in names_in(tmp_path)
    question = labelling.undo("tab")
    assert question
    assert (question.name, question.label, question.said) == ("test/01_2.png", "01", "11")
    assert "test/01_2.png" in names_in(tmp_path)


def test_name_that_is_taken_is_refused_and_nothing_is_overwritten(look: Look, tmp_path: Path) -> None:
    other = draw("11", tmp_path / "train" / "11_1.png", seed=9).read_bytes()
    labelling = look()
    with pytest.raises(SampleError, match=r"11_1\.png: already exists; .*/01_1\.png stays where it is"):
        labelling.label(0, Label("11"))
    assert (tmp_path / "train" / "11_1.png").read_bytes() == other
    assert "train/01_1.png" in names_in(tmp_path)


def test_correction_that_a_kill_cut_off_is_finished(look: Look, tmp_path: Path) -> None:
    Journal(tmp_path / "labels.jsonl").append(Entry("label", "test/01_2.png", "11", "11_2.png"))
    assert look().progress().done == 1
    assert "test/11_2.png" in names_in(tmp_path)


@pytest.mark.parametrize("killed", [False, True])
def test_correction_of_case_alone_is_filed_where_the_system_ignores_case(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    ignore_case(monkeypatch)
    if killed:
        Journal(tmp_path / "labels.jsonl").append(Entry("label", "train/a%2Fb_3.png", "A/b", "A%2Fb_3.png", tab="tab"))
    else:
        look().label(2, Label("A/b", tab="tab"))
    labelling = look()
    assert "train/A%2Fb_3.png" in names_in(tmp_path)
    assert labelling.progress().done == 1
    with pytest.raises(TakenError, match="something was said about it already"):
        labelling.label(2, Label("a/b"))
    question = labelling.undo("tab")
    assert question
    assert (question.label, question.said) == ("a/b", "A/b")
    assert names_in(tmp_path) == ["test/01_2.png", "train/01_1.png", "train/a%2Fb_3.png"]


def test_pictures_outside_the_sets_are_passed_over(tmp_path: Path) -> None:
    journal, filing = Journal(tmp_path / "labels.jsonl"), Renames(tmp_path, tmp_path / "aside")
    outside = draw("01", tmp_path / "elsewhere" / "01_1.png")
    table = write_table(tmp_path / "suspects.csv", str(outside), "train/../elsewhere/01_1.png", "train/01_1.png")
    (tmp_path / "train").mkdir()
    with pytest.raises(SampleError, match="expected pictures of the sets of the config; got none"):
        suspects_in(table, [tmp_path / "train"], filing, journal)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\xff\xfe\xff"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.csv").write_bytes(content)
    journal, filing = Journal(tmp_path / "labels.jsonl"), Renames(tmp_path, tmp_path / "aside")
    with pytest.raises(SampleError, match=r"other\.csv: (expected a table with a column picture|can't be read)"):
        suspects_in(tmp_path / "other.csv", [tmp_path], filing, journal)


@pytest.mark.parametrize("text", ["ab", "'ab", "=1", "''=1", "-x_1.png", "'", ""])
def test_cells_are_read_as_they_were_written(text: str) -> None:
    cell = table_bytes((text,), ()).decode("utf-8-sig").removesuffix("\r\n").strip('"')
    assert plain_cell(cell) == text


def test_correction_that_was_taken_back_is_not_taken_back_again_at_a_start(look: Look, tmp_path: Path) -> None:
    labelling = look()
    labelling.label(0, Label("11", tab="tab"))
    labelling.undo("tab")
    (tmp_path / "train" / "01_1.png").rename(tmp_path / "train" / "11_1.png")  # by hand
    look()
    assert "train/11_1.png" in names_in(tmp_path)


def test_picture_that_had_the_name_before_keeps_it_after_a_start(look: Look, tmp_path: Path) -> None:
    draw("11", tmp_path / "train" / "11_1.png", seed=9)
    with pytest.raises(SampleError, match="already exists"):
        look().label(0, Label("11"))
    (tmp_path / "train" / "01_1.png").unlink()
    look()
    assert "train/11_1.png" in names_in(tmp_path)
