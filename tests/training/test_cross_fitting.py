import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import train_model
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError, SampleError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.core.signals import StopSignal
from cnnlib.data.doctor import examine, findings
from cnnlib.data.samples import Sample
from cnnlib.training import cross_fitting
from cnnlib.training.cross_fitting import fitting_config, link, parts, read_left_out, steps_for, temporary_folder
from cnnlib.training.dataset import load_folder
from cnnlib.training.pictures import Dataset
from cnnlib.training.trainer import Trainer
from tests.helpers import draw, fill

pytestmark = pytest.mark.slow

OTHER_RUN = """
import sys, time
from pathlib import Path
from cnnlib.training.cross_fitting import temporary_folder

with temporary_folder(Path(sys.argv[1])) as folder:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "01_0.png").symlink_to(sys.argv[2])
    print(folder, flush=True)
    time.sleep(600)
"""


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
    assert [*filter(Path.is_dir, temporary.iterdir())] == [*labelled.cache_dir.iterdir()] == []
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


@pytest.fixture
def other_run(labelled: SampleConfig) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """The folder and the process of a run that goes on."""
    picture = next(labelled.train_image_dir.iterdir())
    command = [sys.executable, "-c", OTHER_RUN, str(labelled.cache_dir), str(picture)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT_ROOT) as process:
        assert process.stdout
        yield Path(process.stdout.readline().strip()), process
        process.kill()


@pytest.mark.parametrize("by", ["the next run", "--clear-cache"])
def test_what_a_killed_run_left_is_deleted_and_what_another_one_holds_is_not(
    labelled: SampleConfig, other_run: tuple[Path, subprocess.Popen[str]], tmp_path: Path, by: str
) -> None:
    pictures, (folder, process) = files(labelled.train_image_dir), other_run
    with temporary_folder(labelled.cache_dir):
        assert len([*labelled.cache_dir.iterdir()]) == 2
    assert [*labelled.cache_dir.iterdir()] == [folder]
    process.kill()
    process.wait()
    assert (folder / "pictures" / "01_0.png").is_symlink()
    if by == "--clear-cache":
        assert train_model.main([by, str(tmp_path / "sample_config.json")]) == 0
    else:
        with temporary_folder(labelled.cache_dir):
            assert not folder.exists()
    assert [*labelled.cache_dir.iterdir()] == []
    assert files(labelled.train_image_dir) == pictures, "its links lead there"


def test_pictures_that_can_not_be_kept_are_an_error_whose_way_out_helps(
    labelled: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").write_text("no folder")
    samples = examine(labelled).samples
    with pytest.raises(SampleError, match=r"full/doctor-.* can't be kept there: .* name another folder as cache_dir"):
        read_left_out(labelled.model_copy(update={"cache_dir": tmp_path / "full"}), samples, silent)
    another, kept = tmp_path / "another", list[Path]()
    monkeypatch.setattr(cross_fitting, "parts", lambda *_: kept.extend(another.rglob("*.pictures")) or [])
    read_left_out(labelled.model_copy(update={"cache_dir": another}), samples, silent)
    assert kept


def test_lack_of_memory_is_told_with_what_helps(labelled: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Trainer, "step", out_of_memory)
    with pytest.raises(ModelError, match=r"sample_config.json: memory ran out: close other programs$"):
        read_left_out(labelled, examine(labelled).samples, silent)
    assert [*labelled.cache_dir.iterdir()] == []


@pytest.mark.parametrize(
    ("alphabet", "label", "learned"), [("ab", "AB", "ab"), ("AB", "ab", "AB"), ("ab", "Ac", "abc")]
)
def test_alphabet_grows_by_no_other_case_where_case_is_ignored(
    configure: Callable[..., SampleConfig], tmp_path: Path, alphabet: str, label: str, learned: str
) -> None:
    config = configure(char_set=alphabet, ignore_case=True)
    draw(label, config.train_image_dir / f"{label}_1.png")
    assert str(fitting_config(config, tmp_path / "fitting", examine(config).samples).alphabet) == learned


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
