"""Trainings of several workers that are stopped, killed, silent, late or given other things: real processes."""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import train_model
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError
from cnnlib.inference.model_card import load_card
from cnnlib.training.distribution import Distribution, distribute
from cnnlib.training.trainer import Trainer
from tests.helpers import fill, fill_unlearnable, write_config
from tests.workers import end, losses, start_workers, wait_for

pytestmark = pytest.mark.slow(15)
ENDLESS: dict[str, Any] = {
    "network": "small",
    "cycle_stop": 100_000,
    "cycle_save": 20,
    "acc_stop": 1,
    "train_batch_size": 48,
}
posix = pytest.mark.skipif(sys.platform == "win32", reason="the signals are POSIX's")
LOST = r"worker {} \(127\.0\.0\.1:\d+\) {}; the last save stays: start all workers again to go on\n"


def endless(folder: Path, **keys: Any) -> Path:
    fill_unlearnable(folder / "sample" / "train", 300)
    return write_config(folder, **{**ENDLESS, **keys})


@posix
@pytest.mark.parametrize(("victim", "goes_on"), [(0, True), (1, False)])
def test_others_of_a_killed_worker_ask_to_be_started_again_and_go_on(
    tmp_path: Path, victim: int, goes_on: bool
) -> None:
    config = endless(tmp_path)
    file = str(tmp_path / "losses{}")
    processes = start_workers([config] * 3, WORKER_LOSSES=file)
    wait_for(processes[0], "Saved step 20 into ")
    processes[victim].kill()
    for number, (status, _, err) in enumerate(end(processes)):
        if number != victim:
            assert status == 75
            assert re.fullmatch(LOST.format(victim, "has ended"), err)
    saved = load_card(tmp_path / "model").step
    trained = len(losses(tmp_path / "losses2"))
    assert trained - saved < ENDLESS["cycle_save"] + 1, "no more is lost than the steps since the last save"
    if not goes_on:  # it would be the same, whoever was killed
        return
    again = start_workers([config] * 3)
    wait_for(again[0], f"Resuming from step {saved} in ")
    wait_for(again[0], f"{saved + 10}th training >>>")
    again[2].send_signal(signal.SIGINT)
    assert [status for status, _, _ in end(again)] == [130] * 3


@posix
def test_ctrl_c_on_one_worker_saves_once_and_ends_all(tmp_path: Path) -> None:
    config = endless(tmp_path, cycle_save=100_000)
    processes = start_workers([config] * 2)
    wait_for(processes[0], "10th training >>>")
    processes[1].send_signal(signal.SIGINT)
    (status, out, err), (other_status, other_out, other_err) = end(processes)
    assert (status, err) == (other_status, other_err) == (130, "")
    step = load_card(tmp_path / "model").step
    assert f"Interrupted: saving step {step}; once more ends at once, without it" in out
    assert f"Saved step {step} into " in out
    for each in (out, other_out):
        assert f"Training ended at step {step}: interrupted by signal 2; run again to go on" in each
    assert "Saved step" not in other_out


@posix
def test_frozen_worker_is_left_behind(tmp_path: Path) -> None:
    config = endless(tmp_path)
    first, frozen = start_workers([config] * 2, WORKER_BEAT_S="0.5", WORKER_SILENCE_S="4")
    try:
        wait_for(first, "10th training >>>")
        frozen.send_signal(signal.SIGSTOP)
        ((status, _, err),) = end([first])
    finally:
        frozen.kill()
        frozen.communicate()
    assert status == 75
    assert re.fullmatch(LOST.format(1, "has been silent for 4 seconds"), err)


def test_worker_that_does_not_come_is_named(tmp_path: Path) -> None:
    config = endless(tmp_path)
    processes = start_workers([config] * 3, WORKER_WAIT_S="4")
    processes[1].kill()
    for number, (status, _, err) in enumerate(end(processes)):
        if number != 1:
            assert status == 75
            assert re.fullmatch(r"waited 4 seconds for worker 1 \(127\.0\.0\.1:\d+\); start all workers again\n", err)


def refused(processes: list[subprocess.Popen[str]]) -> list[str]:
    """What each worker says on standard error when all refuse to train."""
    results = end(processes)
    assert [status for status, _, _ in results] == [2] * len(processes)
    return [err for _, _, err in results]


def test_another_config_is_named_on_all_workers(tmp_path: Path) -> None:
    config = endless(tmp_path)
    keys = json.loads(config.read_text()) | {"cycle_stop": 50, "split_seed": 7, "log_dir": str(tmp_path / "elsewhere")}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(keys))
    first, second = refused(start_workers([config, other]))
    assert first == second
    expected = (
        r"worker 1 \(\S+\): expected cycle_stop 100000, split_seed 0 as worker 0 \(\S+\) has; got cycle_stop 50, "
    )
    assert re.fullmatch(expected + r"split_seed 7; give all workers the same version and config\n", first)


def test_other_pictures_are_named_on_all_workers(tmp_path: Path) -> None:
    config = endless(tmp_path)
    fill(tmp_path / "other" / "sample" / "train", 300)
    keys = json.loads(config.read_text()) | {"train_image_dir": str(tmp_path / "other" / "sample" / "train")}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(keys))
    first, second, third = refused(start_workers([config, other, config]))
    assert first == second == third
    assert re.match(r"worker 1 \(\S+\): expected the pictures of worker 0 \(\S+\); got others; give all", first)


def test_fault_on_one_worker_is_said_by_all(tmp_path: Path) -> None:
    config = endless(tmp_path)
    keys = json.loads(config.read_text()) | {"train_image_dir": str(tmp_path / "nowhere")}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(keys))
    first, second = refused(start_workers([config, other]))
    assert second.startswith(f"{(tmp_path / 'nowhere').as_posix()}")
    assert re.fullmatch(r"worker 1 \(127\.0\.0\.1:\d+\): " + re.escape(second), first)


@pytest.mark.usefixtures("small_network")
def test_batch_that_replicas_can_not_share_is_refused(tmp_path: Path) -> None:
    distribution = Distribution()
    distribution.replicas = 3
    expected = (
        "key 'train_batch_size': expected a multiple of 6 for 3 replicas, as each trains on pairs of views; got 32; "
    )
    with pytest.raises(ConfigError, match=f"{expected}the nearest are 30 or 36$"):
        Trainer(load_sample_config(endless(tmp_path, train_batch_size=32)), distribution=distribution)


@pytest.mark.parametrize(
    ("strategy", "text", "fault"),
    [
        ("auto", "{", "TF_CONFIG: expected JSON; got {; Expecting property name"),
        ("workers", "", "key 'strategy': expected TF_CONFIG beside \"workers\"; got none; set it on each machine"),
    ],
)
def test_broken_tf_config_is_refused_before_anything_is_loaded(
    tmp_path: Path,
    strategy: str,
    text: str,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.Trainer", lambda *_: pytest.fail("something was loaded"))
    monkeypatch.setenv("TF_CONFIG", text)
    assert train_model.main([str(write_config(tmp_path, strategy=strategy))]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert fault in err


def test_strategy_one_does_not_look_at_tf_config(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", "{")
    assert distribute(configure(strategy="one")).replicas == 1
    with pytest.raises(ConfigError, match="TF_CONFIG"):
        distribute(configure(strategy="auto"))
