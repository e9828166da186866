from dataclasses import replace
from pathlib import Path

from cnnlib.evaluation.diagnosis import diagnose
from cnnlib.report.training_record import RECORD, TrainingRecord, load_record, save_record
from tests.evaluation.predictions import LABEL, predictions

DIAGNOSIS = diagnose(predictions("x", 3) + predictions(LABEL, 97), predictions(LABEL, 9) + predictions("y", 1))
SAVED = TrainingRecord(7, "cycle_stop 7 is reached", True, DIAGNOSIS, {"a_1.png": "truncated"})


def test_record_comes_back_with_the_pictures_of_today(tmp_path: Path) -> None:
    save_record(SAVED, tmp_path / "report")
    record = load_record(tmp_path / "report", 7, tmp_path / "moved")
    assert record
    assert record.diagnosis
    assert [each.path for each in record.diagnosis.suspects] == [
        tmp_path / "moved" / each.path.name for each in DIAGNOSIS.suspects
    ]
    assert [each.path for each in record.diagnosis.misread] == [tmp_path / "moved" / "y0.png"]
    assert record.diagnosis.training == DIAGNOSIS.training
    assert (record.reason, record.goal_reached, record.skipped) == (SAVED.reason, True, SAVED.skipped)


def test_record_of_a_stopped_training_has_no_diagnosis(tmp_path: Path) -> None:
    stopped = replace(SAVED, diagnosis=None)
    save_record(stopped, tmp_path)
    assert load_record(tmp_path, 7, tmp_path) == stopped


def test_record_that_is_missing_broken_or_of_another_training_is_none(tmp_path: Path) -> None:
    assert load_record(tmp_path, 7, tmp_path) is None
    save_record(SAVED, tmp_path)
    assert load_record(tmp_path, 8, tmp_path) is None
    for text in ("", "{}", '{"step": "many"}', "[" * 100_000):
        (tmp_path / RECORD).write_text(text)
        assert load_record(tmp_path, 7, tmp_path) is None
