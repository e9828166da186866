import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlib.cli import allow_any_character
from cnnlib.codec.alphabet import Prediction
from cnnlib.evaluation.diagnosis import Diagnosis, LabelledPrediction, advice, diagnose, write_suspects
from cnnlib.training.reporting import LIST_LIMIT, diagnosis_lines

LABEL = "a"


def reads(text: str, count: int, confidence: float = 0.99, label_confidence: float = 0.01) -> list[LabelledPrediction]:
    prediction = Prediction(text, confidence, (confidence,))
    return [LabelledPrediction(Path(f"{text}{n}.png"), LABEL, prediction, label_confidence, n) for n in range(count)]


def found(wrong: int, verified: int, confidence: float = 0.99) -> Diagnosis:
    """Review of 100 training pictures, `wrong` of them misread, and 100 verification pictures, misread unsurely."""
    trained = reads("x", wrong, confidence) + reads(LABEL, 100 - wrong)
    return diagnose(trained, reads(LABEL, verified) + reads("b", 100 - verified, 0.4))


def test_suspects_are_the_surely_misread_pictures_by_loss() -> None:
    one = found(3, 100)
    assert [(s.path.name, s.label, s.prediction.text) for s in one.suspects] == [
        (f"x{n}.png", "a", "x") for n in (2, 1, 0)
    ]
    assert one.training.picture == 0.97
    assert found(3, 100, confidence=0.4).suspects == [], "a network that hesitates blames no label"


def test_ten_suspects_are_printed_and_all_of_them_written(tmp_path: Path) -> None:
    diagnosis = diagnose(reads("x", 12) + reads(LABEL, 188), reads(LABEL, 100))
    table = tmp_path / "report" / "suspects.csv"
    write_suspects(diagnosis.suspects, table)
    lines = "\n".join(diagnosis_lines(replace(diagnosis, unread=50), table, goal_reached=False))
    assert "Training pictures, unchanged, 200 of 250: picture accuracy 94.00%" in lines
    assert lines.count("label: a prediction: x loss") == LIST_LIMIT == 10
    with table.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    assert header == ["picture", "label", "reading", "confidence", "loss"]
    assert [row[0] for row in rows] == [f"x{n}.png" for n in reversed(range(12))]
    assert rows[0][1:] == ["a", "x", "0.990000", "11.000"]


def test_all_suspects_are_printed_though_a_console_lacks_a_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(console, "cp1252", write_through=True))
    allow_any_character()
    for line in diagnosis_lines(found(3, 97), tmp_path / "suspects.csv", goal_reached=False):
        print(line)
    assert b"label\\u2192prediction" in console.getvalue()
    assert console.getvalue().count(b"label: a prediction: x loss") == 3


def test_training_that_reached_its_goal_is_told_to_raise_it() -> None:
    assert advice(found(10, 90, 0.4), goal_reached=True).startswith("acc_stop 1, which takes all steps: ")
    assert advice(found(10, 90, 0.4)).startswith("more steps: ")


def test_wrong_labels_among_the_verification_pictures_are_suspected_too() -> None:
    one = diagnose(reads(LABEL, 100), reads("y", 6) + reads(LABEL, 94))
    assert {suspect.path.name for suspect in one.suspects} == {f"y{n}.png" for n in range(6)}
    assert advice(one).startswith("look at the labels")


def test_label_that_was_learned_by_heart_is_suspected_for_its_reading_before() -> None:
    early = reads("x", 2, 0.6)
    heart = [LabelledPrediction(one.path, LABEL, Prediction(LABEL, 0.99, (0.99,)), 0.99, 0.1) for one in early]
    one = diagnose(reads(LABEL, 100) + heart, reads(LABEL, 100), early)
    assert [(s.path.name, s.prediction.text, s.loss) for s in one.suspects] == [("x1.png", "x", 1), ("x0.png", "x", 0)]


def test_picture_that_is_surely_misread_early_and_late_is_listed_once() -> None:
    one = diagnose(reads("x", 1) + reads(LABEL, 100), reads(LABEL, 100), reads("x", 1, 0.6))
    assert [s.prediction.confidence for s in one.suspects] == [0.99]


@pytest.mark.parametrize(
    ("confidence", "label_confidence", "suspected"),
    [(0.6, 0.02, True), (0.6, 0.04, False), (0.45, 0.001, False), (0.99, 0.0, True)],
)
def test_reading_is_sure_where_it_is_far_more_probable_than_the_label(
    confidence: float, label_confidence: float, suspected: bool
) -> None:
    (one,) = reads("x", 1, confidence, label_confidence)
    assert one.suspect == suspected


def test_network_that_reads_little_suspects_nobody() -> None:
    assert found(40, 50).suspects == []
    assert diagnose(reads("x", 40) + reads(LABEL, 60), reads(LABEL, 50), reads("x", 40)).suspects == []


def test_confusions_are_those_of_the_verification_pictures() -> None:
    assert found(0, 98).confusions == [("a", "b", 2)]


@pytest.mark.parametrize(
    ("wrong", "verified", "confidence", "words"),
    [
        (6, 90, 0.99, "look at the labels"),
        (6, 94, 0.4, "more steps"),
        (40, 55, 0.4, "more steps"),
        (0, 50, 0.4, "more labelled pictures: the network reads its training pictures much better"),
        (1, 97, 0.4, "more labelled pictures and more steps"),
        (0, 99, 0.4, "nothing: measure it"),
    ],
)
def test_advice(wrong: int, verified: int, confidence: float, words: str) -> None:
    assert advice(found(wrong, verified, confidence)).startswith(words)


def test_handful_of_verification_pictures_does_not_prove_learning_by_heart() -> None:
    one = diagnose(reads(LABEL, 100), reads(LABEL, 9) + reads("b", 1, 0.4))
    assert advice(one) == "more labelled pictures and more steps"
