import json
import os
from pathlib import Path
from typing import Any

import pytest

from cnnlib.core.errors import SampleError
from cnnlib.labelling.journal import Entry, Journal, undo_of

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


def test_what_a_full_disk_cut_off_harms_neither_this_nor_later_entries(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.append(FIRST)
    open_ = Path.open

    class Full:
        """A file on a disk that takes forty bytes more."""

        def __init__(self, file: Any) -> None:
            self._file, self._room = file, 40

        def __enter__(self) -> "Full":
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

        def write(self, content: bytes) -> int:
            if not self._room:
                raise OSError(28, "No space left on device")
            written, self._room = self._file.write(bytes(content)[: self._room]), 0
            return written

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", lambda self, *a, **k: Full(open_(self, *a, **k)))
            with pytest.raises(OSError, match="No space left"):
                journal.append(SECOND)
        assert [*journal.standing.values()] == [*Journal(path).standing.values()] == [FIRST]
    journal.append(SECOND)
    assert [*Journal(path).standing.values()] == [FIRST, SECOND]
    assert json.loads(path.read_bytes().splitlines()[-1])["picture"] == SECOND.picture, "a line of its own"


def test_entry_behind_one_that_was_cut_short_is_found(path: Path) -> None:
    Journal(path).append(FIRST)
    line = path.read_bytes()
    path.write_bytes(line[:40] + line)  # as older versions wrote after a full disk
    assert [*Journal(path).standing.values()] == [FIRST]


@pytest.mark.parametrize("name", [os.fsdecode("验证码.jpg".encode("gbk")), "a\ud800.png", 'a"{"action":.png'])
def test_names_that_are_no_utf_8_are_kept_as_they_are(path: Path, name: str) -> None:
    entry = Entry("label", name, "天地", "copy.png")
    Journal(path).append(entry)
    Journal(path).append(SECOND)
    assert [*Journal(path).standing.values()] == [entry, SECOND]


def test_what_could_not_be_taken_back_on_a_full_disk_is_taken_back_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(path)
    journal.append(FIRST)
    with monkeypatch.context() as patch:
        patch.setattr(journal, "_write", _full)
        journal.retract(FIRST)
    assert journal.standing == {}
    journal.append(SECOND)
    assert [*Journal(path).standing.values()] == [SECOND]


def _full(_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("feed", [b"\n", b"\r\n"])
def test_last_line_counts_without_its_line_feed(path: Path, feed: bytes) -> None:
    Journal(path).append(FIRST)
    path.write_bytes(path.read_bytes().replace(b"\n", feed).removesuffix(feed))
    journal = Journal(path)
    assert [*journal.standing.values()] == [FIRST]
    journal.append(SECOND)
    assert [*Journal(path).standing.values()] == [FIRST, SECOND]


def test_entry_that_was_refused_does_not_count_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(path)
    journal.append(FIRST)
    with monkeypatch.context() as patch:
        patch.setattr("cnnlib.labelling.journal.os.fsync", _full)
        with pytest.raises(OSError, match="No space left"):
            journal.append(SECOND)
    assert [*Journal(path).standing.values()] == [FIRST]


def test_undo_is_unfinished_until_it_was_done_to_the_files(path: Path) -> None:
    journal, undo = Journal(path), undo_of(FIRST, "tab")
    for entry in (FIRST, undo):
        journal.append(entry)
    assert Journal(path).unfinished == undo
    journal.finish(undo)
    assert Journal(path).unfinished is None
    assert Journal(path).standing == {}


def test_journal_of_an_older_version_is_read(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"action":"label","picture":"a.png","label":"4271","copy":"4271_0.png"}\n', encoding="utf-8")
    assert [*Journal(path).standing.values()] == [Entry("label", "a.png", "4271", "4271_0.png")]


def test_other_file_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"a": 1}\n')
    with pytest.raises(SampleError, match=r"labels\.jsonl: line 1: expected an entry of a labelling; got another line"):
        Journal(path)
    with pytest.raises(SampleError, match="can't be read"):
        Journal(path.parent)
