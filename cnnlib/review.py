"""What a training came to: accuracies, what is still confused, labels that look wrong, and what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlib.alphabet import Reading
from cnnlib.evaluation import Accuracy, accuracy, confusions, interval

SHOWN = 10  # confusions, and suspicious labels, that are listed
SURE = 0.95  # confidence in a reading that is not the label, from which on the label looks wrong
MOST = 0.9  # share of the training pictures read right, below which a network is no judge of labels
GAP = 0.02  # of an accuracy, that is worth mending


@dataclass(frozen=True)
class Suspect:
    """A training picture that the trained network reads, and surely, otherwise than it is labelled."""

    path: Path
    label: str
    text: str
    loss: float


@dataclass(frozen=True)
class Review:
    """The trained network on training pictures, unchanged, and on the verification pictures."""

    training: Accuracy
    verification: Accuracy
    confusions: list[tuple[str, str, int]]  # on the verification pictures
    suspects: list[Suspect]  # by loss, the highest first


def review(
    paths: Sequence[Path],
    trained: tuple[Sequence[str], Sequence[Reading], Sequence[float]],
    verified: tuple[Sequence[str], Sequence[Reading]],
) -> Review:
    """Review of labels, readings and losses of the training pictures at `paths`; labels and readings of the others."""
    training = accuracy(trained[0], [reading.text for reading in trained[1]])
    suspects = [
        Suspect(path, label, reading.text, loss)
        for path, label, reading, loss in zip(paths, *trained, strict=True)
        if label != reading.text and reading.confidence >= SURE and training.picture >= MOST
    ]
    texts = [reading.text for reading in verified[1]]
    verification = accuracy(verified[0], texts)
    return Review(training, verification, confusions(verified[0], texts), sorted(suspects, key=lambda one: -one.loss))


def advice(found: Review) -> str:
    """The one thing to try next."""
    misread = (1 - found.training.picture) * found.training.pictures
    if len(found.suspects) >= max(5, 0.5 * misread, 0.005 * found.training.pictures):
        return "look at the labels listed above: the network is sure of other readings"
    if found.training.picture < 1 - GAP:
        return "more steps: the training pictures themselves are not all read yet"
    _, highest = interval(found.verification.picture, found.verification.pictures)
    if highest < found.training.picture - GAP:
        return "more labelled pictures: those for training are known by heart, others are not read as well"
    if found.verification.picture < 1 - GAP:
        return "more labelled pictures and more steps"
    return "nothing: measure it with test_batch.py, then use it; what is misread there is worth labelling"
