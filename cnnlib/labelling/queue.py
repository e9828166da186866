"""Which picture comes next to whom, and how the model reads it."""

import itertools
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.images import decode_picture
from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry as File
from cnnlib.inference.hints import Hints
from cnnlib.labelling.filing import Filing, digest_of
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.known_texts import KnownTexts
from cnnlib.labelling.order import Order

log = logging.getLogger(__name__)
LEASE_S = 120  # for which a picture that one tab shows is shown by no other
GRID_PICTURES = 48  # on a page
GRID_CHOICE = 400  # pictures that the surest are chosen from
DOUBT_CHOICE = 100  # pictures that the least sure is chosen from
APART_EACH = 10  # labels, of which one is of a picture that is never chosen for its reading
AGAIN_AFTER = 20  # labels later a picture is asked about again
AHEAD = 8  # pictures that are read in one go, while others wait


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
        """Those that it reads, in lower case where case is ignored."""

    @property
    def lengths(self) -> tuple[int, int]:
        """The fewest and the most characters that it reads."""

    def refresh(self) -> None:
        """Take another model, if there is one by now."""

    def recognize(self, picture: Image.Image, hints: Hints) -> Prediction:
        """Read a picture. Raises SampleError."""


@dataclass(frozen=True)
class Question:
    """A picture that waits for its label, by its number, with its name and how the model of a version reads it.

    `said` is the label that was taken back, if it had one, and `label` the one in its name.
    """

    number: int
    name: str
    reading: Prediction
    model: str
    said: str | None = None
    label: str | None = None


