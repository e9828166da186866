"""Readings of labelled pictures by networks that did not learn them: each part is read after a training on the others.

Trainings are short, and nothing but a temporary folder in `cache_dir` is written.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from cnnlib.codec.filenames import file_name, suffix_in
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import reason, take_lock
from cnnlib.core.paths import display_path
from cnnlib.core.signals import StopSignal, catch_stop_signals
from cnnlib.data.folders import LOCK_NAME
from cnnlib.data.samples import Sample, judge
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.training import devices
from cnnlib.training.dataset import load_folder
from cnnlib.training.left_out import read_after_training, replace_keys, trainer_on, whole_training
from cnnlib.training.order import picture_numbers
from cnnlib.training.pictures import Dataset
from cnnlib.training.resume import start

PARTS = 3  # that the pictures are split into
BATCH_SIZE = 64  # pictures of a step
VIEWS = 16  # of each picture in a training, if that is more than the fewest steps
FEWEST_STEPS = 200
FEWEST_PICTURES = 60  # among which a network learns enough to contradict a label
DIGITS = 9  # of the number of a picture in its name
FOLDER = "doctor"  # start of the name of a folder in `cache_dir`, which `train_model.py --clear-cache` knows too
REMEDY = "close other programs"  # where memory runs out: the batch is small already

Say = Callable[[str], None]


def read_left_out(
    config: SampleConfig, samples: Sequence[Sample], say: Say
) -> tuple[dict[Path, LabelledPrediction], int | None]:
    """Predictions for the pictures that can be trained on, by their paths, and the signal that came before the end.

    Labels may have characters that the alphabet of the config lacks. Raises SampleError when there are too few
    pictures, and ConfigError, ModelError or SampleError as a training does.
    """
    with devices.explained_shortage(config, remedy=REMEDY), temporary_folder(config.cache_dir) as folder:
        fitting = fitting_config(config, folder, samples)
        fit = [sample for sample in samples if not judge(replace(sample, doubt=None), fitting).fault]
        if len(fit) < FEWEST_PICTURES:
            raise SampleError(f"expected {FEWEST_PICTURES} or more pictures that fit {config.name}; got {len(fit)}")
        fitting = replace_keys(fitting, cycle_stop=steps_for(len(fit) * (PARTS - 1) // PARTS))
        with _explained(fitting.train_image_dir):
            link(fit, fitting.train_image_dir)
        say(devices.use_gpu(config.enable_gpu))
        say(f"{PARTS} short trainings of {fitting.cycle_stop} steps; each reads the third that it did not learn")
        with catch_stop_signals(lambda _: say("Interrupted: what was read so far is reported")) as stop:
            data = load_folder(fitting.train_image_dir, fitting).data
            predictions = [each for part in parts(fitting, data, stop, say) for each in part]
    numbers = [int(each.path.stem.rpartition("_")[2]) for each in predictions]
    paths = [fit[number].path for number in numbers]
    return {path: replace(each, path=path) for path, each in zip(paths, predictions, strict=True)}, stop.signal


@contextmanager
def temporary_folder(cache_dir: Path) -> Iterator[Path]:
    """A folder in `cache_dir` that is deleted when the block ends, as are those of killed runs when it begins.

    Raises SampleError when it can't be made.
    """
    for left in cache_dir.glob(f"{FOLDER}-{'[0-9a-f]' * 16}"):
        with suppress(OSError):  # another run has locked it, or deletes it too
            take_lock(left / LOCK_NAME, 0).lock.release()
            shutil.rmtree(left)
    folder = cache_dir / f"{FOLDER}-{secrets.token_hex(8)}"
    try:
        with _explained(folder):
            lock = take_lock(folder / LOCK_NAME, 0)
        with lock:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn an OSError into a SampleError that names the way out."""
    try:
        yield
    except OSError as error:
        remedy = "free some space there, or name another folder as cache_dir in the config"
        raise SampleError(f"{display_path(folder)}: pictures can't be kept there: {reason(error)}; {remedy}") from error


def steps_for(pictures: int) -> int:
    """The steps of a training on this many pictures."""
    return max(FEWEST_STEPS, VIEWS * pictures // BATCH_SIZE)


def fitting_config(config: SampleConfig, folder: Path, samples: Sequence[Sample]) -> SampleConfig:
    """The config of the trainings: all is below `folder`, and the alphabet has all characters of the labels."""
    known = str(config.alphabet)
    labels = (config.spelled(str(sample.label)) for sample in samples if not sample.defects)
    others = sorted({character for label in labels for character in label} - set(known))
    return whole_training(
        config,
        model_save_dir=folder / "model",
        cache_dir=folder / "cache",
        log_dir=folder / "logs",
        train_image_dir=folder / "pictures",
        char_set=known + "".join(others),
        use_labels_json_file=False,
        image_suffix="any",
        train_batch_size=BATCH_SIZE,
    )


def link(samples: Sequence[Sample], folder: Path) -> None:
    """Fill a folder with links to the pictures, or copies, under names of their labels and numbers."""
    folder.mkdir(parents=True)
    for number, sample in enumerate(samples):
        suffix = suffix_in(sample.name).removeprefix(".")
        target = folder / file_name(str(sample.label), f"{number:0{DIGITS}d}", suffix)
        try:
            target.symlink_to(sample.path.absolute())
        except OSError:  # on Windows, without the right to make links
            shutil.copyfile(sample.path, target)


def parts(config: SampleConfig, data: Dataset, stop: StopSignal, say: Say) -> Iterator[list[LabelledPrediction]]:
    """The predictions for each part of the pictures, one part after the other, until a signal comes."""
    numbers = picture_numbers(np.arange(len(data)), len(data), config.split_seed)
    for part, left_out in enumerate(np.array_split(numbers, PARTS), 1):
        learned = np.setdiff1d(numbers, left_out)
        trainer = trainer_on(config, data, learned, np.sort(left_out))
        start(trainer, "auto")
        predictions = read_after_training(trainer, stop, f"Part {part} of {PARTS}")
        if stop.signal:
            return
        right = sum(each.prediction.text == each.label for each in predictions)
        say(f"Part {part} of {PARTS}: {right} of {len(predictions)} labels are read as they are")
        yield predictions
