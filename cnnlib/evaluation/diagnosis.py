"""What a training came to: accuracies, what is still confused, labels that look wrong, and what to try next."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlib.codec.alphabet import Reading
from cnnlib.core.files import write_whole
from cnnlib.core.paths import display_path
from cnnlib.evaluation.metrics import Accuracy, accuracy, confusions, interval

SHOWN = 10  # confusions, and suspicious labels, that are listed
SURE = 0.5  # confidence in a reading that is not the label, from which on the label looks wrong,
TIMES = 20  # where it is so many times as probable as the label
MOST = 0.9  # share of the training pictures read right, below which a network is no judge of labels
GAP = 0.02  # of an accuracy, that is worth mending


@dataclass(frozen=True)
class Read:
    """A picture that the network has read."""

    path: Path
    label: str
    reading: Reading
    label_confidence: float  # how probable the label is to the network, 0 to 1
    loss: float

    @property
    def suspect(self) -> bool:
        """Whether it is read, and surely, otherwise than it is labelled."""
        confidence = self.reading.confidence
        return self.reading.text != self.label and confidence >= max(SURE, TIMES * self.label_confidence)


@dataclass(frozen=True)
class Review:
    """The trained network on training pictures, unchanged, and on the verification pictures."""

    training: Accuracy
    verification: Accuracy
    confusions: list[tuple[str, str, int]]  # on the verification pictures
    suspects: list[Read]  # of both, as they were read at the end or early in the training, by loss, the highest first
    unread: int = 0  # training pictures that were left out


def review(trained: Sequence[Read], verified: Sequence[Read], early: Sequence[Read] = ()) -> Review:
    """Review of training and verification pictures; `early` are suspects of early in the training.

    A network that reads few training pictures suspects no label.
    """
    training, verification = _accuracy(trained), _accuracy(verified)
    mistaken = confusions([one.label for one in verified], [one.reading.text for one in verified])
    suspects = {one.path: one for one in (*early, *trained, *verified) if one.suspect}
    listed = sorted(suspects.values(), key=lambda one: -one.loss) if training.picture >= MOST else []
    return Review(training, verification, mistaken, listed)


def _accuracy(reads: Sequence[Read]) -> Accuracy:
    return accuracy([one.label for one in reads], [one.reading.text for one in reads])


def write_suspects(suspects: Sequence[Read], table: Path) -> None:
    """Write a CSV of pictures with their labels, readings, confidences and losses over an older one.

    Raises OSError where it can't be written.
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(("picture", "label", "reading", "confidence", "loss"))
    for one in suspects:
        confidence, loss = f"{one.reading.confidence:.6f}", f"{one.loss:.3f}"
        writer.writerow((display_path(one.path), one.label, one.reading.text, confidence, loss))
    write_whole(table, content.getvalue().encode(errors="surrogateescape"))


def advice(found: Review, goal_reached: bool = False) -> str:
    """The one thing to try next, after a training that all its steps or, if `goal_reached`, `acc_stop` ended."""
    pictures = found.training.pictures + found.verification.pictures
    misread = (1 - found.training.picture) * found.training.pictures
    if len(found.suspects) >= max(5, 0.5 * misread, 0.01 * pictures):
        return "look at the labels listed above: the network is, or was, sure of other readings"
    steps = "acc_stop 1, which takes all steps" if goal_reached else "more steps"
    if found.training.picture < 1 - GAP:
        return f"{steps}: the training pictures themselves are not all read yet"
    _, highest = interval(found.verification.picture, found.verification.pictures)
    if highest < found.training.picture - GAP:
        return "more labelled pictures: those for training are known by heart, others are not read as well"
    if found.verification.picture < 1 - GAP:
        return f"more labelled pictures and {steps}"
    return "nothing: measure it with test_batch.py, then use it; what is misread there is worth labelling"
