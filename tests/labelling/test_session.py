import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.core.errors import SampleError
from cnnlib.data.folders import list_entries
from cnnlib.data.sources import list_source
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.labelling import filing, known_texts, order, queue, session
from cnnlib.labelling.filing import Copies
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.known_texts import KnownTexts, UnusualError
from cnnlib.labelling.queue import Question
from cnnlib.labelling.session import Label, Labelling, TakenError
from tests.helpers import draw, fill
from tests.labelling.case_blind import ignore_case


class Reader:
    """Reads 00 on every picture, and remembers what it was told about the texts."""

    characters, lengths, version = "0123", (1, 4), "general"
    trained = False

    def __init__(self) -> None:
        self.hints: list[Hints] = []

    def refresh(self) -> None:
        """It stays the same."""

    def recognize(self, _: Any, hints: Hints) -> Prediction:
        self.hints.append(hints)
        return Prediction("00", 0.5, (0.9, 0.4))


Open = Callable[..., Labelling]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Opens the labelling of a folder, as each start of the script does."""

    def open_labelling(reader: Any = None, name: str = "pictures", **options: Any) -> Labelling:
        files = list_source(tmp_path / name).entries
        journal = Journal(tmp_path / ("labels.jsonl" if name == "pictures" else f"{name}.jsonl"))
        sets = [tmp_path / "train", tmp_path / "test"]
        return Labelling(files, journal, Copies(tmp_path / "origin", sets), reader or Reader(), **options)

    return open_labelling


def asked(labelling: Labelling, tab: str = "tab") -> Question:
    question = labelling.next_question(tab)
    assert question
    return question


def label(labelling: Labelling, text: str, *, tab: str = "tab", sure: bool = False) -> Question:
    question = asked(labelling, tab)
    said = Label(text, question.reading.text, 0.5, 2.0, tab, model=question.model)
    labelling.label(question.number, said, sure=sure)
    return question


def labels_in(folder: Path) -> list[str]:
    return sorted(label_of(path.name) for path in list_entries(folder))


def test_copies_are_named_by_their_labels_and_the_pictures_stay(opened: Open, tmp_path: Path) -> None:
    drawn = fill(tmp_path / "pictures", 3)
    before = {path: path.read_bytes() for path in drawn}
    labelling = opened()
    for text in ("01", "a/b", "天"):
        label(labelling, text)
    assert labelling.next_question("tab") is None
    assert labels_in(tmp_path / "origin") == ["01", "a/b", "天"]
    assert {path: path.read_bytes() for path in drawn} == before
    assert sorted(path.read_bytes() for path in list_entries(tmp_path / "origin")) == sorted(before.values())


def test_labelling_goes_on_after_a_start_anew(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 3)
    first = label(opened(), "01")
    labelling = opened()
    assert asked(labelling).name != first.name
    labelling.set_aside(asked(labelling).number, 1.0, "tab")
    progress = opened().progress()
    assert (progress.done, progress.aside, progress.left) == (1, 1, 1)


def test_what_was_said_is_taken_back_across_starts(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 3)
    first, second = label(opened(), "01"), label(opened(), "10")
    for expected, said in ((second, "10"), (first, "01")):
        again = opened().undo("another")
        assert again
        assert (again.number, again.said) == (expected.number, said)
    assert list_entries(tmp_path / "origin") == []
    assert opened().undo("tab") is None
    label(opened(), "11")
    assert labels_in(tmp_path / "origin") == ["11"]


def test_tab_takes_back_its_own_words(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 3)
    labelling = opened()
    mine, theirs = label(labelling, "01", tab="mine"), label(labelling, "10", tab="theirs")
    again = labelling.undo("mine")
    assert again
    assert again.number == mine.number != theirs.number
    assert labels_in(tmp_path / "origin") == ["10"]


def test_two_tabs_see_different_pictures_and_one_label_counts(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 3)
    labelling = opened()
    first, second = asked(labelling, "first"), asked(labelling, "second")
    assert first.number != second.number
    assert asked(labelling, "first").number == first.number, "a page that is loaded again shows its picture"
    labelling.label(first.number, Label("01", "", 0.0, 1.0, "first"))
    with pytest.raises(TakenError, match="something was said about it already"):
        labelling.label(first.number, Label("10", "", 0.0, 1.0, "second"))
    with pytest.raises(TakenError):
        labelling.set_aside(first.number, 1.0, "second")
    assert labels_in(tmp_path / "origin") == ["01"]
    monkeypatch.setattr(queue, "LEASE_S", -1)
    asked(labelling, "second")
    assert asked(labelling, "third").number == second.number, "of a closed tab, after a while"


@pytest.mark.parametrize("moved", [False, True])
def test_copy_that_a_kill_prevented_is_written_at_the_next_start(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: bool
) -> None:
    fill(tmp_path / "pictures", 2)
    labelling = opened()
    label(labelling, "01")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(filing, "write_atomically", killed)
        with pytest.raises(KeyboardInterrupt):
            label(labelling, "10")
    assert labels_in(tmp_path / "origin") == ["01"]
    if moved:  # before the next start
        (tmp_path / "origin").rename(tmp_path / "train")
    labelling = opened()
    found = labels_in(tmp_path / "origin") + (labels_in(tmp_path / "train") if moved else [])
    assert sorted(found) == ["01", "10"]
    assert labelling.next_question("tab") is None
    opened()
    assert labels_in(tmp_path / "origin") == (["10"] if moved else ["01", "10"])


def test_copy_whose_removal_a_kill_prevented_is_removed_at_the_next_start(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 2)
    labelling = opened()
    label(labelling, "01")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Copies, "take_back", killed)
        with pytest.raises(KeyboardInterrupt):
            labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == ["01"]
    label(opened(), "10")
    assert labels_in(tmp_path / "origin") == ["10"]


def test_full_disk_loses_nothing_and_the_label_can_be_given_again(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 1)
    labelling, question = opened(), None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for place in ("filing.write_atomically", "journal.os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(f"cnnlib.labelling.{place}", full)
            question = question or asked(labelling)
            with pytest.raises(OSError, match="No space left"):
                labelling.label(question.number, Label("01", "00", 0.5, 1.0, "tab"))
    assert question
    labelling.label(question.number, Label("01", "00", 0.5, 1.0, "tab"))
    assert labels_in(tmp_path / "origin") == ["01"]
    assert (opened().progress().done, opened().progress().left) == (1, 0)


def test_moved_copy_is_not_taken_back(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 1)
    label(opened(), "01")
    (tmp_path / "origin").rename(tmp_path / "test")
    with pytest.raises(SampleError, match="its copy is in the sets already, under the label 01"):
        opened().undo("tab")
    assert opened().progress().done == 1


def test_same_picture_twice_makes_one_copy_which_stays_for_the_other(opened: Open, tmp_path: Path) -> None:
    data = draw("01", tmp_path / "pictures" / "a.png").read_bytes()
    (tmp_path / "pictures" / "b.png").write_bytes(data)
    labelling = opened()
    for number in range(2):  # as two tabs, or an older version, may say
        labelling.label(number, Label("01", tab="tab"))
    assert labels_in(tmp_path / "origin") == ["01"]
    labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == ["01"]
    labelling.undo("tab")
    assert list_entries(tmp_path / "origin") == []


def test_copy_is_kept_for_a_label_in_other_case_where_the_system_ignores_case(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw("ab", tmp_path / "pictures" / "a.png").read_bytes()
    (tmp_path / "pictures" / "b.png").write_bytes(data)
    ignore_case(monkeypatch)
    labelling = opened()
    for number, text in enumerate(("AB", "ab")):
        labelling.label(number, Label(text, tab="tab"))
    assert labels_in(tmp_path / "origin") == ["AB"]
    labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == ["AB"]
    labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == []


def test_labels_narrow_the_readings_and_new_things_are_asked_about(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 3)
    fill(tmp_path / "pictures", 8)
    reader = Reader()
    labelling = opened(reader)
    for text in ("01", "10", "z12"):
        label(labelling, text)
    assert {*reader.hints} == {NO_HINTS}
    question = asked(labelling)
    assert reader.hints[-1] == Hints("012", 2, 3), "characters that the model lacks are left out"
    for text, message in (("0x", "no label so far has x"), ("0121", "no label so far has 4 characters")):
        with pytest.raises(UnusualError, match=message):
            labelling.label(question.number, Label(text, "00", 0.5, 1.0, "tab"))
    labelling.label(question.number, Label("0x", "00", 0.5, 1.0, "tab"), sure=True)
    label(labelling, "xx")
    assert reader.hints[-1] == Hints("012", 2, 3)


def test_labels_in_either_case_are_one_where_case_is_ignored(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 3)
    fill(tmp_path / "pictures", 8)
    reader = Reader()
    reader.characters = "0abc"
    labelling = opened(reader, fold=str.lower)
    for text in ("AB", "C", "Ba"):
        label(labelling, text)
    question = asked(labelling)
    assert reader.hints[-1] == Hints("abc", 1, 2)
    assert labelling.progress().alphabet == "abc"
    with pytest.raises(UnusualError, match="no label so far has x;"):
        labelling.label(question.number, Label("aX"))
    label(labelling, "cA")
    assert labels_in(tmp_path / "origin") == ["AB", "Ba", "C", "cA"], "as they were written"


def test_reading_in_other_case_is_right_where_case_is_ignored(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 2)
    labelling = opened(fold=str.lower)
    for text in ("2E8J", "2e8K"):
        question = asked(labelling)
        labelling.label(question.number, Label(text, "2e8j", model=question.model, tab="tab"))
    right = labelling.progress().right
    assert right
    assert right[0] == 0.5


def test_lengths_that_the_model_does_not_read_do_not_narrow(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 1)
    fill(tmp_path / "pictures", 2)
    labelling = opened()
    label(labelling, "0123012301")
    assert KnownTexts(labelling.journal).hints("0123", (1, 4)) == Hints("0123")


@pytest.mark.parametrize("text", ["", " 01", "01 ", "\u200b", "0" * 65, "a\nb"])
def test_text_that_is_no_label_is_refused(opened: Open, tmp_path: Path, text: str) -> None:
    fill(tmp_path / "pictures", 1)
    labelling = opened()
    with pytest.raises(SampleError):
        label(labelling, text)
    assert labelling.progress().done == 0
    assert not (tmp_path / "origin").exists()


def test_label_is_composed(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 1)
    label(opened(), "e\u0301")
    assert labels_in(tmp_path / "origin") == ["\u00e9"]


def test_file_that_is_no_picture_is_passed_over(opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / "pictures", 1)
    (tmp_path / "pictures" / "text.png").write_text("no picture")
    labelling = opened()
    label(labelling, "01")
    assert labelling.next_question("tab") is None
    assert [labelling.queue.order.names[number] for number in labelling.queue.unreadable] == ["text.png"]
    labelling.grid("other")
    progress, (unreadable,) = labelling.progress(), labelling.unreadable()
    assert (progress.left, progress.unreadable, unreadable[0]) == (0, 1, "text.png")
    assert caplog.text.count("text.png can't be opened: ") == 1


def test_progress_counts_what_was_read_right_and_the_pace(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 6)
    labelling = opened()
    assert labelling.progress().right is None
    for text in ("00", "01", "00", "11"):
        label(labelling, text)
    progress = labelling.progress()
    assert progress.right
    assert progress.right[0] == 0.5
    assert progress.right[1] < 0.5 < progress.right[2]
    assert (progress.alphabet, progress.lengths) == ("01", (2, 2))
    assert progress.a_minute == 30
    question = asked(labelling)
    labelling.label(question.number, Label("11", "00", 0.5, session.PAUSE_S, "tab", model=question.model))
    assert labelling.progress().a_minute == 30, "a pause does not count"


class Unsure(Reader):
    """Reads each picture as its label, with a confidence that its place among the labels gives."""

    def recognize(self, picture: Any, hints: Hints) -> Prediction:
        super().recognize(picture, hints)
        texts = ("00", "01", "10", "11")
        number = len(self.hints) - 1
        return Prediction(texts[number % 4], 0.1 * (number % 8), (0.5, 0.5))


def test_grid_has_the_surest_sorted_by_their_readings(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "GRID_PICTURES", 3)
    fill(tmp_path / "pictures", 8)
    labelling = opened(Unsure())
    page = labelling.grid("tab")
    assert [question.reading.text for question in page] == ["01", "10", "11"]
    assert sorted(round(question.reading.confidence, 1) for question in page) == [0.5, 0.6, 0.7]
    assert not {each.number for each in page} & {each.number for each in labelling.grid("another")}
    for question in page[:2]:
        labelling.label(question.number, Label(question.reading.text, question.reading.text, at_random=False))
    assert labelling.progress().done == 2
    assert labelling.progress().right is None, "pictures that were chosen by their readings tell nothing of the others"
    assert page[2].number in {each.number for each in labelling.grid("tab")}, "what was not accepted is asked again"
    labelling.doubt([page[2].number])
    assert page[2].number not in {each.number for each in labelling.grid("tab")}
    assert label(labelling, "11").number == page[2].number, "what was read wrong comes before all others"
    assert labelling.progress().right is None


def test_pictures_are_read_once_until_more_is_known(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 1)
    fill(tmp_path / "pictures", 4)
    reader = Reader()
    labelling = opened(reader)
    for _ in range(2):
        labelling.grid("tab")
    assert len(reader.hints) == 4
    label(labelling, "01")
    labelling.grid("tab")
    assert len(reader.hints) == 7


def test_page_of_the_grid_is_taken_back_as_a_whole_also_what_a_kill_left(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 4)
    labelling = opened()
    for question in labelling.grid("tab")[:3]:
        labelling.label(question.number, Label("00", "00", tab="tab", at_random=False, page="first"))
    single = label(labelling, "01")
    take_back, calls = Copies.take_back, list[int]()

    def killed(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        take_back(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Copies, "take_back", killed)
        with pytest.raises(KeyboardInterrupt):
            labelling.undo_page("tab")
    questions, message = opened().undo_page("tab")
    assert ([each.said for each in questions], message) == (["00"], "")
    assert labels_in(tmp_path / "origin") == ["01"]
    with pytest.raises(SampleError, match="this tab accepted no page of the grid"):
        opened().undo_page("tab")
    assert single.name in opened().journal.standing


def test_what_another_tab_said_is_taken_back_only_once_it_is_closed(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 3)
    labelling = opened()
    said = label(labelling, "01", tab="theirs")
    with pytest.raises(SampleError, match="this tab said nothing yet"):
        labelling.undo("mine")
    assert labels_in(tmp_path / "origin") == ["01"]
    labelling.leave("theirs")
    again = labelling.undo("mine")
    assert again
    assert again.number == said.number
    label(labelling, "10", tab="theirs")
    monkeypatch.setattr(session, "AWAY_S", 0)
    assert labelling.undo("mine"), "it was not heard of for long"


def test_others_are_answered_while_many_pictures_are_read(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 20)
    labelling, answers = opened(), list[bool]()

    def ask(_: float) -> None:
        thread = Thread(target=labelling.progress)
        thread.start()
        thread.join(10)
        answers.append(not thread.is_alive())

    monkeypatch.setattr("cnnlib.labelling.session.time.sleep", ask)
    labelling.grid("tab")
    assert answers
    assert all(answers)


@pytest.fixture
def every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask about half of the labels again, two labels later."""
    monkeypatch.setattr(order, "AGAIN_ONE_IN", 2)
    monkeypatch.setattr(queue, "AGAIN_AFTER", 2)


