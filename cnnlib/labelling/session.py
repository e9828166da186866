"""A labelling: what is said about each picture, where that goes, and how far it is."""

import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import checked_label
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry as File
from cnnlib.evaluation.metrics import interval
from cnnlib.labelling.filing import Filing
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.known_texts import KnownTexts, UnusualError
from cnnlib.labelling.order import doubles_among
from cnnlib.labelling.queue import Question, Queue, Reader

RECENT = 20  # labels, whose pace is shown
PAUSE_S = 120  # for a label, above which there was a pause


class TakenError(SampleError):
    """Something was said about the picture already, by another tab or person, or it can't be read any more."""


@dataclass(frozen=True)
class Label:
    """What is said about a picture: its text, and what its tab knew.

    That is the reading that it showed, with the version of the model, and for how long; no model for none.
    `at_random`: the picture was not chosen for its reading, so it tells about all others.
    """

    text: str
    reading: str = ""
    confidence: float = 0.0
    seconds: float = 0.0
    tab: str = ""
    at_random: bool = True
    model: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a labelling is: pictures done, set aside and left, how many a minute, and what was read right.

    `right` is the share of pictures at random whose label the reading of today's model had, with its 95% interval;
    None without any. Of the pictures that were asked about `again`, some labels `differed` from before. `doubles` are
    left out, because another file is the same.
    """

    done: int
    aside: int
    left: int
    a_minute: float | None
    right: tuple[float, float, float] | None
    alphabet: str
    lengths: tuple[int, int] | None
    again: int
    differed: int
    doubles: int


class Labelling:
    """The labelling of some picture files. What it does to files is up to its filing.

    Threads, and several people, may share it. What a killed labelling has in its journal is found again.
    """

    def __init__(
        self, files: Sequence[File], journal: Journal, filing: Filing, reader: Reader, *, at_random: bool = True
    ) -> None:
        """`at_random`: the files come in an order at random, always the same; else in their own."""
        self.queue = Queue(files, journal, filing, reader, at_random=at_random)
        self.files, self._names = self.queue.files, self.queue.order.names
        self.journal, self.filing, self.reader, self._known = journal, filing, reader, KnownTexts(journal)
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._lock = threading.RLock()
        self._seconds: list[float] = []  # that labels took
        self._finish_last()

    def next_question(self, tab: str) -> Question | None:
        """The next picture for a tab of a browser, None when none is left. No other tab gets it for a while."""
        with self._lock:
            return self.queue.next(tab)

    def grid(self, tab: str) -> list[Question]:
        """The surest of the next pictures, sorted by what is read, so that a wrong one stands out among its like.

        No other tab gets them for a while.
        """
        with self._lock:
            return sorted(self.queue.surest(tab), key=lambda question: question.reading.text)

    def doubt(self, numbers: Iterable[int]) -> None:
        """Note that pictures of a grid were read wrong: they come one by one, before all others."""
        with self._lock:
            self.queue.choose(numbers)

    def label(self, number: int, label: Label, *, sure: bool = False) -> None:
        """Write the label of a picture into the journal, then its copy.

        Raises SampleError for a text that can't be a label, of its kinds TakenError and, unless it is `sure`,
        UnusualError; OSError when it can't be saved.
        """
        text = _checked(label.text)
        with self._lock:
            data = self._read(number)
            if self._is_same_again(number, text, label.tab, sure=sure):
                return
            self._check_free(number)
            if not sure:
                self._known.check_usual(text)
            copy = self.filing.name(self._names[number], text, data)
            shown, said_by = (label.reading, label.confidence, label.seconds), (label.tab, label.model)
            at_random = label.at_random and self.queue.comes_evenly(number)
            entry = Entry("label", self._names[number], text, copy, *shown, *said_by, at_random)
            self._note(entry, data)
            self._seconds.append(label.seconds)

    def _is_same_again(self, number: int, text: str, tab: str, *, sure: bool) -> bool:
        """Whether a picture was asked about again and has its label. With another one, its label is taken back.

        Raises UnusualError for another label, unless it is `sure`.
        """
        before = self.journal.standing.get(self._names[number])
        again = self.queue.asked_again(tab)
        if before is None or again is None or again.number != number:
            return False
        same = text == before.label
        if not same and not sure:
            raise UnusualError(f"before, you wrote {escape_odd(before.label)}; once more if this is right")
        self.journal.append(Entry("again", before.picture, text, tab=tab, before=before.label))
        if not same:
            self._take_back(before, tab)
        return same

    def _take_back(self, entry: Entry, tab: str) -> None:
        self.journal.append(Entry("undo", entry.picture, entry.label, entry.copy, tab=tab))
        self.filing.take_back(entry, self.journal.standing.values())

    def _read(self, number: int) -> bytes:
        """The bytes of a picture. Raises TakenError when it is gone, and then it is not asked about again."""
        try:
            return self.files[number].read()
        except SampleError as error:
            self.queue.unreadable[number] = str(error)
            raise TakenError(f"{self._names[number]}: {error}; here is the next one") from error

    def _note(self, entry: Entry, data: bytes) -> None:
        """Write what was said, then make its file. Where that fails nothing was said."""
        self.journal.append(entry)
        try:
            self.filing.put(entry, data)
        except (OSError, SampleError):
            self.journal.retract(entry)
            raise
        self.queue.note_said(self._numbers[entry.picture])

    def set_aside(self, number: int, seconds: float, tab: str) -> None:
        """Say that a picture can't be read. Raises TakenError, and OSError when it can't be saved."""
        with self._lock:
            self._check_free(number)
            copy = self.filing.name(self._names[number], None, b"")
            self._note(Entry("aside", self._names[number], copy=copy, seconds=seconds, tab=tab), b"")

    def undo(self, tab: str) -> Question | None:
        """Take back what this tab said last, or anyone if it said nothing, and ask again; None when nothing was said.

        A picture that was set aside and is gone is not asked about. Raises SampleError when the copy has been moved
        since, so that it would stay, or is the only one that is left.
        """
        with self._lock:
            known = [entry for entry in self.journal.standing.values() if entry.picture in self._numbers]
            last = next((entry for entry in reversed(known) if entry.tab == tab), known[-1] if known else None)
            if last is None:
                return None
            number = self._numbers[last.picture]
            self.filing.check_there(last)
            if last.copy:
                self._check_source(last)
            self._take_back(last, tab)
            with suppress(SampleError):  # one that was set aside may be gone
                return self.queue.ask(number, tab, last.label or None)
            return None

    def _check_source(self, entry: Entry) -> None:
        """Raise SampleError when the picture that an entry is about is gone, or is another one by now."""
        kept = f"its copy under {escape_odd(entry.label)} is all that is left, and stays"
        try:
            data = self.files[self._numbers[entry.picture]].read()
        except SampleError as error:
            raise SampleError(f"{entry.picture}: {error}; {kept}") from error
        if self.filing.name(entry.picture, entry.label or None, data) != entry.copy:
            raise SampleError(f"{entry.picture}: it has changed since; {kept}")

    def name(self, number: int) -> str:
        """The name of a picture. A number may be another picture's after a start anew, a name never is."""
        return self._names[number]

    def data(self, number: int) -> bytes:
        """The bytes of a picture. Raises SampleError."""
        return self.files[number].read()

    def progress(self) -> Progress:
        """How far it is."""
        with self._lock:
            standing, labels = self.journal.standing, self._known.labels
            asked = [
                entry
                for entry in standing.values()
                if entry.action == "label" and entry.at_random and entry.model == self.reader.version
            ]
            share = sum(entry.label == entry.reading for entry in asked) / max(1, len(asked))
            return Progress(
                done=len(labels),
                aside=len(standing) - len(labels),
                left=self.queue.left(),
                a_minute=self._pace(),
                right=(share, *interval(share, len(asked))) if asked else None,
                alphabet="".join(sorted({*"".join(labels)})),
                lengths=(min(map(len, labels)), max(map(len, labels))) if labels else None,
                again=len(self.journal.again),
                differed=sum(entry.label != entry.before for entry in self.journal.again.values()),
                doubles=len(self.queue.doubles.exact),
            )

    def leave_out_doubles(self) -> None:
        """Leave out files that are the same, and ask about nearly the same pictures last.

        A picture that has a label comes before its likes. All are decoded; that may go on beside the questions.
        """
        said = self.journal.standing
        numbers = sorted(range(len(self.files)), key=lambda number: self._names[number] not in said)
        doubles = doubles_among(numbers, self.data)
        with self._lock:
            self.queue.doubles = doubles

    def _finish_last(self) -> None:
        """Do to the files what was said last, or take it back, which a kill may have prevented.

        What can't be done any more does not count.
        """
        last = self.journal.last
        if last and last.action == "undo":
            self.filing.take_back(last, self.journal.standing.values())
        elif last and last.picture in self._numbers and not self.filing.is_put(last):
            try:
                self.filing.put(last, self.files[self._numbers[last.picture]].read())
            except (OSError, SampleError):
                self.journal.retract(last)

    def _check_free(self, number: int) -> None:
        said = self.journal.standing.get(self._names[number])
        if said and self.filing.is_put(said):  # else saving failed, and is tried again
            raise TakenError(f"{self._names[number]}: something was said about it already; undo that to change it")

    def _pace(self) -> float | None:
        """Labels a minute of late, without pauses."""
        working = [seconds for seconds in self._seconds[-RECENT:] if 0 < seconds < PAUSE_S]
        return 60 * len(working) / sum(working) if working else None


def _checked(text: str) -> str:
    """A label in composed characters. Raises SampleError for one that can't be a label."""
    if not text or text != text.strip():
        raise SampleError("expected a label without blanks at its ends; got " + (repr(text) if text else "none"))
    label = checked_label(text)
    if len(label) > LABEL_LIMIT:
        raise SampleError(f"expected a label of at most {LABEL_LIMIT} characters; got {len(label)}")
    return label
