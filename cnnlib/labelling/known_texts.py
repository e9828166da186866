"""What the labels so far say about all texts: their characters and lengths."""

from collections.abc import Callable

from cnnlib.codec.characters import escape_odd
from cnnlib.core.errors import SampleError
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.labelling.journal import Journal

NARROWED_FROM = 50  # labels, from which on only their characters and lengths are read


class UnusualError(SampleError):
    """A label has what no label had before. It counts when it is said again, with `sure`."""


class KnownTexts:
    """The labels that stand in a journal."""

    def __init__(self, journal: Journal, fold: Callable[[str], str] = str) -> None:
        """Labels are the same if `fold` makes them so, as where case is ignored."""
        self._journal, self.fold = journal, fold

    @property
    def labels(self) -> list[str]:
        """The labels that stand, folded, the oldest first."""
        return [self.fold(entry.label) for entry in self._journal.standing.values() if entry.action == "label"]

    def hints(self, characters: str, lengths: tuple[int, int]) -> Hints:
        """What they say to a model that reads these characters and lengths, once there are enough of them."""
        labels = self.labels
        seen = {*"".join(labels)}
        known = "".join(each for each in characters if each in seen)
        if len(labels) < NARROWED_FROM or not known:
            return NO_HINTS
        fewest, most = min(map(len, labels)), max(map(len, labels))
        fits = fewest <= lengths[1] and most >= lengths[0]
        return Hints(known, fewest, most) if fits else Hints(known)

    def check_usual(self, text: str) -> None:
        """Raise UnusualError for a label with a new character or length, once there are enough labels."""
        labels = self.labels
        if len(labels) < NARROWED_FROM:
            return
        new = sorted({*self.fold(text)} - {*"".join(labels)})
        if new:
            raise UnusualError(f"no label so far has {escape_odd(' '.join(new))}; once more if it is right")
        if len(text) not in {*map(len, labels)}:
            raise UnusualError(f"no label so far has {len(text)} characters; once more if it is right")
