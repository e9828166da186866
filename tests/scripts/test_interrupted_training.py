"""Trainings that are told to stop, lose their terminal, or find another one in their folder."""

import signal
import sys
from pathlib import Path

import pytest

from cnnlib.inference.model_card import held, load_card
from tests.helpers import fill, fill_unlearnable, run_script, start_script, write_config

pytestmark = pytest.mark.slow
ENDLESS = {"cycle_stop": 100_000, "cycle_save": 100_000, "acc_stop": 1, "network": "classic"}  # which starts soonest


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_training_saves_and_says_so(tmp_path: Path, number: int, status: int) -> None:
    path = write_config(tmp_path, **ENDLESS)
    fill_unlearnable(tmp_path / "sample" / "train", 300)
    process = start_script("train_model.py", "--config", path)
    assert process.stdout
    for line in process.stdout:
        if line == "10th training >>>\n":
            break
    process.send_signal(number)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, err) == (status, "")
    card = load_card(tmp_path / "model")
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert f"{name} was heard: the step under way ends, then it is saved\n" in out
    assert f"Interrupted: saving step {card.step}; once more ends at once, without it" in out
    assert f"Training ended at step {card.step}: interrupted by signal {number}; run again to go on" in out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_second_ctrl_c_ends_at_once_and_says_what_is_saved(tmp_path: Path) -> None:
    path = write_config(tmp_path, **ENDLESS)
    fill(tmp_path / "sample" / "train", 300)
    process = start_script("train_model.py", "--config", path)
    assert process.stdout
    for line in process.stdout:
        if line == "10th training >>>\n":
            process.send_signal(signal.SIGINT)
        if line.startswith("Interrupted: saving"):
            process.send_signal(signal.SIGINT)
            break
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"Ended at once: {(tmp_path / 'model').as_posix()}/ holds no step of this run" in out


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_training_whose_terminal_is_closed_saves(tmp_path: Path) -> None:
    path = write_config(tmp_path, **ENDLESS)
    fill(tmp_path / "sample" / "train", 300)
    process = start_script("train_model.py", "--config", path)
    assert process.stdout
    assert process.stderr
    for line in process.stdout:
        if line == "10th training >>>\n":
            break
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(600) != 0
    assert load_card(tmp_path / "model").step >= 10


def test_second_training_in_a_folder_is_refused(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    fill(tmp_path / "sample" / "train", 20)
    with held(tmp_path / "model"):
        run = run_script("train_model.py", "--config", path)
    assert (run.returncode, run.stderr) == (
        2,
        f"{(tmp_path / 'model').as_posix()}/: another training is using this folder\n",
    )
