"""Disks that are full or gone: what is only beside a training, a test or a measurement never ends it."""

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import test_batch
import train_model
from cnnlib.config import SampleConfig
from cnnlib.core.files import optional_output
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.evaluation import plots
from cnnlib.inference.model_card import load_card
from tests.helpers import fill, write_config

pytestmark = pytest.mark.slow

NO_SPACE = "No space left on device"


def can_mount() -> bool:
    """Whether this system lets us mount a small disk in a process of our own."""
    if not shutil.which("unshare"):
        return False
    return (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0
    )


def on_small_disk(folder: Path, script: str, config: Path, size: str = "16k") -> subprocess.CompletedProcess[str]:
    """Run a script while `folder` is a disk of its own that is almost full."""
    folder.mkdir(parents=True, exist_ok=True)
    inside = f'mount -t tmpfs -o size={size} none "$0" && exec "$@"'
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        inside,
        str(folder),
        sys.executable,
        str(PROJECT_ROOT / script),
        str(config),
    ]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.mark.skipif(not can_mount(), reason="no small disk can be mounted here")
def test_full_log_disk_ends_no_training(tmp_path: Path) -> None:
    path = write_config(tmp_path, cycle_stop=400, cycle_save=400, acc_stop=1, augmentation=0, train_batch_size=4)
    fill(tmp_path / "sample" / "train", 40)
    run = on_small_disk(tmp_path / "logs", "train_model.py", path)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    assert load_card(tmp_path / "model").step == 400
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("[Warning]")]
    assert str(tmp_path / "logs") in line
    assert NO_SPACE in line


def full(path: Path, *_: object, **__: object) -> None:
    raise OSError(28, NO_SPACE, str(path))


def test_curves_and_list_of_suspects_that_cannot_be_written_end_no_training(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plots, "draw_errors", full)
    short.model_save_dir.mkdir(parents=True)
    (short.model_save_dir / "report").write_text("a file where the folder should be")
    assert train_model.TrainModel(short).train_cnn("none") == 0
    printed = capsys.readouterr()
    assert load_card(short.model_save_dir).step == 20
    for name in ("train_acc.png", "test_acc.png"):
        assert f"{short.model_save_dir / name} is not written: {NO_SPACE}" in printed.out
    assert "suspects.csv is not written: " in printed.err
    assert "To try next: " in printed.out


def test_figures_of_the_batch_test_are_printed_without_a_disk_for_the_report(
    finished: SampleConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(finished.test_image_dir, 30, seed=3)
    report = finished.model_save_dir / "report"
    shutil.rmtree(report, ignore_errors=True)
    report.write_text("a file where the folder should be")
    figures = test_batch.TestBatch(finished).test_batch()
    printed = capsys.readouterr()
    assert f"with an accuracy rate of {round(100 * figures['picture_accuracy'], 2)}%" in printed.out
    assert "test.json is not written: " in printed.err
    assert "The report is in" not in printed.out


@pytest.mark.parametrize("broken", ["draw_sheet", "draw_confusions"])
def test_one_drawing_that_fails_leaves_the_other(
    broken: str, finished: SampleConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(finished.test_image_dir, 30, characters="0", seed=3)
    report = finished.model_save_dir / "report"
    report.mkdir(exist_ok=True)
    for name in ("misread.png", "confusion.png"):
        (report / name).write_text("of an earlier test")
    monkeypatch.setattr(plots, broken, full)
    misread = [
        test_batch.Misread(path, "00", SimpleNamespace(text="01", confidence=0.9))
        for path in sorted(finished.test_image_dir.iterdir())[:3]
    ]  # type: ignore[arg-type]
    figures = {"confusions": [{"label": "0", "read": "1", "count": 3}]}
    test_batch.TestBatch(finished).draw(misread, figures)
    printed = capsys.readouterr()
    drawn = {"draw_sheet": "confusion.png", "draw_confusions": "misread.png"}[broken]
    assert {path.name for path in report.glob("*.png")} == {drawn}
    assert NO_SPACE in printed.err
    assert drawn in printed.out


def test_warning_names_the_file_and_the_cause(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with optional_output(tmp_path / "curve.png"):
        raise RuntimeError(f"{{/elsewhere/events}} {NO_SPACE} [Op:Flush]\nmore")
    assert capsys.readouterr().err == f"[Warning] {tmp_path / 'curve.png'} is not written: {NO_SPACE}\n"
    with optional_output(tmp_path / "curve.png"):
        raise MemoryError
    assert capsys.readouterr().err.endswith("is not written: MemoryError\n")
    with pytest.raises(KeyboardInterrupt), optional_output(tmp_path / "curve.png"):
        raise KeyboardInterrupt
