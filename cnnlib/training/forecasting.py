"""What more labels would bring: trainings on parts of the labels, each of which reads other pictures, and a curve."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError, SampleError
from cnnlib.core.files import make_folder, write_atomically
from cnnlib.core.paths import display_path
from cnnlib.core.signals import StopSignal, catch_stop_signals
from cnnlib.evaluation.learning_curve import Forecast, Measured, forecast, forecast_fault
from cnnlib.training import devices
from cnnlib.training.dataset import load_folder, verification_share
from cnnlib.training.left_out import read_after_training, trainer_on, whole_training
from cnnlib.training.order import picture_numbers
from cnnlib.training.pictures import Dataset
from cnnlib.training.resume import start
from cnnlib.training.schedule import steps_for

PARTS = (1 / 4, 1 / 2, 3 / 4)  # of the labels that are learned; the others are read
FEWEST_LABELS = 80  # from which on the parts tell something
READ_LIMIT = 2000  # pictures that are read after a training, at most
CURVE_POINTS = 24  # for which the forecast is drawn
GROWTH = (1, 1.5, 2, 4)  # of the labels, for which the accuracy is forecast

Say = Callable[[str], None]


@dataclass(frozen=True)
class Measurement:
    """The trainings on parts of `labels` labels, how long a step of theirs took, and what ended them early."""

    labels: int
    measured: list[Measured]
    step_seconds: float
    signal: int | None


def measure_parts(config: SampleConfig, say: Say, warm_start: str = "auto") -> Measurement:
    """Train on each part of the pictures of `train_image_dir`, and read others. Pictures without labels don't count.

    Each part starts as a training with this `warm_start` does. Decoded pictures are kept in `cache_dir`, as by each
    training, and nothing else is written.
    Raises SampleError when there are too few, ConfigError when they are drawn by a generator, and ConfigError,
    ModelError or SampleError as a training does.
    """
    if config.generator:
        remedy = "leave the key out to forecast for the labels of train_image_dir"
        raise ConfigError(
            f"{config.name}: key 'generator': its pictures cost no labels, so none are forecast; {remedy}"
        )
    say(devices.use_gpu(config.enable_gpu))
    with devices.explained_shortage(config):
        data = load_folder(config.train_image_dir, config).data
        if len(data) < FEWEST_LABELS:
            folder = display_path(config.train_image_dir)
            raise SampleError(f"{folder}: expected {FEWEST_LABELS} or more labelled pictures; got {len(data)}")
        with catch_stop_signals(lambda _: say("Interrupted: nothing is forecast")) as stop:
            return _measure(whole_training(config), data, stop, say, warm_start)


def _measure(config: SampleConfig, data: Dataset, stop: StopSignal, say: Say, warm_start: str) -> Measurement:
    numbers = picture_numbers(np.arange(len(data)), len(data), config.split_seed)
    measured, steps, begin = list[Measured](), 0, time.perf_counter()
    for count in (round(part * len(data)) for part in PARTS):
        learned, left_out = np.sort(numbers[:count]), np.sort(numbers[count:][:READ_LIMIT])
        trainer = trainer_on(config, data, learned, left_out)
        start(trainer, warm_start)
        predictions = read_after_training(trainer, stop, f"{count} labels")
        if stop.signal:
            break
        right = sum(each.prediction.text == each.label for each in predictions)
        measured.append(Measured(count, len(predictions), len(predictions) - right))
        say(f"After a training on {count} labels: {right} of {len(predictions)} other pictures are read right")
        steps += steps_of(config, count)
    return Measurement(len(data), measured, (time.perf_counter() - begin) / max(1, steps), stop.signal)


def steps_of(config: SampleConfig, learned: int) -> int:
    """The steps of a training on so many pictures."""
    return steps_for(learned, config.train_batch_size) if config.cycle_stop == "auto" else config.cycle_stop


def learned_of(labels: int) -> int:
    """How many of the labels of the training folder a training learns. The others are the verification set."""
    return round(labels * (1 - verification_share(labels)))


def targets(labels: int) -> list[int]:
    """The numbers of labels for which the accuracy is forecast: those that there are, and round numbers above."""
    digit = 10 ** max(1, len(str(labels)) - 2)
    return [labels, *(round(labels * growth / digit) * digit for growth in GROWTH[1:])]


def forecast_labels(measurement: Measurement, labels: list[int]) -> list[Forecast]:
    """The forecast for each number of labels in the training folder."""
    found = forecast(measurement.measured, [learned_of(count) for count in labels])
    return [
        Forecast(count, each.accuracy, each.lowest, each.highest) for count, each in zip(labels, found, strict=True)
    ]


def check_forecastable(config: SampleConfig, measurement: Measurement) -> None:
    """Raise SampleError when no curve follows from the measurements, with what is likely wrong."""
    if fault := forecast_fault(measurement.measured):
        accuracies = ", ".join(f"{each.accuracy:.1%}" for each in measurement.measured)
        raise SampleError(
            f"{display_path(config.train_image_dir)}: expected accuracies that rise with the labels; got {accuracies}: "
            f"{fault}, so nothing is forecast; look for wrong labels with verify_and_split_data.py --doctor, check "
            "char_set, the picture size and cycle_stop, or label more pictures"
        )


def forecast_lines(config: SampleConfig, measurement: Measurement, forecasts: list[Forecast]) -> list[str]:
    """What more labels likely bring, a line for each number of them."""
    lines = []
    for each in forecasts:
        more = each.labels - measurement.labels
        minutes = measurement.step_seconds * steps_of(config, learned_of(each.labels)) / 60
        start = f"{more} more labels" if more else f"All {each.labels} labels"
        lines.append(
            f"{start}, a training of some {max(1, round(minutes))} minutes: {each.lowest:.1%} to {each.highest:.1%}"
        )
    return lines


def write_figures(path: Path, measurement: Measurement, forecasts: list[Forecast]) -> None:
    """Write what was measured and forecast as JSON. Raises OSError when it can't be written."""
    make_folder(path.parent)
    figures = {
        "measured": [asdict(each) for each in measurement.measured],
        "step_seconds": round(measurement.step_seconds, 3),
        "forecast": [asdict(each) for each in forecasts],
    }
    write_atomically(path, (json.dumps(figures, indent=2) + "\n").encode())


def draw(path: Path, measurement: Measurement) -> None:
    """Draw the measurements and the curve through them. Raises ImportError without matplotlib, and OSError."""
    from cnnlib.evaluation import plots  # takes a second

    first, last = measurement.measured[0].labels, learned_of(targets(measurement.labels)[-1])
    counts = np.geomspace(first, last, CURVE_POINTS).astype(int).tolist()
    curve = [(each.labels, each.accuracy, each.lowest, each.highest) for each in forecast(measurement.measured, counts)]
    plots.draw_learning_curve(path, [(each.labels, each.accuracy) for each in measurement.measured], curve)
