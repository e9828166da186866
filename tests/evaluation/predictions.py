"""Predictions and diagnoses made by hand, for the tests of the diagnosis and of its lines."""

from pathlib import Path

from cnnlib.codec.alphabet import Prediction
from cnnlib.evaluation.diagnosis import Diagnosis, LabelledPrediction, diagnose

LABEL = "a"


def predictions(
    text: str, count: int, confidence: float = 0.99, label_confidence: float = 0.01
) -> list[LabelledPrediction]:
    """`count` pictures with the label "a" that are read as `text`, with losses 0, 1, 2 and so on."""
    prediction = Prediction(text, confidence, (confidence,))
    return [LabelledPrediction(Path(f"{text}{n}.png"), LABEL, prediction, label_confidence, n) for n in range(count)]


def diagnosis_of(misread: int, verified: int, confidence: float = 0.99) -> Diagnosis:
    """Diagnosis of 100 training pictures, of which some are misread, and of 100 verification pictures.

    `misread` training pictures are read as another text with this confidence. `verified` verification pictures are
    read right, and the others wrong without confidence.
    """
    trained = predictions("x", misread, confidence) + predictions(LABEL, 100 - misread)
    return diagnose(trained, predictions(LABEL, verified) + predictions("b", 100 - verified, 0.4))
