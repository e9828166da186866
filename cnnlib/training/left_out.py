"""One training on some of the pictures, for reading those that it leaves out. It saves nothing."""

import numpy as np

from cnnlib.config import SampleConfig, check_keys
from cnnlib.core.progress import progress_bar
from cnnlib.core.signals import StopSignal
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.training.dataset import TrainingData
from cnnlib.training.pictures import Dataset
from cnnlib.training.trainer import Trainer


def whole_training(config: SampleConfig, **keys: object) -> SampleConfig:
    """The config of such a training: it takes all its steps, on one device. Some `keys` have other values."""
    return replace_keys(config, acc_stop=1.0, strategy="one", generator=None, **keys)


def replace_keys(config: SampleConfig, **keys: object) -> SampleConfig:
    """The config with other values of some keys."""
    return check_keys(config.model_dump() | keys, config.name, SampleConfig)


def trainer_on(config: SampleConfig, data: Dataset, learned: np.ndarray, left_out: np.ndarray) -> Trainer:
    """A training on the pictures `learned`, which verifies with those `left_out`: ascending numbers of `data`."""

    def load(_: SampleConfig) -> TrainingData:
        return TrainingData(data.select(learned), data.select(left_out), {})

    return Trainer(config, load)


def read_after_training(trainer: Trainer, stop: StopSignal, title: str) -> list[LabelledPrediction]:
    """Predictions for the verification pictures after all steps. Empty when a signal ends them early.

    `title` is that of the progress bar.
    """
    with progress_bar(total=trainer.plan.steps, unit=" steps", desc=title, leave=False) as bar:
        for pictures, labels, keys in trainer.batches():
            if stop.signal:
                return []
            trainer.step(pictures, labels, keys)
            bar.update()
    return trainer.evaluator.predict(trainer.verification, np.arange(len(trainer.verification)))
