"""Diagnose a training: accuracies, confusions, probably mislabelled pictures, and what to try next."""

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cnnlib.codec.alphabet import Prediction
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import short_path
from cnnlib.core.tables import number, table_bytes
from cnnlib.evaluation.metrics import Accuracy, accuracy, confusions, interval

SUSPECT_CONFIDENCE = 0.5  # lowest confidence of another text that makes a label suspect
SUSPECT_RATIO = 20  # lowest ratio of that confidence to the confidence of the label
TINY = 1e-300  # a confidence that has a logarithm
JUDGE_ACCURACY = 0.9  # lowest accuracy on training pictures that lets a network judge labels
ACCURACY_GAP = 0.02  # smallest difference between two accuracies that is worth closing
MISREAD_LIMIT = 40  # misread pictures that are shown


@dataclass(frozen=True)
class LabelledReading:
    """A labelled picture and what was read on it."""

    path: Path
    label: str
    prediction: Prediction


Reading = TypeVar("Reading", bound=LabelledReading)


@dataclass(frozen=True)
class LabelledPrediction(LabelledReading):
    """A network's prediction for a labelled picture."""

    label_confidence: float  # the network's confidence in the label, 0 to 1
    loss: float

    @property
    def suspect(self) -> bool:
        """Whether the picture is probably mislabelled: the network is confident of another text."""
        confidence = self.prediction.confidence
        confident = confidence >= max(SUSPECT_CONFIDENCE, SUSPECT_RATIO * self.label_confidence)
        return self.prediction.text != self.label and confident

    @property
    def contradiction(self) -> float:
        """How much likelier the network finds its text than the label: the natural logarithm of the ratio, 0 or more.

        It is the margin by which confident learning ranks labels (Northcutt et al. 2021), of whole texts.
        """
        if self.prediction.text == self.label:
            return 0.0
        return max(0.0, math.log(max(self.prediction.confidence, TINY) / max(self.label_confidence, TINY)))


@dataclass(frozen=True)
class Diagnosis:
    """A trained network's results on the verification pictures and on training pictures without random changes."""

    training: Accuracy
    verification: Accuracy
    confusions: list[tuple[str, str, int]]  # on the verification pictures
    suspects: list[LabelledPrediction]  # of both sets, found early or at the end of the training; highest loss first
    unread: int = 0  # training pictures that were left out
    misread: Sequence[LabelledReading] = ()  # verification pictures, surest first, `MISREAD_LIMIT` at most


def diagnose(
    trained: Sequence[LabelledPrediction],
    verified: Sequence[LabelledPrediction],
    earlier_suspects: Sequence[LabelledPrediction] = (),
) -> Diagnosis:
    """The diagnosis from predictions for training and verification pictures, and suspects found during the training.

    It has no suspects when the network misreads many training pictures.
    """
    training, verification = accuracy_of(trained), accuracy_of(verified)
    confused = confusions([each.label for each in verified], [each.prediction.text for each in verified])
    suspects = {each.path: each for each in (*earlier_suspects, *trained, *verified) if each.suspect}
    can_judge = training.picture >= JUDGE_ACCURACY
    ordered = sorted(suspects.values(), key=lambda suspect: -suspect.loss) if can_judge else []
    return Diagnosis(training, verification, confused, ordered, misread=surest_misread(verified))


def surest_misread(readings: Iterable[Reading], limit: int = MISREAD_LIMIT) -> list[Reading]:
    """The readings that are not the label and have the highest confidence, highest first. It keeps no others."""
    misread = (each for each in readings if each.prediction.text != each.label)
    return heapq.nsmallest(limit, misread, key=lambda each: -each.prediction.confidence)


def accuracy_of(predictions: Sequence[LabelledPrediction]) -> Accuracy:
    """Accuracy of predictions against their labels."""
    return accuracy([each.label for each in predictions], [each.prediction.text for each in predictions])


def write_suspects(suspects: Sequence[LabelledPrediction], table: Path) -> None:
    """Write a CSV of pictures with labels, predictions, confidences and losses. An older one is replaced.

    Raises OSError when it can't be written.
    """
    table.parent.mkdir(parents=True, exist_ok=True)
    rows = []
    for suspect in suspects:
        figures = number(suspect.prediction.confidence, 6), number(suspect.loss, 3)
        rows.append((short_path(suspect.path), suspect.label, suspect.prediction.text, *figures))
    write_atomically(table, table_bytes(("picture", "label", "reading", "confidence", "loss"), rows))


def advice(diagnosis: Diagnosis, goal_reached: bool = False, *, tested: bool = False) -> str:
    """The one thing to try next.

    `goal_reached`: the training stopped at `acc_stop` before its last step. `tested`: the diagnosis has the accuracy on
    the test pictures in place of that on the verification pictures.
    """
    pictures = diagnosis.training.pictures + diagnosis.verification.pictures
    misread = (1 - diagnosis.training.picture) * diagnosis.training.pictures
    if len(diagnosis.suspects) >= max(5, 0.5 * misread, 0.01 * pictures):
        return "look at the labels that are probably wrong: the network is, or was, confident of another text"
    steps = "acc_stop 1, which takes all steps" if goal_reached else "more steps"
    if diagnosis.training.picture < 1 - ACCURACY_GAP:
        return f"{steps}: some training pictures are still misread"
    _, highest = interval(diagnosis.verification.picture, diagnosis.verification.pictures)
    if highest < diagnosis.training.picture - ACCURACY_GAP:
        return "more labelled pictures: the network reads its training pictures much better than others"
    if diagnosis.verification.picture < 1 - ACCURACY_GAP:
        return f"more labelled pictures and {steps}"
    measure = "" if tested else "measure it with test_batch.py, then "
    return f"nothing: {measure}use it; add labelled pictures like those that it misreads"
