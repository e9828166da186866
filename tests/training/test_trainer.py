from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.recognizer import Recognizer
from cnnlib.network.losses import consistency_loss
from cnnlib.training.dataset import Dataset
from cnnlib.training.save import save
from cnnlib.training.schedule import steps_for
from cnnlib.training.trainer import Trainer
from tests.helpers import fill
from tests.small_network import Small


def test_auto_is_taken_from_the_number_of_pictures(configure: Callable[..., SampleConfig], small_network: str) -> None:
    config = configure(network=small_network, cycle_stop="auto")
    fill(config.train_image_dir, 60)
    trainer = Trainer(config)
    assert trainer.plan.steps == steps_for(len(trainer.training), 32)
    assert trainer.plan.strength == 2
    twenty_views = configure(network=small_network, cycle_stop=20, train_batch_size=len(trainer.training))
    assert Trainer(twenty_views).plan.strength == 1
    assert Trainer(configure(network=small_network, augmentation=0.5)).plan.strength == 0.5
    assert Trainer(configure(network="classic")).plan.strength == 0


def test_network_that_does_not_fit_is_refused_before_pictures_are_loaded(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.dataset.load_training", lambda _: pytest.fail("pictures were loaded"))
    with pytest.raises(ConfigError, match=r"sample_config.json: max_captcha: the network 'columns' expects a width"):
        Trainer(configure(max_captcha=20))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_and_averages_weights_of_float32(
    configure: Callable[..., SampleConfig], precision: str
) -> None:
    config = configure(precision=precision, cycle_stop=100, train_batch_size=8)
    fill(config.train_image_dir, 20)
    trainer = Trainer(config)
    before = [weight.numpy() for weight in trainer.averaged.trainable_weights]
    losses = [float(trainer.step(*batch)[0]) for batch in trainer.batches().take(3)]
    after = [weight.numpy() for weight in trainer.averaged.trainable_weights]
    assert np.isfinite(losses).all()
    assert all(weight.dtype == np.float32 and np.isfinite(weight).all() for weight in after)
    assert any((old != new).any() for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize(("pictures", "steps"), [(10, 50), (475, 50), (2000, 180)])
def test_whole_verification_set_is_evaluated_rarely_enough(short: SampleConfig, pictures: int, steps: int) -> None:
    trainer = Trainer(short.model_copy(update={"train_batch_size": 128}))
    trainer.verification = range(pictures)  # its length alone counts
    assert trainer.evaluation_interval() == steps


def test_split_seed_fixes_the_first_weights(configure: Callable[..., SampleConfig], small_network: str) -> None:
    fill(configure().train_image_dir, 60)

    def first_weights(seed: int) -> list[float]:
        trainer = Trainer(configure(network=small_network, split_seed=seed))
        return trainer.model.get_layer("stem").kernel.numpy().ravel().tolist()

    assert first_weights(1) == first_weights(1)
    assert first_weights(1) != first_weights(2)


@pytest.mark.parametrize("size", [8, 7])
def test_each_picture_has_to_be_read_alike_in_its_two_views(
    configure: Callable[..., SampleConfig], small_network: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    config = configure(network=small_network, cycle_stop=100, train_batch_size=size)
    fill(config.train_image_dir, 40)
    trainer, compared = Trainer(config), []

    def compare(scores: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        tf.py_function(lambda *both: compared.extend(each.numpy() for each in both), (scores, others), [])
        return consistency_loss(scores, others)

    monkeypatch.setattr("cnnlib.training.trainer.consistency_loss", compare)
    batch, *_ = trainer.batches().take(1)
    _, probabilities = trainer.step(*batch)
    pairs = size // 2
    first, second = (tf.nn.softmax(scores).numpy() for scores in compared)
    np.testing.assert_allclose(first, probabilities[:pairs], atol=1e-6)
    np.testing.assert_allclose(second, probabilities[size - pairs :], atol=1e-6)


def test_training_brings_the_two_views_of_a_picture_together(
    configure: Callable[..., SampleConfig], small_network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(network=small_network, cycle_stop=30, augmentation=2)
    fill(config.train_image_dir, 40)
    apart = {}
    for weight in (1e-9, 10.0):
        monkeypatch.setattr(Small, "consistency", weight)
        trainer = Trainer(config)
        for batch in trainer.batches():
            trainer.step(*batch)
        scores = trainer.model(batch[0])
        apart[weight] = float(tf.reduce_mean(consistency_loss(scores[:16], scores[16:])))
    assert apart[10.0] < apart[1e-9] / 2


@pytest.mark.parametrize(
    "keys",
    [{"augmentation": 0}, {"network": "classic"}, {"train_batch_size": 1, "cycle_stop": 600}, {"cycle_stop": 5}],
    ids=["unchanged", "classic", "batch of one", "rarely seen"],
)
def test_pictures_come_once_when_they_are_unchanged_or_rarely_seen(
    configure: Callable[..., SampleConfig], small_network: str, keys: Any
) -> None:
    config = configure(**{"network": small_network} | keys)
    fill(config.train_image_dir, 40)
    trainer = Trainer(config)
    batch, *_ = trainer.batches().take(1)
    assert not trainer.plan.paired
    trainer.step(*batch)
    labels = batch[1]
    if len(labels) > 1:
        half = len(labels) // 2
        assert (labels[:half].numpy() != labels[-half:].numpy()).any()


def test_averaged_weights_follow_and_are_what_is_evaluated_and_exported(short: SampleConfig) -> None:
    trainer = Trainer(short)
    averages = [variable.numpy() for variable in trainer.averaged.weights]
    for number, batch in enumerate(trainer.batches().take(2), 1):
        trainer.step(*batch)
        keep = min(trainer.network.averaging, (1 + number) / (10 + number))
        weights = [variable.numpy() for variable in trainer.model.weights]
        averages = [keep * average + (1 - keep) * weight for average, weight in zip(averages, weights, strict=True)]
    for variable, expected in zip(trainer.averaged.weights, averages, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-6)
    trainer.record_evaluation()
    save(trainer)
    picture = trainer.verification.pictures[:1][0]
    prediction = Recognizer(short.model_save_dir).recognize(picture)
    probabilities = tf.nn.softmax(trainer.averaged(picture[np.newaxis], training=False)).numpy()[0]
    expected = short.alphabet.decode(probabilities, trainer.network.decoding, (2, 2))
    assert (prediction.text, prediction.confidence) == (expected.text, pytest.approx(expected.confidence, abs=1e-3))


def test_goal_is_two_evaluations_in_a_row_on_enough_pictures(short: SampleConfig) -> None:
    trainer = Trainer(short.model_copy(update={"acc_stop": 0.99}))
    for pictures, before, stops in ((99, [0.99], False), (100, [0.99], True), (100, [0.98], False), (100, [], False)):
        trainer.verified, trainer._verified_step = Accuracy(pictures, 0.99, 1.0), trainer.progress.step
        trainer.progress.verification_curve = list(enumerate([*before, 0.99]))
        assert trainer.goal_reached() is stops


def test_evaluation_replaces_that_of_other_pictures_at_the_same_step(short: SampleConfig) -> None:
    trainer = Trainer(short)
    trainer.progress.verification_curve = [(-10, 1.0), (0, 1.0)]
    trainer.record_evaluation()
    assert trainer.verified.picture < 1
    assert trainer.progress.verification_curve == [(-10, 1.0), (0, trainer.verified.picture)]


@pytest.mark.parametrize(
    ("step", "accuracy", "checked", "due"),
    [
        (12, 0.9, False, False),
        (15, 0.9, False, True),
        (20, 0.9, False, True),
        (21, 0.9, False, False),
        (15, 0.6, False, False),
        (15, 0.9, True, False),
    ],
)
def test_labels_are_checked_once_when_pictures_are_read_and_not_learned_by_heart(
    short: SampleConfig, step: int, accuracy: float, checked: bool, due: bool
) -> None:
    trainer = Trainer(short.model_copy(update={"cycle_stop": 40}))  # after 13 to 14 steps each picture was seen 8 times
    trainer.progress.step, trainer.progress.labels_checked = step, checked
    trainer.verified = Accuracy(100, accuracy, accuracy)
    assert trainer.suspects_due() == due


def test_labels_are_suspected_where_another_text_is_read_with_confidence(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(short)

    def predict(data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        texts = [("0" if number == 3 else "") + label_of(data.names[number]) for number in numbers]
        return [
            LabelledPrediction(
                data.path(number), label_of(data.names[number]), Prediction(text, 0.9, (0.9,)), 0.01, 4.5
            )
            for number, text in zip(numbers, texts, strict=True)
        ]

    monkeypatch.setattr(trainer.evaluator, "predict", predict)
    trainer.record_suspects()
    path, label = trainer.training.path(3), label_of(trainer.training.names[3])
    assert trainer.progress.labels_checked
    suspects = [(each.path, each.label, each.prediction.text) for each in trainer.progress.suspects]
    assert suspects == [(path, label, "0" + label)]
    trainer.progress.suspects.append(replace(trainer.progress.suspects[0], path=Path("00_before.png")))
    trainer.record_suspects()
    names = [each.path.name for each in trainer.progress.suspects]
    assert names == [path.name, "00_before.png"], "those of an earlier check stay"


@pytest.mark.parametrize(
    ("cycle_save", "step", "seconds", "due"),
    [
        (500, 100, 0, True),  # a tenth of the steps
        (500, 150, 0, False),
        (500, 150, 299, False),
        (500, 150, 300, True),  # five minutes since the last save
        (30, 30, 0, True),
        (30, 100, 0, False),
        (130, 130, 0, True),  # cycle_save counts beside the tenth
    ],
)
def test_no_more_than_a_tenth_or_five_minutes_pass_without_a_save(
    short: SampleConfig, cycle_save: int, step: int, seconds: float, due: bool
) -> None:
    trainer = Trainer(short.model_copy(update={"cycle_stop": 1000, "cycle_save": cycle_save}))
    trainer.progress.seconds = 1000.0
    trainer.mark_saved(final=False)
    trainer.progress.step, trainer.progress.seconds = step, 1000.0 + seconds
    assert trainer.save_due() is due
