from pathlib import Path

import pytest

from cnnlib.core.errors import SampleError
from cnnlib.labelling.journal import Entry, Journal

FIRST = Entry("label", "a.png", "4271", "4271_0.png", "4211", 0.5, 2.5, "tab")
SECOND = Entry("aside", "中/b.png")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "labels.jsonl"


def test_entries_are_found_again(path: Path) -> None:
    journal = Journal(path)
    for entry in (FIRST, SECOND):
        journal.append(entry)
    assert [*journal.standing.values()] == [*Journal(path).standing.values()] == [FIRST, SECOND]
    assert path.read_bytes().count(b"\n") == 2


def test_what_was_taken_back_does_not_stand(path: Path) -> None:
    journal = Journal(path)
    for entry in (FIRST, SECOND, Entry("undo", "a.png")):
        journal.append(entry)
    assert [*Journal(path).standing.values()] == [SECOND]
    journal.append(FIRST)
    assert [*Journal(path).standing.values()] == [SECOND, FIRST], "what was said last is last"


@pytest.mark.parametrize("kept", range(1, 20))
def test_line_that_was_cut_short_is_passed_over_and_others_are_not_lost(path: Path, kept: int) -> None:
    Journal(path).append(FIRST)
    whole = path.read_bytes()
    Journal(path).append(SECOND)
    path.write_bytes(path.read_bytes()[: len(whole) + kept])
    torn = Journal(path)
    assert [*torn.standing.values()] == [FIRST]
    torn.append(SECOND)
    assert [*Journal(path).standing.values()] == [FIRST, SECOND]


def test_line_whose_end_alone_is_missing_is_passed_over(path: Path) -> None:
    Journal(path).append(FIRST)
    path.write_bytes(path.read_bytes()[:-1])
    assert Journal(path).standing == {}, "its copy was not written yet"


def test_other_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"a": 1}\n')
    with pytest.raises(SampleError, match=r"labels\.jsonl: line 1: expected an entry of a labelling; got another line"):
        Journal(path)
    with pytest.raises(SampleError, match="can't be read"):
        Journal(path.parent)
