"""Trainings on several devices and processes against one device: real processes on loopback.

A share of a batch is summed in another order than the whole, and a random change may round a pixel otherwise, so losses
differ by float32's rounding. Training amplifies that from step to step. Measured over 50 steps: 3e-4 of the loss.
"""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest

from cnnlib.config import load_sample_config
from cnnlib.core.errors import ConfigError
from cnnlib.inference.model_card import load_card
from cnnlib.training.distribution import Distribution
from cnnlib.training.trainer import Trainer
from tests.helpers import fill, run_python, write_config
from tests.workers import end, losses, start, start_workers, wait_for

pytestmark = pytest.mark.slow(30)
MODULE = "tests.training.own_statistics_process"
TOLERANCE = 1e-3  # of the loss, over STEPS steps
STEPS = 50
KEYS = {"network": "small", "cycle_save": 1000, "acc_stop": 1, "augmentation": 1.0, "train_batch_size": 96}


def prepare(folder: Path, **keys: object) -> Path:
    """A config over pictures that are always the same, seen often enough to come in pairs of views."""
    fill(folder / "sample" / "train", 300)
    return write_config(folder, **{**KEYS, "cycle_stop": STEPS, **keys})


def run_one(folder: Path, devices: int = 1, **keys: object) -> list[float]:
    config = prepare(folder, **keys)
    environment = {"WORKER_LOSSES": str(folder / "losses"), "WORKER_DEVICES": str(devices)}
    ((status, out, err),) = end([start(config, environment=environment)])
    assert (status, err) == (0, "")
    assert "two views at once" in out
    return losses(folder / "losses")


def run_workers(folder: Path, count: int, **keys: object) -> list[list[float]]:
    config = prepare(folder, **keys)
    for status, out, err in end(start_workers([config] * count, WORKER_LOSSES=str(folder / "losses{}"))):
        assert (status, err) == (0, "")
        assert f"Strategy auto: {count} replicas on {count} workers, 96 pictures a step in all" in out
    return [losses(folder / f"losses{number}") for number in range(count)]


def assert_same(found: list[float], expected: list[float]) -> None:
    assert len(found) == len(expected)
    differences = [abs(one / other - 1) for one, other in zip(found, expected, strict=True)]
    assert max(differences) < TOLERANCE, differences


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[float]]:
    """The folder and the losses of a training on one device."""
    folder = tmp_path_factory.mktemp("alone")
    return folder, run_one(folder)


def test_two_devices_learn_as_one(alone: tuple[Path, list[float]], tmp_path: Path) -> None:
    assert_same(run_one(tmp_path, devices=2, strategy="mirrored"), alone[1])


def test_workers_learn_as_one_device(alone: tuple[Path, list[float]], tmp_path: Path) -> None:
    first, second = run_workers(tmp_path, 2)
    assert_same(first, alone[1])
    assert second == first
    one, several = (load_card(folder / "model") for folder in (alone[0], tmp_path))
    assert several.verification_pictures == one.verification_pictures
    assert several.verification_picture_accuracy == pytest.approx(one.verification_picture_accuracy, abs=0.1)


def test_devices_with_batch_statistics_of_their_own_keep_the_mean_of_them(tmp_path: Path) -> None:
    moving = {
        kind: json.loads(run_python("-m", MODULE, str(prepare(tmp_path / kind, **keys))).stdout)
        for kind, keys in {
            "shared": {"strategy": "mirrored"},
            "own": {"strategy": "mirrored", "batch_statistics": "own"},
        }.items()
    }
    for first, second in moving.values():
        assert first == second
    assert moving["own"][0] != moving["shared"][0]
    assert moving["own"][0] == pytest.approx(moving["shared"][0], rel=0.05, abs=0.02)


def test_workers_with_batch_statistics_of_their_own_learn_together(
    alone: tuple[Path, list[float]], tmp_path: Path
) -> None:
    first, second = run_workers(tmp_path, 2, batch_statistics="own")
    assert first == second
    assert first[0] != pytest.approx(alone[1][0], rel=1e-5), "each normalises by its own share"
    assert first == pytest.approx(alone[1], rel=0.2)