class Queue:
    """The pictures of a labelling that nothing was said about in its journal. It is not safe for threads.

    A picture that was asked is its tab's for `LEASE_S`.
    """

    def __init__(
        self,
        files: Sequence[File],
        journal: Journal,
        filing: Filing,
        reader: Reader,
        *,
        at_random: bool,
        fold: Callable[[str], str] = str,
    ) -> None:
        """`at_random`: the files come in an order at random, always the same; else in their own.

        Labels are the same if `fold` makes them so.
        """
        by_name = dict(named(files))
        self.order = Order([*by_name], at_random=at_random)
        self.files = [by_name[name] for name in self.order.names]
        self.reader, self.near = reader, frozenset[int]()  # pictures that others are nearly the same as
        self.changed: set[int] = set()  # pictures whose content is another one than what was said is about
        self.even_wanted = 0  # pictures that tell about all others and are to come next, so many
        self.unreadable: dict[int, str] = {}  # files that are no pictures, as far as they were looked at: the reason
        self._journal, self._filing, self.known = journal, filing, KnownTexts(journal, fold)
        self._leases: dict[int, tuple[str, float]] = {}
        self._chosen: set[int] = set()  # because of their readings
        self._by_digest: dict[str, int] = {}  # of a content, its first picture that was read
        self._alike: dict[int, list[int]] = {}  # pictures that are the same byte for byte, each with all of them
        self._readings: dict[int, tuple[str, Hints, Prediction]] = {}
        self._until_apart, self._version = 0, reader.version  # labels until a picture kept apart is due, of this model

    def next(self, tab: str) -> Question | None:
        """The next picture for a tab; None when none is left, or other tabs show all that are.

        Those that were read wrong come first. Once the model has learned pictures of this kind, the least sure of the
        next ones comes, but each tenth picture is one that is kept apart. Nearly the same pictures as others come last.
        """
        self._refresh()
        hints = self._hints()
        question = self.asked_again(tab, hints) or next(self._next_ones(tab, hints), None)
        if question:
            self._lease(question.number, tab)
        return question

    def read_ahead(self, tab: str, *, grid: bool) -> bool:
        """Read a few pictures of those that a page of the grid, or the next question, is chosen from.

        Returns whether some are still to be read.
        """
        self._refresh()
        if not grid and not (self.order.at_random and self.reader.trained):
            return False
        hints = self._hints()
        choice = itertools.islice(self._free(tab, self._choosable()), GRID_CHOICE if grid else DOUBT_CHOICE)
        unread = [*itertools.islice((number for number in choice if not self._is_read(number, hints)), AHEAD)]
        for number in unread:
            self._try(number, hints)
        return len(unread) == AHEAD

    def surest(self, tab: str) -> list[Question]:
        """The surest of the next pictures, for a page of the grid."""
        self._refresh()
        found = itertools.islice(self._waiting(tab, self._choosable(), self._hints()), GRID_CHOICE)
        read = [question for question in found if question.reading.text]
        surest = sorted(read, key=lambda question: -question.reading.confidence)[:GRID_PICTURES]
        for question in surest:
            self._lease(question.number, tab)
        return surest

    def asked_again(self, tab: str, hints: Hints | None = None) -> Question | None:
        """A picture that this tab labelled a while ago, to see whether it gives the same label; None if none is due.

        Which ones come again follows from their names alone.
        """
        latest = {*list(self._journal.standing)[-AGAIN_AFTER:]}
        for number in self.order.again:
            entry = self.said(number)
            if entry is None or entry.picture in latest or entry.picture in self._journal.again:
                continue
            if entry.action == "label" and entry.at_random and entry.tab == tab and self._filing.may_change(entry):
                with suppress(SampleError):  # it is gone
                    return self._question(number, hints or self._hints())
        return None

    def ask(self, number: int, tab: str, said: str | None = None) -> Question:
        """This picture for a tab, whose label `said` was taken back. Raises SampleError."""
        self._lease(number, tab)
        return self._question(number, self._hints(), said)

    def give_back(self, tab: str) -> None:
        """Let others have the pictures that a tab shows."""
        self._leases = {number: lease for number, lease in self._leases.items() if lease[0] != tab}

    def pass_over(self, number: int, error: SampleError) -> None:
        """Note that a picture can't be opened, and why: it is not asked about. The log names it once."""
        if number not in self.unreadable:
            log.warning("%s can't be opened: %s", self.order.names[number], error)
        self.unreadable[number] = str(error)

    def choose(self, numbers: Iterable[int]) -> None:
        """Note that pictures were read wrong: they come before all others."""
        self._chosen.update(numbers)

    def note_said(self, number: int) -> None:
        """Note that something was said about a picture."""
        self.changed.discard(number)
        is_apart = number in self.order.apart
        self._until_apart = APART_EACH - 1 if is_apart else self._until_apart - 1
        self.even_wanted -= is_apart

    def said(self, number: int) -> Entry | None:
        """What was said about a picture, unless its content is another one by now."""
        return None if number in self.changed else self._journal.standing.get(self.order.names[number])

    def note_content(self, number: int, digest: str) -> None:
        """Note the digest of a picture that was read. In a second look the same picture may have two labels."""
        if self.order.at_random:
            self.note_same(number, self._by_digest.setdefault(digest, number))

    def note_same(self, number: int, other: int) -> None:
        """Note that two pictures are the same byte for byte: only one of them is asked about."""
        if number == other:
            return
        fewer, more = sorted((self._alike.setdefault(each, [each]) for each in (number, other)), key=len)
        if fewer is not more:
            more.extend(fewer)
            self._alike.update(dict.fromkeys(fewer, more))

    def is_double(self, number: int) -> bool:
        """Whether another picture that is the same byte for byte is asked about in place of this one.

        That is the one about which something was said, or which a tab shows, or the first that can be opened.
        """
        rank = self._rank(number)
        return any(self._rank(other) < rank for other in self._alike.get(number, ()))

    def _rank(self, number: int) -> tuple[bool, bool, bool, int]:
        is_shown = self._leases.get(number, ("", 0.0))[1] > time.monotonic()
        return self.said(number) is None, number in self.unreadable, not is_shown, number

    def comes_evenly(self, number: int) -> bool:
        """Whether a picture tells about all others: it is never chosen, or none was chosen before it."""
        if number in self._chosen or not self.order.at_random:
            return False
        said = self._journal.standing.values()
        return number in self.order.apart or all(entry.at_random for entry in said if entry.action == "label")

    def left(self) -> int:
        """How many pictures wait."""
        numbers = (number for number in range(len(self.files)) if number not in self.unreadable)
        return sum(self.said(number) is None and not self.is_double(number) for number in numbers)

    def doubles(self) -> int:
        """How many pictures are left out, because another one is the same."""
        return sum(map(self.is_double, self._alike))

    def _next_ones(self, tab: str, hints: Hints) -> Iterator[Question]:
        """The pictures that may come next, the likeliest first."""
        choosing = self.order.at_random and (self.reader.trained or bool(self._chosen))
        if self.even_wanted > 0 or (choosing and self._until_apart <= 0):
            yield from self._waiting(tab, self.order.apart, hints)
        yield from self._waiting(tab, sorted(self._chosen), hints)
        if self.order.at_random and self.reader.trained:
            yield from self._least_sure(tab, hints)
        everything = range(len(self.files))
        yield from self._waiting(tab, (number for number in everything if number not in self.near), hints)
        yield from self._waiting(tab, everything, hints)

    def _least_sure(self, tab: str, hints: Hints) -> Iterator[Question]:
        """Of the next pictures the one that the model doubts most, if there are any."""
        found = itertools.islice(self._waiting(tab, self._choosable(), hints), DOUBT_CHOICE)
        least = min(found, key=lambda question: question.reading.confidence, default=None)
        if least:
            self.choose([least.number])
            yield least

    def _choosable(self) -> Iterator[int]:
        """The pictures that may be chosen for their readings, and were not yet."""
        kept_out = self._chosen.union(self.order.apart, self.near)
        return (number for number in range(len(self.files)) if number not in kept_out)

    def _waiting(self, tab: str, numbers: Iterable[int], hints: Hints) -> Iterator[Question]:
        """Of these pictures those that nothing was said about, and that no other tab shows."""
        for number in self._free(tab, numbers):
            question = self._try(number, hints)
            if question and not self.is_double(number):  # it may have been read only now
                yield question

    def _free(self, tab: str, numbers: Iterable[int]) -> Iterator[int]:
        """Their numbers, also of those that can't be opened as far as nobody tried."""
        now = time.monotonic()
        for number in numbers:
            holder, until = self._leases.get(number, (tab, 0.0))
            passed_over = number in self.unreadable or (holder != tab and until > now)
            if not passed_over and self.said(number) is None and not self.is_double(number):
                yield number

    def _try(self, number: int, hints: Hints) -> Question | None:
        """The question about a picture; None, and a note, for one that can't be opened."""
        try:
            return self._question(number, hints)
        except SampleError as error:
            self.pass_over(number, error)
            return None

    def _question(self, number: int, hints: Hints, said: str | None = None) -> Question:
        name = self.order.names[number]
        reading = self._read(number, hints)
        return Question(number, name, reading, self.reader.version, said, self._filing.label(name))

    def _refresh(self) -> None:
        """Take another model if there is one. Of a new one nothing is known, so a picture kept apart is due."""
        self.reader.refresh()
        if self.reader.version != self._version:
            self._until_apart, self._version = 0, self.reader.version

    def _hints(self) -> Hints:
        return self.known.hints(self.reader.characters, self.reader.lengths)

    def _read(self, number: int, hints: Hints) -> Prediction:
        """How the model reads a picture. It is read again when more is known, or by a new model. Raises SampleError."""
        if not self._is_read(number, hints):
            data = self.files[number].read()
            self.note_content(number, digest_of(data))
            reading = self.reader.recognize(decode_picture(data), hints)
            self._readings[number] = (self.reader.version, hints, reading)
        return self._readings[number][2]

    def _is_read(self, number: int, hints: Hints) -> bool:
        return self._readings.get(number, (None, None))[:2] == (self.reader.version, hints)

    def _lease(self, number: int, tab: str) -> None:
        self._leases[number] = (tab, time.monotonic() + LEASE_S)


def named(files: Iterable[File]) -> Iterator[tuple[str, File]]:
    """Each file with its name. An archive may have a name twice: the second gets a number."""
    seen: Counter[str] = Counter()
    for file in files:
        name = str(file.name)
        seen[name] += 1
        yield name if seen[name] == 1 else f"{name} ({seen[name]})", file
