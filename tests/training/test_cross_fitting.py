import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.signals import StopSignal
from cnnlib.data.doctor import examine, findings
from cnnlib.data.samples import Sample
from cnnlib.training import cross_fitting
from cnnlib.training.cross_fitting import fitting_config, link, parts, read_left_out, steps_for
from cnnlib.training.dataset import load_folder
from cnnlib.training.pictures import Dataset
from cnnlib.training.trainer import Trainer
from tests.helpers import draw, fill

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_fitting, "FEWEST_STEPS", 60)


def silent(_: str) -> None:
    """Say nothing."""


def files(folder: Path) -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def labelled(configure: Callable[..., SampleConfig], small_network: str) -> SampleConfig:
    """A config with 150 pictures of two folders, of which three have another label than they show."""
    config = configure(network=small_network, augmentation=0)
    fill(config.train_image_dir, 120, seed=1)
    fill(config.test_image_dir, 27, seed=2)
    for number, (shown, label) in enumerate((("00", "11"), ("01", "10"), ("11", "1x"))):
        path = draw(shown, config.train_image_dir / "drawn.png", seed=900 + number)
        path.rename(path.with_name(f"{label}_wrong{number}.png"))
    return config


def test_wrong_labels_are_the_first_and_nothing_is_written(
    labelled: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = files(tmp_path)
    assert len(before) == 151  # the pictures and the config
    lines: list[str] = []
    examination = examine(labelled)
    readings, stopped = read_left_out(labelled, examination.samples, lines.append)
    assert stopped is None
    assert readings.keys() == {sample.path for sample in examination.samples}
    examination = replace(examination, doubles=[])  # so small that many are nearly the same
    first = {each.sample.name for each in findings(examination, readings)[:3]}
    assert first == {"11_wrong0.png", "10_wrong1.png", "1x_wrong2.png"}
    assert readings[labelled.train_image_dir / "11_wrong0.png"].prediction.text == "00"
    assert [*temporary.glob("captcha-doctor-*")] == []
    assert {path: data for path, data in files(tmp_path).items() if "/temporary/" not in path} == before
    assert lines[1] == "3 short trainings of 60 steps; each reads the third that it did not learn"
    assert lines[2].startswith("Part 1 of 3: 4")


def test_no_part_is_read_by_a_network_that_learned_it(
    labelled: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = examine(labelled).samples
    config = fitting_config(labelled, tmp_path / "fitting", samples)
    link(samples, config.train_image_dir)
    data = load_folder(config.train_image_dir, config).data
    split: list[tuple[set[int], set[int]]] = []
    make = cross_fitting.trainer_on

    def record(config: SampleConfig, data: Dataset, learned: np.ndarray, left_out: np.ndarray) -> Trainer:
        split.append((set(learned.tolist()), set(left_out.tolist())))
        return make(cross_fitting.replace_keys(config, cycle_stop=1), data, learned, left_out)

    monkeypatch.setattr(cross_fitting, "trainer_on", record)
    read = [each.path.name for part in parts(config, data, StopSignal(silent), silent) for each in part]
    assert sorted(read) == list(data.names)
    assert [learned & left_out for learned, left_out in split] == [set(), set(), set()]
    assert [learned | left_out for learned, left_out in split] == [set(range(len(data)))] * 3


def test_signal_ends_early_with_what_was_read(labelled: SampleConfig) -> None:
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        if line.startswith("Part 1"):
            os.kill(os.getpid(), signal.SIGINT)

    readings, stopped = read_left_out(labelled, examine(labelled).samples, say)
    assert stopped == signal.SIGINT
    assert len(readings) == 50
    assert lines[-1] == "Interrupted: what was read so far is reported"


def test_too_few_pictures_are_refused(short: SampleConfig) -> None:
    samples = examine(short).samples[:59]
    with pytest.raises(SampleError, match=r"expected 60 or more pictures that fit .*; got 59"):
        read_left_out(short, samples, silent)


def test_pictures_are_copied_where_links_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", refuse)
    path = draw("01", tmp_path / "01_1.png")
    link([Sample(tmp_path, path.name, "0/1")], tmp_path / "linked")
    (copy,) = (tmp_path / "linked").iterdir()
    assert (copy.name, copy.read_bytes()) == ("0%2F1_000000000.png", path.read_bytes())


def test_steps_grow_with_the_pictures() -> None:
    assert [steps_for(count) for count in (40, 240, 8000)] == [60, 60, 2000]