@pytest.mark.usefixtures("small_network")
def test_share_too_small_for_statistics_of_its_own_is_refused(tmp_path: Path) -> None:
    config = load_sample_config(prepare(tmp_path, batch_statistics="own", train_batch_size=24))
    distribution = Distribution()
    distribution.replicas = 2
    expected = (
        "key 'batch_statistics': expected \"shared\", or a train_batch_size of 32 or more for 2 replicas; "
        'got "own" and 24'
    )
    with pytest.raises(ConfigError, match=re.escape(expected)):
        Trainer(config, distribution=distribution)


def test_training_goes_on_with_another_number_of_workers(alone: tuple[Path, list[float]], tmp_path: Path) -> None:
    """Two workers, then one device, then three workers, each with a model folder of its own, of which one is used."""
    prepare(tmp_path)
    changes = {**KEYS, "cycle_stop": STEPS}
    configs = [
        write_config(tmp_path / f"{number}", **changes, train_image_dir=str(tmp_path / "sample" / "train"))
        for number in range(3)
    ]
    file = {"WORKER_LOSSES": str(tmp_path / "losses{}"), "WORKER_PAUSE_S": "0.1"}
    stop_after(start_workers(configs[:2], **file), "10th")
    stop_after([start(configs[0], environment={**file, "WORKER_LOSSES": str(tmp_path / "losses0")})], "20th")
    for status, out, err in end(start_workers(configs, **file)):
        assert (status, err) == (0, "")
        assert "Strategy auto: 3 replicas on 3 workers, 96 pictures a step in all" in out
        assert f"Training ended at step {STEPS}: cycle_stop" in out
    first, second, third = (losses(tmp_path / f"losses{number}") for number in range(3))
    assert_same(first, alone[1])
    assert second[-len(third) :] == third == first[-len(third) :]
    assert [(tmp_path / f"{number}" / "model").exists() for number in range(3)] == [True, False, False]
    assert not (tmp_path / "1" / "logs").exists(), "only worker 0 writes"


def test_workers_that_draw_their_pictures_learn_what_one_learns(tmp_path: Path) -> None:
    look = {"root_dir": "unused", "image_suffix": "png", "characters": "01", "count": 1, "char_count": 2}
    (tmp_path / "look.json").write_text(json.dumps(look | {"width": 32, "height": 16}))
    drawn = {"generator": "gen_sample_by_captcha", "generator_config": str(tmp_path / "look.json")}
    alone, one, two = (
        write_config(tmp_path / name, **{**KEYS, **drawn, "cycle_stop": 20, "cache_dir": str(tmp_path / cache)})
        for name, cache in (("alone", "own"), ("one", "shared"), ("two", "shared"))
    )
    file = str(tmp_path / "losses-{}")
    ((status, _, err),) = end([start(alone, environment={"WORKER_LOSSES": file.format("alone")})])
    assert (status, err) == (0, "")
    for status, _, err in end(start_workers([one, two], WORKER_LOSSES=file)):
        assert (status, err) == (0, "")
    for number in range(2):
        assert_same(losses(Path(file.format(number))), losses(Path(file.format("alone"))))


def stop_after(processes: list[subprocess.Popen[str]], line: str) -> None:
    """Send the last process SIGTERM once the first has said a line; all save and end."""
    wait_for(processes[0], line)
    processes[-1].send_signal(signal.SIGTERM)
    for status, out, err in end(processes):
        assert (status, err) == (143, "")
        assert "interrupted by signal 15; run again to go on" in out


def test_float16_scales_the_same_losses(tmp_path: Path) -> None:
    """Sums of float16 products are coarser: 1e-3 of a number."""
    one = run_one(tmp_path / "one", precision="float16", cycle_stop=40)
    two = run_workers(tmp_path / "two", 2, precision="float16", cycle_stop=40)
    assert two[0] == two[1]
    assert two[0] == pytest.approx(one, rel=0.1)
    assert two[0][:5] == pytest.approx(one[:5], rel=0.01)
