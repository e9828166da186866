import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnlib.cli import allow_any_character
from cnnlib.evaluation.diagnosis import diagnose, write_suspects
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.training.reporting import LIST_LIMIT, Outcome, diagnosis_lines, outcome_lines, print_line, skipped_lines
from tests.evaluation.predictions import LABEL, diagnosis_of, predictions


def test_console_lines_are_those_of_the_original(trained: SimpleNamespace) -> None:
    at = trained.lines.index("10th training >>>")
    rate = r"accuracy rate is \d\.\d{{5}}"
    form = rf"\[{{}} set\] The character {rate} The picture {rate} >>> loss \d+\.\d{{{{10}}}}"
    assert re.fullmatch(form.format("Training"), trained.lines[at + 1])
    assert re.fullmatch(form.format("Verification"), trained.lines[at + 2])
    plan = r"cycle_stop 160 steps of 32 pictures: each is seen \d+\.\d times"
    assert any(re.fullmatch(plan, line) for line in trained.lines)
    assert trained.lines[0] == "Computing on the CPU (enable_gpu 0)"


def test_training_goes_on_when_its_terminal_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("tqdm.tqdm.write", gone)
    print_line("10th training >>>")


@pytest.mark.parametrize(
    ("pictures", "share", "line"),
    [
        (453, 452 / 453, "95% interval of the picture accuracy: 98.76% to 99.96%"),
        (9, 6 / 9, "35.42% to 87.94%: 9 pictures can't tell better; with more labelled pictures you would know"),
        (1, 1.0, "20.65% to 100.00%: 1 picture can't tell better;"),
    ],
)
def test_accuracy_comes_with_its_interval(pictures: int, share: float, line: str) -> None:
    outcome = Outcome("cycle_stop", False, None, 20, Accuracy(pictures, share, share), 1.0, 0.0, 0.0, share, 20)
    assert any(line in each for each in outcome_lines(outcome))


def test_ten_suspects_are_printed_and_all_of_them_written(tmp_path: Path) -> None:
    diagnosis = diagnose(predictions("x", 12) + predictions(LABEL, 188), predictions(LABEL, 100))
    table = tmp_path / "report" / "suspects.csv"
    write_suspects(diagnosis.suspects, table)
    lines = "\n".join(diagnosis_lines(replace(diagnosis, unread=50), table, goal_reached=False))
    assert "Training pictures, unchanged, 200 of 250: picture accuracy 94.00%" in lines
    assert lines.count("label: a prediction: x loss") == LIST_LIMIT == 10


def test_all_suspects_are_printed_though_a_console_lacks_a_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(console, "cp1252", write_through=True))
    allow_any_character()
    for line in diagnosis_lines(diagnosis_of(misread=3, verified=97), tmp_path / "suspects.csv", goal_reached=False):
        print(line)
    assert b"label\\u2192prediction" in console.getvalue()
    assert console.getvalue().count(b"label: a prediction: x loss") == 3


def test_skipped_pictures_are_named_up_to_a_limit_and_counted(tmp_path: Path) -> None:
    skipped = {f"01_{number:02}.png": "it is cut" for number in range(12)}
    lines = [*skipped_lines(tmp_path, skipped)]
    assert lines[0] == f"Skipped {tmp_path.as_posix()}/01_00.png: it is cut"
    assert (len(lines), lines[-1]) == (11, "... and 2 more, 12 in all")
    assert [*skipped_lines(tmp_path, {})] == []
