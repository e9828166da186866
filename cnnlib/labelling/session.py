"""A labelling: which picture comes next, how it reads, and where its label goes."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import checked_label
from cnnlib.codec.images import decode_picture
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry as File
from cnnlib.evaluation.metrics import interval
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.labelling.filing import Filing
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.order import Order, doubles_among

NARROWED_FROM = 50  # labels, from which on only their characters and lengths are read
LEASE_S = 120  # for which a picture that one tab shows is shown by no other
GRID_PICTURES = 48  # on a page
GRID_CHOICE = 400  # pictures that the surest are chosen from
DOUBT_CHOICE = 100  # pictures that the least sure is chosen from
EVEN_ONE_IN = 10  # pictures that come one by one is not chosen
AGAIN_AFTER = 20  # labels later a picture is asked about again
RECENT = 20  # labels, whose pace is shown
PAUSE_S = 120  # between two labels, above which it was a pause


class Reader(Protocol):
    """What a labelling needs of a model."""

    @property
    def version(self) -> str:
        """The name of the model, another one after each training."""

    @property
    def trained(self) -> bool:
        """Whether it has learned pictures of this kind, so that its confidence tells what is worth a label."""

    @property
    def characters(self) -> str:
        """Those that it reads."""

    @property
    def lengths(self) -> tuple[int, int]:
        """The fewest and the most characters that it reads."""

    def refresh(self) -> None:
        """Take another model, if there is one by now."""

    def recognize(self, picture: Image.Image, hints: Hints) -> Prediction:
        """Read a picture. Raises SampleError."""


class TakenError(SampleError):
    """Something was said about the picture already, by another tab or person."""


class UnusualError(SampleError):
    """A label has what no label had before. It counts when it is said again, with `sure`."""


@dataclass(frozen=True)
class Question:
    """A picture that waits for its label, by its number, with its name and how the model reads it.

    `said` is the label that was taken back, if it had one, and `label` the one in its name.
    """

    number: int
    name: str
    reading: Prediction
    said: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class Label:
    """What is said about a picture: its text, and what its tab knew: the reading that it showed, and for how long.

    `at_random`: the picture was not chosen for its reading, so it tells about all others.
    """

    text: str
    reading: str = ""
    confidence: float = 0.0
    seconds: float = 0.0
    tab: str = ""
    at_random: bool = True


@dataclass(frozen=True)
class Progress:
    """How far a labelling is: pictures done, set aside and left, how many a minute, and what was read right.

    `right` is the share of pictures at random whose label the reading of today's model had, with its 95% interval;
    None without any. Of the pictures that were asked about `again`, some labels `differed` from before. `doubles` are
    left out, because another picture is nearly the same.
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
        self._order = Order(files, at_random=at_random)
        self.files = self._order.files
        self.journal, self.filing, self.reader = journal, filing, reader
        self._numbers = {str(file.name): number for number, file in enumerate(self.files)}
        self._lock = threading.RLock()
        self._leases: dict[int, tuple[str, float]] = {}
        self._unreadable: dict[int, str] = {}
        self._doubted: set[int] = set()  # chosen because of their readings
        self._doubles: set[int] = set()
        self._readings: dict[int, tuple[str, Hints, Prediction]] = {}
        self._times: list[float] = []
        self._finish_last()

    def next_question(self, tab: str) -> Question | None:
        """The next picture for a tab of a browser, None when none is left. It is this tab's for `LEASE_S`.

        Those that were read wrong come first. Once the model has learned pictures of this kind, the least sure of the
        next ones comes, but for each tenth time.
        """
        with self._lock:
            again = self._asked_again(tab)
            if again:
                return again
            self.reader.refresh()
            doubted = next(self._questions(tab, sorted(self._doubted)), None)
            return doubted or self._least_sure(tab) or next(self._questions(tab, self._evenly()), None)

    def _least_sure(self, tab: str) -> Question | None:
        """Of the next pictures the one that the model doubts most; None where one at random is due."""
        if not (self._order.at_random and self.reader.trained) or self._is_even_due():
            return None
        found = itertools.islice(self._questions(tab, self._choosable(), lease=False), DOUBT_CHOICE)
        least = min(found, key=lambda question: question.reading.confidence, default=None)
        if least:
            self._doubted.add(least.number)
            self._lease(least.number, tab)
        return least

    def _choosable(self) -> Iterator[int]:
        """The pictures that may be chosen for their readings, and were not yet."""
        kept_out = self._doubted.union(self._order.apart)
        return (number for number in range(len(self.files)) if number not in kept_out)

    def _is_even_due(self) -> bool:
        standing = self.journal.standing.values()
        evenly = sum(entry.at_random and entry.model == self.reader.version for entry in standing)
        return EVEN_ONE_IN * evenly <= len(self._doubted)

    def _evenly(self) -> Iterable[int]:
        """All pictures, not chosen for their readings: with a trained model those first that never are."""
        return itertools.chain(self._order.apart if self.reader.trained else (), range(len(self.files)))

    def _asked_again(self, tab: str) -> Question | None:
        """A picture that this tab labelled a while ago, to see whether it gives the same label; None if none is due.

        Which ones come again follows from their names alone.
        """
        latest = {*list(self.journal.standing)[-AGAIN_AFTER:]}
        for number in self._order.again:
            entry = self.journal.standing.get(self._name(number))
            if entry is None or entry.picture in latest or entry.picture in self.journal.again:
                continue
            if entry.action == "label" and entry.at_random and entry.tab == tab and self.filing.may_change(entry):
                return self._question(number, self.hints())
        return None

    def grid(self, tab: str) -> list[Question]:
        """The surest of the next pictures, sorted by what is read, so that a wrong one stands out among its like.

        They are this tab's for `LEASE_S`.
        """
        with self._lock:
            self.reader.refresh()
            numbers = self._choosable()
            found = itertools.islice(self._questions(tab, numbers, lease=False), GRID_CHOICE)
            read = [question for question in found if question.reading.text]
            surest = sorted(read, key=lambda question: -question.reading.confidence)[:GRID_PICTURES]
            for question in surest:
                self._lease(question.number, tab)
        return sorted(surest, key=lambda question: question.reading.text)

    def doubt(self, numbers: Iterable[int]) -> None:
        """Note that pictures of a grid were read wrong: they come one by one, before all others."""
        with self._lock:
            self._doubted.update(numbers)

    def _questions(self, tab: str, numbers: Iterable[int], *, lease: bool = True) -> Iterator[Question]:
        """Of these pictures those that nothing was said about, and that no other tab shows."""
        now, hints = time.monotonic(), self.hints()
        for number in numbers:
            name, (holder, until) = self._name(number), self._leases.get(number, (tab, 0.0))
            passed_over = number in self._unreadable or number in self._doubles or (holder != tab and until > now)
            if passed_over or name in self.journal.standing:
                continue
            try:
                question = self._question(number, hints)
            except SampleError as error:
                self._unreadable[number] = str(error)
                continue
            if lease:
                self._lease(number, tab)
            yield question

    def _question(self, number: int, hints: Hints, said: str | None = None) -> Question:
        name = self._name(number)
        return Question(number, name, self._read(number, hints), said, self.filing.label(name))

    def _read(self, number: int, hints: Hints) -> Prediction:
        """How the model reads a picture. It is read again when more is known, or by a new model. Raises SampleError."""
        version, known, reading = self._readings.get(number, (None, None, None))
        if reading is None or (version, known) != (self.reader.version, hints):
            reading = self.reader.recognize(decode_picture(self.files[number].read()), hints)
            self._readings[number] = (self.reader.version, hints, reading)
        return reading

    def _lease(self, number: int, tab: str) -> None:
        self._leases[number] = (tab, time.monotonic() + LEASE_S)

    def label(self, number: int, label: Label, *, sure: bool = False) -> None:
        """Write the label of a picture into the journal, then its copy.

        Raises SampleError for a text that can't be a label, of its kinds TakenError and, unless it is `sure`,
        UnusualError; OSError when it can't be saved.
        """
        text = _checked(label.text)
        with self._lock:
            if self._is_same_again(number, text, label.tab, sure=sure):
                return
            self._check_free(number)
            if not sure:
                self._check_usual(text)
            data = self.files[number].read()
            copy = self.filing.name(self._name(number), text, data)
            shown, said_by = (label.reading, label.confidence, label.seconds), (label.tab, self.reader.version)
            at_random = label.at_random and self._comes_evenly(number)
            entry = Entry("label", self._name(number), text, copy, *shown, *said_by, at_random)
            self._note(entry, data)
            self._times.append(time.monotonic())

    def _comes_evenly(self, number: int) -> bool:
        """Whether a picture tells about all others: it is never chosen, or none was chosen before it."""
        if number in self._doubted or not self._order.at_random:
            return False
        said = self.journal.standing.values()
        return number in self._order.apart or all(entry.at_random for entry in said if entry.action == "label")

    def _is_same_again(self, number: int, text: str, tab: str, *, sure: bool) -> bool:
        """Whether a picture was asked about again and has its label. With another one, its label is taken back.

        Raises UnusualError for another label, unless it is `sure`.
        """
        before = self.journal.standing.get(self._name(number))
        again = self._asked_again(tab)
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

    def _note(self, entry: Entry, data: bytes) -> None:
        self.journal.append(entry)
        self.filing.put(entry, data)

    def set_aside(self, number: int, seconds: float, tab: str) -> None:
        """Say that a picture can't be read. Raises TakenError, and OSError when it can't be saved."""
        with self._lock:
            self._check_free(number)
            data = self.files[number].read()
            copy = self.filing.name(self._name(number), None, data)
            self._note(Entry("aside", self._name(number), copy=copy, seconds=seconds, tab=tab), data)

    def undo(self, tab: str) -> Question | None:
        """Take back what this tab said last, or anyone if it said nothing, and ask again; None when nothing was said.

        Raises SampleError when the copy has been moved since, so that it would stay.
        """
        with self._lock:
            known = [entry for entry in self.journal.standing.values() if entry.picture in self._numbers]
            last = next((entry for entry in reversed(known) if entry.tab == tab), known[-1] if known else None)
            if last is None:
                return None
            self.filing.check_there(last)
            self._take_back(last, tab)
            number = self._numbers[last.picture]
            self._lease(number, tab)
            return self._question(number, self.hints(), last.label or None)

    def data(self, number: int) -> bytes:
        """The bytes of a picture. Raises SampleError."""
        return self.files[number].read()

    def hints(self) -> Hints:
        """What the labels so far say about the texts, once there are enough of them."""
        labels = self._labels()
        characters = "".join(each for each in self.reader.characters if each in {*"".join(labels)})
        if len(labels) < NARROWED_FROM or not characters:
            return NO_HINTS
        fewest, most = min(map(len, labels)), max(map(len, labels))
        fits = fewest <= self.reader.lengths[1] and most >= self.reader.lengths[0]
        return Hints(characters, fewest, most) if fits else Hints(characters)

    def progress(self) -> Progress:
        """How far it is."""
        with self._lock:
            standing, labels = self.journal.standing, self._labels()
            asked = [
                entry
                for entry in standing.values()
                if entry.action == "label" and entry.at_random and entry.reading and entry.model == self.reader.version
            ]
            share = sum(entry.label == entry.reading for entry in asked) / max(1, len(asked))
            return Progress(
                done=len(labels),
                aside=len(standing) - len(labels),
                left=self._count_left(),
                a_minute=self._pace(),
                right=(share, *interval(share, len(asked))) if asked else None,
                alphabet="".join(sorted({*"".join(labels)})),
                lengths=(min(map(len, labels)), max(map(len, labels))) if labels else None,
                again=len(self.journal.again),
                differed=sum(entry.label != entry.before for entry in self.journal.again.values()),
                doubles=len(self._doubles),
            )

    def _count_left(self) -> int:
        said = {self._numbers[name] for name in self.journal.standing if name in self._numbers}
        return len(self.files) - len(said | self._unreadable.keys() | self._doubles)

    def leave_out_doubles(self) -> None:
        """Ask about only one of pictures that are nearly the same. It decodes all, and may run beside the questions."""
        doubles = doubles_among(self.files)
        with self._lock:
            self._doubles = {number for number in doubles if self._name(number) not in self.journal.standing}

    @property
    def unreadable(self) -> list[tuple[str, str]]:
        """Names of the files that are no pictures, as far as they were looked at, each with the reason."""
        return [(self._name(number), reason) for number, reason in sorted(self._unreadable.items())]

    def _finish_last(self) -> None:
        """Do to the files what was said last, or take it back, which a kill may have prevented."""
        last = self.journal.last
        if last and last.action == "undo":
            self.filing.take_back(last, self.journal.standing.values())
        elif last and last.picture in self._numbers and not self.filing.is_put(last):
            self.filing.put(last, self.files[self._numbers[last.picture]].read())

    def _name(self, number: int) -> str:
        return str(self.files[number].name)

    def _labels(self) -> list[str]:
        return [entry.label for entry in self.journal.standing.values() if entry.action == "label"]

    def _check_free(self, number: int) -> None:
        said = self.journal.standing.get(self._name(number))
        if said and self.filing.is_put(said):  # else saving failed, and is tried again
            raise TakenError(f"{self._name(number)}: something was said about it already; undo that to change it")

    def _check_usual(self, text: str) -> None:
        """Raise UnusualError for a label with a new character or length, once there are enough labels."""
        labels = self._labels()
        if len(labels) < NARROWED_FROM:
            return
        new = sorted({*text} - {*"".join(labels)})
        if new:
            raise UnusualError(f"no label so far has {escape_odd(' '.join(new))}; once more if it is right")
        lengths = Counter(map(len, labels))
        if len(text) not in lengths:
            raise UnusualError(f"no label so far has {len(text)} characters; once more if it is right")

    def _pace(self) -> float | None:
        """Labels a minute of late, without pauses."""
        recent = self._times[-RECENT:]
        gaps = [after - before for before, after in itertools.pairwise(recent)]
        working = [gap for gap in gaps if gap < PAUSE_S]
        return 60 * len(working) / sum(working) if sum(working) else None


def _checked(text: str) -> str:
    """A label in composed characters. Raises SampleError for one that can't be a label."""
    if not text or text != text.strip():
        raise SampleError("expected a label without blanks at its ends; got " + (repr(text) if text else "none"))
    label = checked_label(text)
    if len(label) > LABEL_LIMIT:
        raise SampleError(f"expected a label of at most {LABEL_LIMIT} characters; got {len(label)}")
    return label
