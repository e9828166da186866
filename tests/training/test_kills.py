"""A training that is killed, between saves and while it saves, goes on with the losses of one that is not."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.inference.model_card import load_card
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import fill

pytestmark = [pytest.mark.slow(40), pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")]

CODE = """
import os, signal, sys
from pathlib import Path
from cnnlib.config import load_sample_config
from cnnlib.inference import model_card
from cnnlib.network.names import NETWORKS
from cnnlib.training import loop
from cnnlib.training.trainer import Trainer

NETWORKS["small"] = "tests.small_network:Small"
path, at_step, at_write = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
step, write, writes = Trainer.step, model_card.write_atomically, []

def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

def spy(trainer, *batch):
    loss, probabilities = step(trainer, *batch)
    print("loss", trainer.progress.step, float(loss))
    if trainer.progress.step == at_step:
        die()
    return loss, probabilities

def spy_write(path, content, **options):
    writes.append(path)
    if len(writes) == at_write:
        die()
    write(path, content, **options)

Trainer.step, model_card.write_atomically = spy, spy_write
loop.train(load_sample_config(path), print)
"""


def losses_of(path: Path, at_step: int = 0, at_write: int = 0) -> tuple[dict[int, float], list[str]]:
    """The loss of each step of a run, and what it said. It is killed at a step, or when it is about to write a file."""
    command = [sys.executable, "-c", CODE, str(path), str(at_step), str(at_write)]
    run = subprocess.run(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False, env=os.environ)
    assert run.returncode == (-9 if at_step or at_write else 0)
    said = run.stdout.splitlines()
    lines = [line.split() for line in said if line.startswith("loss ")]
    return {int(step): float(loss) for _, step, loss in lines}, said


def test_killed_training_goes_on_with_the_losses_of_an_uninterrupted_one(
    configure: Callable[..., SampleConfig], tmp_path: Path, small_network: str
) -> None:
    keys = {"network": small_network, "cycle_stop": 30, "cycle_save": 10, "train_batch_size": 16, "augmentation": 1}
    fill(configure().train_image_dir, 60)

    def config(name: str) -> Path:
        made = configure(**keys, model_save_dir=str(tmp_path / name))
        return Path(made._source).rename(tmp_path / f"{name}.json")

    straight, _ = losses_of(config("straight"))
    assert [*straight] == [*range(1, 31)]
    killed, folder = config("killed"), tmp_path / "killed"
    parts = [losses_of(killed, at_step=7), losses_of(killed, at_write=6)]
    assert load_card(folder).step == 10, "the save that was killed has changed nothing"
    Recognizer(folder)
    parts += [losses_of(killed, at_step=16), losses_of(killed)]
    assert [(min(part), max(part)) for part, _ in parts] == [(1, 7), (1, 20), (11, 16), (11, 30)]
    resumed = [[line for line in said if line.startswith("Resuming")] for _, said in parts]
    assert resumed == [[], [], *[[f"Resuming from step 10 in {folder.as_posix()}/"]] * 2]
    for part, _ in parts:
        assert part == pytest.approx({step: straight[step] for step in part}, rel=1e-4), "with two threads, sums differ"
