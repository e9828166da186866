"""A labelling: what is said about each picture, where that goes, and how far it is."""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import checked_label
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry as File
from cnnlib.evaluation.metrics import interval
from cnnlib.labelling.filing import Filing, digest_of
from cnnlib.labelling.journal import Entry, Journal, undo_of
from cnnlib.labelling.known_texts import UnusualError
from cnnlib.labelling.order import doubles_among
from cnnlib.labelling.queue import Question, Queue, Reader

RECENT = 20  # labels, whose pace is shown
PAUSE_S = 120  # for a label, above which there was a pause
AWAY_S = 600  # after which a tab that was not heard of is thought to be closed
TURN_S = 0.001  # in which others are answered


class TakenError(SampleError):
    """Something was said about the picture already, by another tab or person, or it can't be read any more."""


@dataclass(frozen=True)
class Label:
    """What is said about a picture: its text, and what its tab knew.

    That is the reading that it showed, with the version of the model, and for how long; no model for none.
    `at_random`: the picture was not chosen for its reading, so it tells about all others. `page` of the grid: where it
    was accepted.
    """

    text: str
    reading: str = ""
    confidence: float = 0.0
    seconds: float = 0.0
    tab: str = ""
    at_random: bool = True
    model: str = ""
    page: str = ""


