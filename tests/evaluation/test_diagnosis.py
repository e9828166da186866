import csv
from pathlib import Path

import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.evaluation.diagnosis import MISREAD_LIMIT, LabelledPrediction, advice, diagnose, write_suspects
from tests.evaluation.predictions import LABEL, diagnosis_of, predictions


def test_suspects_are_the_confidently_misread_pictures_by_loss() -> None:
    diagnosis = diagnosis_of(misread=3, verified=100)
    assert [(each.path.name, each.label, each.prediction.text) for each in diagnosis.suspects] == [
        (f"x{n}.png", "a", "x") for n in (2, 1, 0)
    ]
    assert diagnosis.training.picture == 0.97
    assert diagnosis_of(3, 100, confidence=0.4).suspects == [], "a network that hesitates blames no label"


def test_all_suspects_are_written_with_their_confidences(tmp_path: Path) -> None:
    diagnosis = diagnose(predictions("x", 12) + predictions(LABEL, 188), predictions(LABEL, 100))
    table = tmp_path / "report" / "suspects.csv"
    write_suspects(diagnosis.suspects, table)
    with table.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    assert header == ["picture", "label", "reading", "confidence", "loss"]
    assert [row[0] for row in rows] == [f"x{n}.png" for n in reversed(range(12))]
    assert rows[0][1:] == ["a", "x", "0.990000", "11.000"]


def test_training_that_reached_its_goal_is_advised_to_raise_it() -> None:
    assert advice(diagnosis_of(10, 90, 0.4), goal_reached=True).startswith("acc_stop 1, which takes all steps: ")
    assert advice(diagnosis_of(10, 90, 0.4)).startswith("more steps: ")


def test_wrong_labels_among_the_verification_pictures_are_suspected_too() -> None:
    diagnosis = diagnose(predictions(LABEL, 100), predictions("y", 6) + predictions(LABEL, 94))
    assert {suspect.path.name for suspect in diagnosis.suspects} == {f"y{n}.png" for n in range(6)}
    assert advice(diagnosis).startswith("look at the labels")


def test_label_learned_by_heart_is_suspected_for_what_was_read_before() -> None:
    early = predictions("x", 2, 0.6)
    learned = [LabelledPrediction(each.path, LABEL, Prediction(LABEL, 0.99, (0.99,)), 0.99, 0.1) for each in early]
    diagnosis = diagnose(predictions(LABEL, 100) + learned, predictions(LABEL, 100), early)
    suspects = [(each.path.name, each.prediction.text, each.loss) for each in diagnosis.suspects]
    assert suspects == [("x1.png", "x", 1), ("x0.png", "x", 0)]


def test_picture_that_is_misread_early_and_late_is_listed_once() -> None:
    diagnosis = diagnose(
        predictions("x", 1) + predictions(LABEL, 100), predictions(LABEL, 100), predictions("x", 1, 0.6)
    )
    assert [suspect.prediction.confidence for suspect in diagnosis.suspects] == [0.99]


@pytest.mark.parametrize(
    ("confidence", "label_confidence", "suspected"),
    [(0.6, 0.02, True), (0.6, 0.04, False), (0.45, 0.001, False), (0.99, 0.0, True)],
)
def test_label_is_suspected_when_another_text_is_far_more_probable(
    confidence: float, label_confidence: float, suspected: bool
) -> None:
    (prediction,) = predictions("x", 1, confidence, label_confidence)
    assert prediction.suspect == suspected


def test_network_that_reads_little_suspects_no_label() -> None:
    assert diagnosis_of(40, 50).suspects == []
    trained = predictions("x", 40) + predictions(LABEL, 60)
    assert diagnose(trained, predictions(LABEL, 50), predictions("x", 40)).suspects == []


def test_confusions_are_those_of_the_verification_pictures() -> None:
    assert diagnosis_of(0, 98).confusions == [("a", "b", 2)]


@pytest.mark.parametrize(
    ("misread", "verified", "confidence", "words"),
    [
        (6, 90, 0.99, "look at the labels"),
        (6, 94, 0.4, "more steps"),
        (40, 55, 0.4, "more steps"),
        (0, 50, 0.4, "more labelled pictures: the network reads its training pictures much better"),
        (1, 97, 0.4, "more labelled pictures and more steps"),
        (0, 99, 0.4, "nothing: measure it"),
    ],
)
def test_advice_depends_on_what_is_misread(misread: int, verified: int, confidence: float, words: str) -> None:
    assert advice(diagnosis_of(misread, verified, confidence)).startswith(words)


def test_tested_model_is_not_advised_to_be_tested() -> None:
    assert advice(diagnosis_of(0, 99, 0.4), tested=True).startswith("nothing: use it")


def test_misread_verification_pictures_are_kept_surest_first() -> None:
    verified = [
        *predictions("x", 1, 0.4),
        *predictions(LABEL, 3),
        *predictions("y", 1, 0.9),
        *predictions("z", 50, 0.1),
    ]
    misread = diagnose(predictions(LABEL, 9), verified).misread
    assert [each.path.name for each in misread[:3]] == ["y0.png", "x0.png", "z0.png"]
    assert len(misread) == MISREAD_LIMIT


def test_few_verification_pictures_do_not_prove_learning_by_heart() -> None:
    diagnosis = diagnose(predictions(LABEL, 100), predictions(LABEL, 9) + predictions("b", 1, 0.4))
    assert advice(diagnosis) == "more labelled pictures and more steps"
