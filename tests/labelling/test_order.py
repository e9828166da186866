import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.data.sources import list_source
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.labelling import order, queue
from cnnlib.labelling.filing import Copies
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.order import Doubles, Order, doubles_among
from cnnlib.labelling.queue import Question
from cnnlib.labelling.session import Label, Labelling
from tests.helpers import draw

FILES = 40


class Trained:
    """Has learned such pictures, and is as sure of each as its number of black pixels says."""

    characters, lengths, version, trained = "01", (1, 4), "1", True

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, picture: Image.Image, _: Hints) -> Prediction:
        confidence = picture.convert("L").histogram()[0] / (picture.width * picture.height)
        return Prediction("00", confidence, (confidence, confidence))


Open = Callable[..., Labelling]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens the labelling of pictures of which a quarter is kept apart."""
    monkeypatch.setattr(order, "APART_ONE_IN", 4)
    monkeypatch.setattr(order, "AGAIN_ONE_IN", 256)

    def open_labelling(count: int = FILES, *, trained: bool = True) -> Labelling:
        for number in range(count):
            draw(f"{number % 2}{number // 2 % 2}", tmp_path / "pictures" / f"{number}.png", seed=number)
        reader: Any = Trained()
        reader.trained = trained
        files, journal = list_source(tmp_path / "pictures").entries, Journal(tmp_path / "labels.jsonl")
        return Labelling(files, journal, Copies(tmp_path / "origin", []), reader)

    return open_labelling


def answer(labelling: Labelling, tab: str = "tab") -> Question:
    question = labelling.next_question(tab)
    assert question
    labelling.label(question.number, Label("00", "00", model=question.model, tab=tab))
    return question


def apart_among(labelling: Labelling, asked: list[Question]) -> list[int]:
    """The places of pictures kept apart among those that were asked."""
    return [place for place, question in enumerate(asked) if question.number in labelling.queue.order.apart]


def test_pictures_kept_apart_come_next_while_a_test_lacks_them(opened: Open) -> None:
    labelling = opened()
    answer(labelling)
    labelling.want_even(3)
    assert apart_among(labelling, [answer(labelling) for _ in range(6)]) == [0, 1, 2]


def test_least_sure_of_the_next_pictures_comes_first(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "DOUBT_CHOICE", 5)
    labelling = opened()
    answer(labelling)  # one at random is due
    free = [number for number in range(FILES) if number not in labelling.queue.order.apart]
    sure = {number: labelling.queue._read(number, NO_HINTS).confidence for number in free}
    question = answer(labelling)
    assert question.number == min(free[:5], key=sure.__getitem__)
    free.remove(question.number)
    assert answer(labelling).number == min(free[:5], key=sure.__getitem__)


def test_page_that_is_loaded_again_shows_its_doubtful_picture(opened: Open) -> None:
    labelling = opened()
    answer(labelling)
    first, again, other = (labelling.next_question(tab) for tab in ("tab", "tab", "other"))
    assert first
    assert again
    assert other
    assert first.number == again.number != other.number


def test_each_tenth_comes_at_random_and_only_those_tell_about_all(opened: Open) -> None:
    labelling = opened()
    asked = [answer(labelling) for _ in range(22)]
    apart = apart_among(labelling, asked)
    assert apart == [0, 10, 20]
    said = [*labelling.journal.standing.values()]
    assert [place for place, entry in enumerate(said) if entry.at_random] == apart


def test_before_a_training_pictures_come_at_random_and_all_tell(opened: Open) -> None:
    labelling = opened(trained=False)
    assert labelling.queue.order.apart[1] > 1, "so that the order shows whether these come first"
    assert [answer(labelling).number for _ in range(10)] == [*range(10)]
    assert all(entry.at_random for entry in labelling.journal.standing.values())


def test_after_a_page_of_the_grid_only_pictures_kept_apart_tell(opened: Open) -> None:
    labelling = opened(trained=False)
    page = labelling.grid("tab")
    assert page
    assert not {question.number for question in page} & {*labelling.queue.order.apart}
    labelling.label(page[0].number, Label("00", at_random=False))
    for _ in range(12):
        answer(labelling)
    entries = [*labelling.journal.standing.values()][1:]
    apart = {labelling.queue.order.names[number] for number in labelling.queue.order.apart}
    assert {entry.picture for entry in entries if entry.at_random} == {entry.picture for entry in entries} & apart


def test_all_pictures_come_in_the_end(opened: Open) -> None:
    labelling = opened()
    assert {answer(labelling).number for _ in range(FILES)} == {*range(FILES)}
    assert labelling.next_question("tab") is None


def test_order_follows_from_the_names_alone() -> None:
    names = [f"picture {number}" for number in range(300)]
    one, other = Order(names, at_random=True), Order(names[::-1], at_random=True)
    assert one.names == other.names != names
    assert sorted(one.names) == sorted(names)
    assert (one.again, one.apart) == (other.again, other.apart)
    assert one.again
    assert one.apart
    plain = Order(names, at_random=False)
    assert (plain.names, plain.again, plain.apart) == (names, [], [])


@pytest.mark.parametrize("trained", [False, True])
def test_same_files_come_once_and_nearly_the_same_pictures_last(opened: Open, tmp_path: Path, trained: bool) -> None:
    opened(6)
    shutil.copy2(tmp_path / "pictures" / "0.png", tmp_path / "pictures" / "copy.png")
    for number in (1, 2, 3):
        with Image.open(tmp_path / "pictures" / f"{number}.png") as picture:
            picture.convert("RGB").save(tmp_path / "pictures" / f"again{number}.jpg", quality=95)
    (tmp_path / "pictures" / "text.png").write_text("no picture")
    labelling = opened(6, trained=trained)
    labelling.queue.order.apart = []  # these come in between
    labelling.leave_out_doubles()
    asked = [answer(labelling).name for _ in range(9)]
    assert labelling.next_question("tab") is None
    assert len({*asked} & {"0.png", "copy.png"}) == 1
    pairs = [{f"{number}.png", f"again{number}.jpg"} for number in (1, 2, 3)]
    assert all(len(pair & {*asked[:6]}) == len(pair & {*asked[6:]}) == 1 for pair in pairs)
    progress = labelling.progress()
    assert (progress.done, progress.left, progress.doubles) == (9, 0, 1)


def test_files_that_are_no_pictures_are_no_doubles(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / name).write_text("")
    files = list_source(tmp_path).entries
    assert doubles_among(range(3), lambda number: files[number].read()) == Doubles()


def test_least_sure_ones_come_also_when_no_picture_kept_apart_is_left(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "APART_EACH", 2)
    monkeypatch.setattr(queue, "DOUBT_CHOICE", FILES)
    labelling = opened()
    while {*labelling.queue.order.apart} - {*map(numbers(labelling).get, labelling.journal.standing)}:
        answer(labelling)
    left = [number for number, name in enumerate(labelling.queue.order.names) if name not in labelling.journal.standing]
    sure = {number: labelling.queue._read(number, NO_HINTS).confidence for number in left}
    assert len(left) > 5
    assert [answer(labelling).number for _ in left] == sorted(left, key=sure.__getitem__)


def numbers(labelling: Labelling) -> dict[str, int]:
    return {name: number for number, name in enumerate(labelling.queue.order.names)}


def test_picture_kept_apart_is_due_at_a_start_for_a_new_model_and_after_a_page_of_the_grid(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 12)
    labelling = opened()
    assert apart_among(labelling, [answer(labelling) for _ in range(5)]) == [0]
    labelling = opened()
    assert apart_among(labelling, [answer(labelling) for _ in range(5)]) == [0]
    reader: Any = labelling.reader
    reader.version = "2"
    assert apart_among(labelling, [answer(labelling) for _ in range(5)]) == [0]
    page = labelling.grid("tab")
    labelling.doubt(question.number for question in page[:2])
    for question in page[2:]:
        labelling.label(question.number, Label("00", "00", model=question.model, at_random=False))
    asked = [answer(labelling) for _ in range(3)]
    assert apart_among(labelling, asked) == [0], "before those that were read wrong"
    assert {question.number for question in asked[1:]} == {question.number for question in page[:2]}


def test_reading_counts_for_the_model_that_gave_it(opened: Open) -> None:
    labelling = opened()
    question = labelling.next_question("tab")
    assert question
    reader: Any = labelling.reader
    reader.version = "2"
    assert labelling.next_question("other")
    labelling.label(question.number, Label("01", "00", model=question.model, tab="tab"))
    assert labelling.progress().right is None


def test_empty_reading_counts_as_wrong(opened: Open) -> None:
    labelling = opened()
    question = labelling.next_question("tab")
    assert question
    labelling.label(question.number, Label("01", "", model=question.model, tab="tab"))
    right = labelling.progress().right
    assert right
    assert right[0] == 0


def test_labelled_picture_is_the_one_of_its_likes_that_counts(opened: Open, tmp_path: Path) -> None:
    labelling = opened(4)
    names = {answer(labelling).name for _ in range(4)}
    for name in names:
        for copy in ("a", "z"):
            shutil.copy2(tmp_path / "pictures" / name, tmp_path / "pictures" / f"{copy}{name}")
    labelling = opened(4)
    labelling.leave_out_doubles()
    assert labelling.next_question("tab") is None
    progress = labelling.progress()
    assert (progress.done, progress.left, progress.doubles) == (4, 0, 8)


def test_text_in_the_transparency_tells_pictures_apart(tmp_path: Path) -> None:
    for number in range(4):
        drawn = Image.open(draw(f"{number:02b}", tmp_path / "plain.png", seed=number)).convert("L")
        picture = Image.new("RGBA", drawn.size, "red")
        picture.putalpha(drawn.point(lambda level: 255 - level))
        picture.save(tmp_path / f"{number}.png")
    files = [file for file in list_source(tmp_path).entries if file.name.name != "plain.png"]
    assert doubles_among(range(4), lambda number: files[number].read()) == Doubles()
