import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.codec.alphabet import Alphabet, Prediction
from cnnlib.config import SampleConfig
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.training.dataset import Dataset
from cnnlib.training.evaluator import Evaluator
from cnnlib.training.trainer import Trainer
from tests.helpers import SHORT, draw, fill


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


def in_capitals(labels: np.ndarray, alphabet: Alphabet) -> np.ndarray:
    """Answers, float32 (n, 2, classes), that say the capitals of labels, int32 (n, 2), where the alphabet has them."""
    probabilities = np.full((*labels.shape, alphabet.classes), 0.01, np.float32)
    for place, number in np.ndenumerate(labels):
        character = alphabet.characters[number]
        for case, share in ((character.lower(), 0.35), (character.upper(), 0.6)):
            if case in alphabet.characters:
                probabilities[(*place, alphabet.characters.index(case))] = share
    return probabilities / probabilities.sum(axis=2, keepdims=True)


@pytest.mark.parametrize("alphabet", ["abAB", "AB", "aB"])
def test_ignored_case_is_ignored_as_in_a_test(
    configure: Callable[..., SampleConfig], small_network: str, alphabet: str
) -> None:
    config = configure(**SHORT, network=small_network, char_set=alphabet, ignore_case=True)
    fill(config.train_image_dir, 40, characters="aB")
    trainer = Trainer(config)
    evaluator, labels = trainer.evaluator, trainer.training.labels.astype(np.int32)
    evaluator._predict = lambda _, labels: (
        tf.zeros(len(labels)),
        tf.constant(in_capitals(np.array(labels), config.alphabet)),
    )
    evaluator._answer = lambda pictures: tf.constant(in_capitals(labels[: len(pictures)], config.alphabet))
    predictions = evaluator.predict(trainer.training, np.arange(len(labels)))
    texts = [name[:2].lower() for name in trainer.training.names]
    assert [each.label for each in predictions] == [each.prediction.text for each in predictions] == texts
    for each in predictions:
        assert each.label_confidence == pytest.approx(each.prediction.confidence) == pytest.approx(0.95**2, abs=0.07)
    assert evaluator.accuracy(labels, in_capitals(labels, config.alphabet)).character == 1
    assert evaluator.evaluate().accuracy.picture == 1
    assert [each.text for each in evaluator.read(trainer.training.pictures[:5])] == texts[:5]
    before = predictions[0].label
    suspect = LabelledPrediction(Path(trainer.training.names[0]), before, Prediction(before.upper(), 0.9, ()), 0.01, 4)
    assert evaluator.diagnose(0, [suspect]).suspects == [], "an older version took it for another text"


def test_texts_have_the_fewest_characters_of_the_config_as_in_a_test(
    configure: Callable[..., SampleConfig], small_network: str
) -> None:
    config = configure(**SHORT, network=small_network, min_captcha=2)
    for number, label in enumerate(("0", "01", "10")):
        draw(label, config.train_image_dir / f"{label}_{number}.png")
    trainer = Trainer(config)
    assert trainer.lengths == (1, 2), "as the card has them"
    one_character = tf.constant([[[0.8, 0.1, 0.1], [0.2, 0.1, 0.7]]])
    trainer.evaluator._answer = lambda _: one_character
    assert [each.text for each in trainer.evaluator.read(trainer.training.pictures[:1])] == ["00"]