def until_asked_again(labelling: Labelling, text: str = "01") -> Question:
    """Label pictures until one comes again; returns that question."""
    done = set[str]()
    while (question := asked(labelling)).name not in done:
        done.add(question.name)
        labelling.label(question.number, Label(text, "00", tab="tab"))
    return question


@pytest.mark.usefixtures("every_other")
def test_some_labels_are_asked_about_again_once(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened()
    question = until_asked_again(labelling)
    assert question.said is None, "the label that it has is not shown"
    labelling.label(question.number, Label("01", tab="tab"))
    progress = labelling.progress()
    assert (progress.again, progress.differed) == (1, 0)
    assert asked(opened()).name != question.name, "not a second time, also after a start anew"
    labels = list_entries(tmp_path / "origin")
    assert len(labels) == progress.done, "nothing is written twice"


@pytest.mark.usefixtures("every_other")
def test_another_label_the_second_time_counts_when_it_is_said_again(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened()
    question = until_asked_again(labelling)
    with pytest.raises(UnusualError, match="before, you wrote 01; once more if this is right"):
        labelling.label(question.number, Label("11", tab="tab"))
    assert "11" not in labels_in(tmp_path / "origin")
    labelling.label(question.number, Label("11", tab="tab"), sure=True)
    progress = labelling.progress()
    assert (progress.again, progress.differed) == (1, 1)
    assert labels_in(tmp_path / "origin").count("11") == 1
    assert len(list_entries(tmp_path / "origin")) == progress.done
    assert opened().progress() == replace(progress, a_minute=None)


@pytest.mark.usefixtures("every_other")
def test_same_label_in_other_case_does_not_differ_where_case_is_ignored(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened(fold=str.lower)
    question = until_asked_again(labelling, "aB")
    labelling.label(question.number, Label("Ab", tab="tab"))
    progress = labelling.progress()
    assert (progress.again, progress.differed) == (1, 0)
    assert {*labels_in(tmp_path / "origin")} == {"aB"}
    assert opened(fold=str.lower).progress().differed == 0


@pytest.mark.usefixtures("every_other")
def test_only_who_labelled_a_picture_is_asked_again_and_only_while_the_copy_is_there(
    opened: Open, tmp_path: Path
) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened()
    question = until_asked_again(labelling)
    assert asked(labelling, "other").name != question.name
    for copy in list_entries(tmp_path / "origin"):
        (tmp_path / "train").mkdir(exist_ok=True)
        copy.rename(tmp_path / "train" / copy.name)
    assert asked(labelling).name != question.name


def test_label_whose_copy_can_not_be_written_does_not_count(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "pictures", 3)
    labelling = opened()
    question = asked(labelling)
    with monkeypatch.context() as patch:
        patch.setattr(filing, "write_atomically", _no_room)
        with pytest.raises(OSError, match="No space left"):
            labelling.label(question.number, Label("01"))
    assert (labelling.progress().done, asked(labelling).number) == (0, question.number)
    for text in ("10", "11", "00"):
        label(labelling, text)
    assert labels_in(tmp_path / "origin") == ["00", "10", "11"]
    assert opened().progress().left == 0


def _no_room(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_name_that_is_too_long_for_a_file_does_not_stop_the_next_start(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 2)
    with pytest.raises(OSError, match="too long"):
        label(opened(), "\N{GRINNING FACE}" * 64)
    entry = session.Entry("label", asked(opened()).name, "x" * 300, "x" * 300 + ".png")
    Journal(tmp_path / "labels.jsonl").append(entry)  # as a kill leaves it
    labelling = opened()
    assert (labelling.progress().done, labelling.progress().left) == (0, 2)


def test_last_copy_of_a_picture_is_never_removed(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 2)
    labelling = opened()
    question = label(labelling, "01")
    source = tmp_path / "pictures" / question.name
    content = source.read_bytes()
    source.unlink()
    with pytest.raises(SampleError, match="its copy under 01 is all that is left, and stays"):
        labelling.undo("tab")
    draw("11", source, seed=77)
    with pytest.raises(SampleError, match="it has changed since; its copy under 01 is all that is left, and stays"):
        labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == ["01"]
    source.write_bytes(content)
    assert labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == []


def test_picture_that_is_to_be_asked_again_and_is_gone_is_passed_over(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "AGAIN_ONE_IN", 1)
    monkeypatch.setattr(queue, "AGAIN_AFTER", 1)
    fill(tmp_path / "pictures", 3)
    labelling = opened()
    first, second = label(labelling, "01"), label(labelling, "10")
    assert asked(labelling).number == first.number, "asked about again"
    labelling.queue._readings.clear()  # as for a new model
    (tmp_path / "pictures" / first.name).unlink()
    assert asked(labelling).name not in (first.name, second.name)


def test_copy_whose_unfinished_file_a_split_deletes_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def write(path: Path, data: bytes) -> None:
        tries.append(path)
        if len(tries) == 1:
            raise FileNotFoundError(path)
        path.write_bytes(data)

    monkeypatch.setattr(filing, "write_atomically", write)
    Copies(tmp_path / "origin", []).put(Entry("label", "a.png", "01", "01_1.png"), b"picture")
    assert (tmp_path / "origin" / "01_1.png").read_bytes() == b"picture"


@pytest.mark.parametrize("first", ["pictures", "others"])
@pytest.mark.parametrize("how", ["undo", "undo page", "start"])
def test_label_of_another_folder_is_never_removed(opened: Open, tmp_path: Path, first: str, how: str) -> None:
    fill(tmp_path / "pictures", 2)
    shutil.copytree(tmp_path / "pictures", tmp_path / "others")
    second = "others" if first == "pictures" else "pictures"
    if how == "start":
        label(opened(name=first), "01")
        opened(name=first).undo("tab")
        label(opened(name=second), "01")
        opened(name=first)
    else:
        for name in (first, second):
            question = asked(opened(name=name))
            opened(name=name).label(question.number, Label("01", tab="tab", page="page"))
        undone = opened(name="pictures")
        undone.undo("tab") if how == "undo" else undone.undo_page("tab")
        assert undone.progress().done == 0
    assert labels_in(tmp_path / "origin") == ["01"]


def test_file_that_was_in_the_folder_before_stays(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 1)
    label(opened(), "01")
    (tmp_path / "labels.jsonl").unlink()
    for folder in ("origin", "train"):
        if folder == "train":
            (tmp_path / "origin").rename(tmp_path / "train")
        label(opened(), "01")
        assert opened().undo("tab")
        assert labels_in(tmp_path / folder) == ["01"]
    assert labels_in(tmp_path / "origin") == [], "a picture of the sets has no second copy"


@pytest.mark.parametrize("at_start", [False, True])
def test_copy_that_could_not_be_removed_is_removed_later(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_start: bool
) -> None:
    fill(tmp_path / "pictures", 2)
    labelling = opened()
    label(labelling, "01")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _no_room)
        with pytest.raises(OSError, match="No space left"):
            labelling.undo("tab")
    assert labels_in(tmp_path / "origin") == ["01"]
    label(opened() if at_start else labelling, "10")
    assert labels_in(tmp_path / "origin") == ["10"]


@pytest.mark.parametrize("aside", [False, True])
def test_new_picture_under_an_old_name_is_asked_about(opened: Open, tmp_path: Path, aside: bool) -> None:
    (path, other) = fill(tmp_path / "pictures", 2)
    labelling = opened()
    numbers = {name: number for number, name in enumerate(labelling._names)}
    labelling.label(numbers[other.name], Label("11", tab="tab"))
    if aside:
        labelling.set_aside(numbers[path.name], 1.0, "tab")
    else:
        labelling.label(numbers[path.name], Label("01", tab="tab"))
    draw("10", path, seed=99)
    labelling = opened()
    assert (asked(labelling).name, labelling.progress().left) == (path.name, 1)
    label(labelling, "10")
    labelling = opened()
    assert (labelling.next_question("tab"), labelling.progress().left) == (None, 0)
    assert labels_in(tmp_path / "origin") == (["10", "11"] if aside else ["01", "10", "11"])


def test_copy_that_a_kill_prevented_is_not_made_of_another_picture(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = fill(tmp_path / "pictures", 1)
    labelling = opened()
    monkeypatch.setattr(Copies, "put", lambda *_: None)  # as a kill does
    label(labelling, "01")
    monkeypatch.undo()
    draw("10", path, seed=99)
    assert asked(opened()).name == path.name
    assert labels_in(tmp_path / "origin") == []


@pytest.mark.parametrize("scanned", ["before", "during", "never"])
@pytest.mark.parametrize("grid", [False, True])
def test_same_files_are_asked_about_once_whenever_they_are_found(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scanned: str, grid: bool
) -> None:
    for path in fill(tmp_path / "pictures", 4):
        shutil.copy2(path, path.with_name(f"copy_{path.name}"))
    labelling = opened()
    if scanned == "before":
        labelling.leave_out_doubles()
    if scanned == "during":
        data, last = labelling.data, len(labelling.files) - 1
        labelling.label(last, Label("01", tab="tab"))
        labelling.undo("tab")
        labelling.leave("tab")

        def read(number: int) -> bytes:
            if last not in labelling.queue._chosen:
                labelling.doubt([last])
                labelling.label(last, Label("01", tab="tab"))
            return data(number)

        monkeypatch.setattr(labelling, "data", read)
        labelling.leave_out_doubles()
    if grid:
        for question in labelling.grid("tab"):
            labelling.label(question.number, Label("00", tab="tab", at_random=False))
    while question := labelling.next_question("tab"):
        labelling.label(question.number, Label("10", tab="tab"))
    progress = labelling.progress()
    assert (progress.done, progress.left, progress.doubles) == (4, 0, 4)
    assert len(list_entries(tmp_path / "origin")) == 4


def test_two_tabs_are_not_asked_about_the_same_file(opened: Open, tmp_path: Path) -> None:
    (path,) = fill(tmp_path / "pictures", 1)
    shutil.copy2(path, path.with_name("copy.png"))
    labelling = opened()
    assert labelling.next_question("one")
    assert labelling.next_question("other") is None


@pytest.mark.usefixtures("every_other")
def test_picture_that_comes_again_can_be_set_aside(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened()
    question = until_asked_again(labelling)
    before = labelling.progress()
    with pytest.raises(UnusualError, match="before, you wrote 01; once more if it can't be read"):
        labelling.set_aside(question.number, 1.0, "tab")
    assert labelling.progress() == before
    labelling.set_aside(question.number, 1.0, "tab", sure=True)
    progress = labelling.progress()
    assert (progress.done, progress.aside) == (before.done - 1, 1)
    assert (progress.again, progress.differed) == (1, 1)
    assert asked(labelling).name != question.name
    assert len(list_entries(tmp_path / "origin")) == progress.done


@pytest.mark.usefixtures("every_other")
def test_back_after_a_picture_that_came_again_shows_that_one(opened: Open, tmp_path: Path) -> None:
    fill(tmp_path / "pictures", 20)
    labelling = opened()
    question = until_asked_again(labelling)
    labelling.label(question.number, Label("01", tab="tab"))
    again = opened().undo("tab")
    assert again
    assert (again.name, again.said) == (question.name, "01")
