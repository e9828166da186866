"""What a training came to: accuracies, what is still confused, labels that look wrong, and what to try next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlib.evaluation import Accuracy, accuracy, confusions

SHOWN = 10  # confusions, and suspicious labels, that are listed
SURE = 0.9  # share of the training pictures read right, from which on a picture read otherwise looks wrongly labelled
GAP = 0.02  # between training and verification accuracy, from which on pictures are learned by heart
MANY = 0.01  # of the training pictures, from which on wrong labels are what to mend first


@dataclass(frozen=True)
class Suspect:
    """A training picture that the trained network reads otherwise than it is labelled."""

    path: Path
    label: str
    text: str
    loss: float


@dataclass(frozen=True)
class Review:
    """The trained network on the training pictures, unchanged, and on the verification pictures."""

    training: Accuracy
    verification: Accuracy
    confusions: list[tuple[str, str, int]]  # on the verification pictures
    suspects: list[Suspect]  # by loss, the highest first


def review(
    paths: Sequence[Path],
    trained: tuple[Sequence[str], Sequence[str], Sequence[float]],
    verified: tuple[Sequence[str], Sequence[str]],
) -> Review:
    """Review of labels, readings and losses of the training pictures at `paths`; labels and readings of the others."""
    labels, texts, losses = trained
    training = accuracy(labels, texts)
    suspects = [
        Suspect(path, label, text, loss)
        for path, label, text, loss in zip(paths, labels, texts, losses, strict=True)
        if label != text
    ]
    suspects = sorted(suspects, key=lambda one: -one.loss) if training.picture >= SURE else []
    return Review(training, accuracy(*verified), confusions(*verified), suspects)


def advice(found: Review) -> str:
    """The one thing to try next."""
    if len(found.suspects) > MANY * found.training.pictures:
        return "correct the labels listed above: a network that reads the rest well reads these otherwise"
    if found.training.picture - found.verification.picture > GAP:
        return "more labelled pictures: those for training are known by heart, others are not read as well"
    if found.training.picture < 1 - GAP:
        return "more steps: raise cycle_stop; the training pictures themselves are not all read yet"
    if found.verification.picture < 1 - GAP:
        return "more labelled pictures and more steps"
    return "nothing: measure it with test_batch.py, then use it; what is misread there is worth labelling"
