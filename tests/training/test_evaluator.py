import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.training.dataset import Dataset
from cnnlib.training.evaluator import Evaluator
from cnnlib.training.trainer import Trainer
from tests.helpers import fill


def test_no_more_pictures_are_read_at_once_than_are_trained_on(short: SampleConfig) -> None:
    trainer, sizes = Trainer(short.model_copy(update={"train_batch_size": 8})), []
    predict = trainer.evaluator._predict

    def record(pictures: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        sizes.append(len(pictures))
        return predict(pictures, labels)

    trainer.evaluator._predict = record
    predictions = trainer.evaluator.predict(trainer.training, np.arange(20))
    assert sizes == [8, 8, 4]
    assert [prediction.path for prediction in predictions] == [trainer.training.path(number) for number in range(20)]


def test_each_console_line_evaluates_other_verification_pictures(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(short.train_image_dir, 600, seed=1)
    trainer = Trainer(short)
    size, evaluated, predict = len(trainer.verification), [], Evaluator.predict

    def record(self: Evaluator, data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        evaluated.append(numbers.tolist())
        return predict(self, data, numbers)

    monkeypatch.setattr(Evaluator, "predict", record)
    for turn in range(1, size + 1):
        assert trainer.evaluator.evaluate(5, turn).accuracy.pictures == 5
    assert {number for numbers in evaluated for number in numbers} == set(range(size))


def test_diagnosis_reads_training_pictures_up_to_its_limit(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.evaluator.TRAINING_LIMIT", 5)
    trainer = Trainer(short)
    diagnosis = trainer.diagnose()
    assert (diagnosis.training.pictures, diagnosis.unread) == (5, len(trainer.training) - 5)


def test_workers_that_share_the_pictures_put_the_same_predictions_together(short: SampleConfig) -> None:
    """Up to rounding: a batch of another size is computed in another order."""
    trainer, numbers, sizes = Trainer(short), np.arange(20)[::-1], []

    def spread(work: Callable[[np.ndarray], list[Any]], numbers: np.ndarray) -> list[Any]:
        shares = [work(part) for part in np.array_split(numbers, 3)]
        sizes.extend(map(len, shares))
        return [row for share in shares for row in json.loads(json.dumps(share))]

    alone = trainer.evaluator.predict(trainer.training, numbers)
    trainer.evaluator.spread = spread
    together = trainer.evaluator.predict(trainer.training, numbers)
    assert sizes == [7, 7, 6]
    for one, other in zip(alone, together, strict=True):
        assert (other.path, other.label, other.prediction.text) == (one.path, one.label, one.prediction.text)
        assert (other.loss, other.label_confidence) == pytest.approx((one.loss, one.label_confidence), rel=1e-5)
        assert other.prediction.confidence == pytest.approx(one.prediction.confidence, rel=1e-5)
        assert other.prediction.character_confidences == pytest.approx(one.prediction.character_confidences, rel=1e-5)