@dataclass(frozen=True)
class Progress:
    """How far a labelling is: pictures done, set aside and left, how many a minute, and what was read right.

    `right` is the share of pictures at random whose label the reading of today's model had, with its 95% interval;
    None without any. Of the pictures that were asked about `again`, some labels `differed` from before. `doubles` are
    left out, because another file is the same, and those that are `unreadable`, because they can't be opened.
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
    unreadable: int


class Labelling:
    """The labelling of some picture files. What it does to files is up to its filing.

    Threads, and several people, may share it. What a killed labelling has in its journal is found again.
    """

    def __init__(
        self,
        files: Sequence[File],
        journal: Journal,
        filing: Filing,
        reader: Reader,
        *,
        at_random: bool = True,
        fold: Callable[[str], str] = str,
    ) -> None:
        """`at_random`: the files come in an order at random, always the same; else in their own.

        Labels are the same if `fold` makes them so, as where case is ignored.
        """
        self.queue, self.fold = Queue(files, journal, filing, reader, at_random=at_random, fold=fold), fold
        self.files, self._names = self.queue.files, self.queue.order.names
        self.journal, self.filing, self.reader, self._known = journal, filing, reader, self.queue.known
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self._lock = threading.RLock()
        self._seconds: list[float] = []  # that labels took
        self._heard: dict[str, float] = {}  # when each tab was heard of last
        self._finish_last()
        self._find_changed()

    def next_question(self, tab: str) -> Question | None:
        """The next picture for a tab of a browser. No other tab gets it for a while.

        None when none is left, or when other tabs show all that are.
        """
        self._read_ahead(tab, grid=False)
        with self._lock:
            return self.queue.next(tab)

    def grid(self, tab: str) -> list[Question]:
        """The surest of the next pictures, sorted by what is read, so that a wrong one stands out among its like.

        No other tab gets them for a while. Raises SampleError in a second look.
        """
        self.check_grid()
        self._read_ahead(tab, grid=True)
        with self._lock:
            return _sorted(self.queue.surest(tab))

    def check_grid(self) -> None:
        """Raise SampleError in a second look: there the readings are those that contradict the labels."""
        if self.is_second_look:
            raise SampleError("a second look has no grid, because its readings contradict the labels; go one by one")

    @property
    def is_second_look(self) -> bool:
        """Whether the pictures are those of a table of suspects, and have labels."""
        return not self.queue.order.at_random

    def leave(self, tab: str) -> None:
        """Note that a tab was closed: others get the pictures that it showed, and may take back what it said."""
        with self._lock:
            self.queue.give_back(tab)
            self._heard.pop(tab, None)

    def _read_ahead(self, tab: str, *, grid: bool) -> None:
        """Read what is chosen from, a few pictures at a time, so that other tabs are answered in between."""
        with self._lock:
            self._heard[tab] = time.monotonic()
        while self._reads_some(tab, grid=grid):
            time.sleep(TURN_S)

    def _reads_some(self, tab: str, *, grid: bool) -> bool:
        with self._lock:
            return self.queue.read_ahead(tab, grid=grid)

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
            self.queue.note_content(number, digest_of(data))
            if not sure:
                self._known.check_usual(text)
            copy = self.filing.name(self._names[number], text, data)
            shown, said_by = (label.reading, label.confidence, label.seconds), (label.tab, label.model)
            at_random = label.at_random and self.queue.comes_evenly(number)
            entry = Entry("label", self._names[number], text, copy, *shown, *said_by, at_random, page=label.page)
            self._note(entry, data)
            self._seconds.append(label.seconds)

    def _is_same_again(self, number: int, text: str | None, tab: str, *, sure: bool) -> bool:
        """Whether a picture was asked about again and has its label. With another one, its label is taken back.

        Without a text, it can't be read. Raises UnusualError for that or another label, unless it is `sure`.
        """
        before = self.queue.said(number)
        again = self.queue.asked_again(tab)
        if before is None or again is None or again.number != number:
            return False
        same = text is not None and self._is_same(text, before.label)
        if not same and not sure:
            now = "it can't be read" if text is None else "this is right"
            raise UnusualError(f"before, you wrote {escape_odd(before.label)}; once more if {now}")
        self.journal.append(Entry("again", before.picture, text or "", tab=tab, before=before.label))
        if not same:
            self._take_back(before, tab)
        return same

    def _is_same(self, label: str, other: str) -> bool:
        return self.fold(label) == self.fold(other)

    def _take_back(self, entry: Entry, tab: str) -> None:
        self.journal.append(undo_of(entry, tab))
        self._finish_undo()

    def _finish_undo(self) -> None:
        """Do to the files what was taken back last, unless that was done.

        Raises SampleError when it can't be done, and OSError when it failed and is tried again.
        """
        undo = self.journal.unfinished
        if undo is None:
            return
        try:
            self.filing.take_back(undo, itertools.chain(self.journal.standing.values(), self.journal.beside()))
        except SampleError:
            self.journal.finish(undo)
            raise
        self.journal.finish(undo)

    def _read(self, number: int) -> bytes:
        """The bytes of a picture. Raises TakenError when it is gone, and then it is not asked about again."""
        try:
            return self.files[number].read()
        except SampleError as error:
            self.queue.pass_over(number, error)
            raise TakenError(f"{self._names[number]}: {error}; here is the next one") from error

    def _note(self, entry: Entry, data: bytes) -> None:
        """Write what was said, then make its file. Where that fails nothing was said."""
        self._finish_undo()
        entry = replace(entry, found=self._is_found(entry))
        self.journal.append(entry)
        try:
            self.filing.put(entry, data)
        except (OSError, SampleError):
            self.journal.retract(entry)
            with suppress(OSError, SampleError):
                self._finish_undo()
            raise
        self.queue.note_said(self._numbers[entry.picture])

    def _is_found(self, entry: Entry) -> bool:
        """Whether the file that an entry is to make is there, and no other entry of this journal made it."""
        own = {other.copy.casefold() for other in self.journal.standing.values() if not other.found}
        return entry.copy.casefold() not in own and self.filing.is_there(entry)

    def set_aside(self, number: int, seconds: float, tab: str, *, sure: bool = False) -> None:
        """Say that a picture can't be read.

        Raises TakenError, UnusualError unless it is `sure`, and OSError when it can't be saved.
        """
        with self._lock:
            self._is_same_again(number, None, tab, sure=sure)
            self._check_free(number)
            copy = self.filing.name(self._names[number], None, b"")
            digest = self._digest(number)
            self._note(Entry("aside", self._names[number], copy=copy, seconds=seconds, tab=tab, digest=digest), b"")

    def _digest(self, number: int) -> str:
        """The digest of a picture, which the queue gets to know; empty for one that can't be read."""
        try:
            digest = digest_of(self.files[number].read())
        except SampleError:
            return ""
        self.queue.note_content(number, digest)
        return digest

    def undo(self, tab: str) -> Question | None:
        """Take back what this tab said last, and ask again; None when nothing was said.

        A tab that said nothing takes back what was said by one that is not there any more. A picture that was set aside
        and is gone is not asked about. Raises SampleError when all was said by others, when the copy has been moved
        since, so that it would stay, and when it is the only one that is left.
        """
        with self._lock:
            said = self._said_by(tab)
            return self._undo(said[-1], tab) if said else None

    def undo_page(self, tab: str) -> tuple[list[Question], str]:
        """Take back the page of the grid that this tab accepted last, and show it again.

        Returns its questions, and what to say about the labels that have to stay. Raises SampleError when it accepted
        none, or all have to stay, for the reasons of `undo`.
        """
        with self._lock:
            of_pages = [entry for entry in self._said_by(tab) if entry.page]
            if not of_pages:
                raise SampleError("this tab accepted no page of the grid; one by one, single labels are taken back")
            page = [entry for entry in of_pages if entry.page == of_pages[-1].page]
            questions, faults = list[Question](), list[SampleError]()
            for entry in reversed(page):
                try:
                    questions += filter(None, [self._undo(entry, tab)])
                except SampleError as error:
                    faults.append(error)
            if len(faults) == len(page):
                raise faults[0]
            stay = f"{len(faults)} of {len(page)} labels stay: {faults[0]}" if faults else ""
            return _sorted(reversed(questions)), stay

    def _said_by(self, tab: str) -> list[Entry]:
        """What a tab said, the oldest first; if nothing, what was said by tabs that are closed.

        Raises SampleError when tabs that are there said all.
        """
        known = [entry for entry in self.journal.standing.values() if entry.picture in self._numbers]
        now, never = time.monotonic(), -AWAY_S
        closed = [entry for entry in known if now - self._heard.get(entry.tab, never) >= AWAY_S]
        said = [entry for entry in known if entry.tab == tab] or closed
        if known and not said:
            raise SampleError("this tab said nothing yet; what another tab said is taken back there")
        return said

    def _undo(self, entry: Entry, tab: str) -> Question | None:
        self.filing.check_there(entry)
        if entry.copy:
            self._check_source(entry)
        self._take_back(entry, tab)
        with suppress(SampleError):  # one that was set aside may be gone
            return self.queue.ask(self._numbers[entry.picture], tab, entry.label or None)
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

    def want_even(self, count: int) -> None:
        """Let so many pictures come next that tell about all others, as far as there are any."""
        with self._lock:
            self.queue.even_wanted = count

    def name(self, number: int) -> str:
        """The name of a picture. A number may be another picture's after a start anew, a name never is."""
        return self._names[number]

    def unreadable(self) -> list[tuple[str, str]]:
        """The names of the pictures that can't be opened, as far as they came, each with the reason."""
        with self._lock:
            known = self.queue.unreadable.items()
            return sorted((self._names[number], reason) for number, reason in known if not self.queue.said(number))

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
            share = sum(self._is_same(entry.label, entry.reading) for entry in asked) / max(1, len(asked))
            return Progress(
                done=len(labels),
                aside=len(standing) - len(labels),
                left=self.queue.left(),
                a_minute=self._pace(),
                right=(share, *interval(share, len(asked))) if asked else None,
                alphabet="".join(sorted({*"".join(labels)})),
                lengths=(min(map(len, labels)), max(map(len, labels))) if labels else None,
                again=len(self.journal.again),
                differed=sum(not self._is_same(entry.label, entry.before) for entry in self.journal.again.values()),
                doubles=self.queue.doubles(),
                unreadable=len(self.unreadable()),
            )

    def leave_out_doubles(self) -> None:
        """Leave out files that are the same, and ask about nearly the same pictures last.

        A picture that has a label comes before its likes. All are decoded; that may go on beside the questions.
        """
        said = self.journal.standing
        numbers = sorted(range(len(self.files)), key=lambda number: self._names[number] not in said)
        doubles = doubles_among(numbers, self.data)
        with self._lock:
            self.queue.near = doubles.near
            for number, first in doubles.exact.items():
                self.queue.note_same(number, first)

    def _finish_last(self) -> None:
        """Do to the files what was said last, or take it back, which a kill may have prevented.

        What can't be done any more does not count.
        """
        with suppress(SampleError):
            self._finish_undo()
        last = self.journal.last
        is_known = last and last.action in ("label", "aside") and last.picture in self._numbers
        if last and is_known and not self.filing.is_put(last):
            try:
                self._put_late(last, self.files[self._numbers[last.picture]].read())
            except (OSError, SampleError):
                self.journal.retract(last)

    def _put_late(self, entry: Entry, data: bytes) -> None:
        """Make the file of an entry. Raises OSError, and SampleError when the picture is another one by now."""
        digest = self.filing.digest(entry)
        if digest and digest != digest_of(data):
            raise SampleError(f"{entry.picture}: it has changed since")
        self.filing.put(entry, data)

    def _find_changed(self) -> None:
        """Find pictures whose content is another one than what was said is about: these are asked about."""
        for number, name in enumerate(self._names):
            said = self.journal.standing.get(name)
            if said and (before := self.filing.digest(said)) and self._digest(number) not in ("", before):
                self.queue.changed.add(number)

    def _check_free(self, number: int) -> None:
        said = self.queue.said(number)
        if said and self.filing.is_put(said):  # else saving failed, and is tried again
            raise TakenError(f"{self._names[number]}: something was said about it already; undo that to change it")

    def _pace(self) -> float | None:
        """Labels a minute of late, without pauses."""
        working = [seconds for seconds in self._seconds[-RECENT:] if 0 < seconds < PAUSE_S]
        return 60 * len(working) / sum(working) if working else None


def _sorted(questions: Iterable[Question]) -> list[Question]:
    return sorted(questions, key=lambda question: question.reading.text)


def _checked(text: str) -> str:
    """A label in composed characters. Raises SampleError for one that can't be a label."""
    if not text or text != text.strip():
        raise SampleError("expected a label without blanks at its ends; got " + (repr(text) if text else "none"))
    label = checked_label(text)
    if len(label) > LABEL_LIMIT:
        raise SampleError(f"expected a label of at most {LABEL_LIMIT} characters; got {len(label)}")
    return label
