from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.recognizer import Recognizer
from cnnlib.network.architectures import consistency_loss
from cnnlib.training.dataset import Dataset
from cnnlib.training.evaluator import Evaluator
from cnnlib.training.resume import resume
from cnnlib.training.save import save
from cnnlib.training.schedule import steps_for
from cnnlib.training.trainer import Trainer
from tests.conftest import fill


def test_auto_is_taken_from_the_number_of_pictures(configure: Callable[..., SampleConfig]) -> None:
    config = configure(cycle_stop="auto")
    fill(config.train_image_dir, 60)
    trainer = Trainer(config)
    assert trainer.plan.steps == steps_for(len(trainer.training), 32)
    assert trainer.plan.strength == 2
    assert Trainer(configure(cycle_stop=20, train_batch_size=len(trainer.training))).plan.strength == 1
    assert Trainer(configure(augmentation=0.5)).plan.strength == 0.5
    assert Trainer(configure(network="classic")).plan.strength == 0


def test_network_that_does_not_fit_is_told_before_pictures_are_loaded(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.dataset.load_training", lambda _: pytest.fail("pictures were loaded"))
    with pytest.raises(ConfigError, match=r"sample_config.json: max_captcha: the network 'columns' expects a width"):
        Trainer(configure(max_captcha=20))


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
    assert all(one.dtype == np.float32 and np.isfinite(one).all() for one in after)
    assert any((one != other).any() for one, other in zip(before, after, strict=True))


def test_no_more_pictures_are_read_at_once_than_are_trained_on(short: SampleConfig) -> None:
    trainer, sizes = Trainer(short.model_copy(update={"train_batch_size": 8})), []
    predict = trainer.evaluator._predict

    def record(pictures: np.ndarray, labels: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        sizes.append(len(pictures))
        return predict(pictures, labels)

    trainer.evaluator._predict = record
    read = trainer.evaluator.predict(trainer.training, np.arange(20))
    assert sizes == [8, 8, 4]
    assert [one.path for one in read] == trainer.training.paths[:20]


@pytest.mark.parametrize(("pictures", "steps"), [(10, 50), (475, 50), (2000, 180)])
def test_whole_verification_set_is_measured_rarely_enough(short: SampleConfig, pictures: int, steps: int) -> None:
    trainer = Trainer(short.model_copy(update={"train_batch_size": 128}))
    trainer.verification = range(pictures)  # its length alone counts
    assert trainer.evaluation_interval() == steps


def test_split_seed_fixes_the_first_weights(configure: Callable[..., SampleConfig]) -> None:
    fill(configure().train_image_dir, 60)

    def first_weights(seed: int) -> list[float]:
        return Trainer(configure(split_seed=seed)).model.get_layer("stem").kernel.numpy().ravel().tolist()

    assert first_weights(1) == first_weights(1)
    assert first_weights(1) != first_weights(2)


def test_other_split_is_refused_for_a_trained_model(trained: SimpleNamespace) -> None:
    trainer = Trainer(trained.config.model_copy(update={"split_seed": 5}))
    with pytest.raises(
        ModelError, match=r"its split_seed is 0, .* has 5: pictures that it was trained on would verify"
    ):
        resume(trainer)


@pytest.mark.parametrize("size", [8, 7])
def test_each_picture_has_to_be_read_alike_in_its_two_views(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    config = configure(cycle_stop=100, train_batch_size=size)
    fill(config.train_image_dir, 40)
    trainer, compared = Trainer(config), []

    def compare(scores: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
        tf.py_function(lambda *both: compared.extend(one.numpy() for one in both), (scores, others), [])
        return consistency_loss(scores, others)

    monkeypatch.setattr("cnnlib.training.trainer.consistency_loss", compare)
    (pictures, labels), *_ = trainer.batches().take(1)
    _, probabilities = trainer.step(pictures, labels)
    pairs = size // 2
    one, other = (tf.nn.softmax(scores).numpy() for scores in compared)
    np.testing.assert_allclose(one, probabilities[:pairs], atol=1e-6)
    np.testing.assert_allclose(other, probabilities[size - pairs :], atol=1e-6)


def test_training_brings_the_two_views_of_a_picture_together(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure(cycle_stop=30, augmentation=2)
    fill(config.train_image_dir, 40)
    apart = {}
    for weight in (1e-9, 10.0):
        monkeypatch.setattr("cnnlib.network.architectures.Columns.consistency", weight)
        trainer = Trainer(config)
        for pictures, labels in trainer.batches():
            trainer.step(pictures, labels)
        scores = trainer.model(pictures)
        apart[weight] = float(tf.reduce_mean(consistency_loss(scores[:16], scores[16:])))
    assert apart[10.0] < apart[1e-9] / 2


@pytest.mark.parametrize(
    "keys",
    [{"augmentation": 0}, {"network": "classic"}, {"train_batch_size": 1, "cycle_stop": 600}, {"cycle_stop": 5}],
)
def test_pictures_come_once_where_they_are_not_changed_or_rarely_seen(
    configure: Callable[..., SampleConfig], keys: Any
) -> None:
    config = configure(**keys)
    fill(config.train_image_dir, 40)
    trainer = Trainer(config)
    (pictures, labels), *_ = trainer.batches().take(1)
    assert not trainer.plan.paired
    trainer.step(pictures, labels)
    if len(labels) > 1:
        half = len(labels) // 2
        assert (labels[:half].numpy() != labels[-half:].numpy()).any()


def test_averaged_weights_follow_and_are_what_is_measured_and_exported(short: SampleConfig) -> None:
    trainer = Trainer(short)
    weights = [variable.numpy() for variable in trainer.averaged.weights]
    for number, (pictures, labels) in enumerate(trainer.batches().take(2), 1):
        trainer.step(pictures, labels)
        keep = min(trainer.network.averaging, (1 + number) / (10 + number))
        new = [variable.numpy() for variable in trainer.model.weights]
        weights = [keep * average + (1 - keep) * one for average, one in zip(weights, new, strict=True)]
    for variable, expected in zip(trainer.averaged.weights, weights, strict=True):
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-6)
    trainer.evaluate()
    save(trainer)
    picture = trainer.verification.pictures[0]
    reader = Recognizer(short.model_save_dir)
    read = reader.recognize([picture])[0]
    probabilities = tf.nn.softmax(trainer.averaged(picture[np.newaxis], training=False)).numpy()[0]
    expected = short.alphabet.decode(probabilities, "columns", (2, 2))
    assert (read.text, read.confidence) == (expected.text, pytest.approx(expected.confidence, abs=1e-3))


def test_each_console_line_evaluates_other_verification_pictures(
    config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(config.train_image_dir, 600)
    trainer = Trainer(config)
    size, evaluated, predict = len(trainer.verification), [], Evaluator.predict

    def record(self: Evaluator, data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        evaluated.append(numbers.tolist())
        return predict(self, data, numbers)

    monkeypatch.setattr(Evaluator, "predict", record)
    for turn in range(1, size + 1):
        assert trainer.evaluator.evaluate(5, turn).accuracy.pictures == 5
    assert {number for numbers in evaluated for number in numbers} == set(range(size))


def test_luck_does_not_stop_a_training(config: SampleConfig) -> None:
    fill(config.train_image_dir, 60)
    trainer = Trainer(config)
    assert config.acc_stop == 0.99
    for pictures, before, stops in ((99, [0.99], False), (100, [0.99], True), (100, [0.98], False), (100, [], False)):
        trainer.verified, trainer._verified_step = Accuracy(pictures, 0.99, 1.0), trainer.progress.step
        trainer.progress.verification_curve = list(enumerate([*before, 0.99]))
        assert trainer.goal_reached() is stops


def test_measurement_replaces_that_of_other_pictures_at_the_same_step(config: SampleConfig) -> None:
    fill(config.train_image_dir, 60)
    trainer = Trainer(config)
    trainer.progress.verification_curve = [(-10, 1.0), (0, 1.0)]
    trainer.evaluate()
    assert trainer.verified.picture < 1
    assert trainer.progress.verification_curve == [(-10, 1.0), (0, trainer.verified.picture)]


@pytest.mark.parametrize(
    ("step", "accuracy", "checked", "now"),
    [
        (14, 0.9, False, False),
        (15, 0.9, False, True),
        (20, 0.9, False, True),
        (21, 0.9, False, False),
        (15, 0.6, False, False),
        (15, 0.9, True, False),
    ],
)
def test_labels_are_looked_at_once_when_pictures_are_read_and_not_known_by_heart(
    short: SampleConfig, step: int, accuracy: float, checked: bool, now: bool
) -> None:
    trainer = Trainer(short.model_copy(update={"cycle_stop": 40}))  # after 14.25 steps each picture was seen 8 times
    trainer.progress.step, trainer.progress.labels_checked = step, checked
    trainer.verified = Accuracy(100, accuracy, accuracy)
    assert trainer.suspects_due() == now


def test_review_reads_so_many_training_pictures_at_most(short: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlib.training.evaluator.TRAINING_LIMIT", 5)
    trainer = Trainer(short)
    found = trainer.diagnose()
    assert (found.training.pictures, found.unread) == (5, len(trainer.training) - 5)


def test_labels_look_wrong_where_something_else_is_surely_read(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(short)

    def predict(data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        texts = [("0" if number == 3 else "") + data.texts[number] for number in numbers]
        return [
            LabelledPrediction(data.paths[number], data.texts[number], Prediction(text, 0.9, (0.9,)), 0.01, 4.5)
            for number, text in zip(numbers, texts, strict=True)
        ]

    monkeypatch.setattr(trainer.evaluator, "predict", predict)
    trainer.record_suspects()
    path, label = trainer.training.paths[3], trainer.training.texts[3]
    assert trainer.progress.labels_checked
    assert [(one.path, one.label, one.prediction.text) for one in trainer.progress.suspects] == [
        (path, label, "0" + label)
    ]
    trainer.progress.suspects.append(replace(trainer.progress.suspects[0], path=Path("00_before.png")))
    trainer.record_suspects()
    assert [one.path.name for one in trainer.progress.suspects] == [path.name, "00_before.png"], (
        "as before other pictures"
    )


def test_suspects_are_saved_and_reported_though_their_labels_are_read_by_now(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(short)
    path, label = trainer.training.paths[3], trainer.training.texts[3]
    trainer.progress.suspects = [
        LabelledPrediction(Path(path.name), label, Prediction("0" + label, 0.9, ()), 0.01, 4.5)
    ]
    trainer.progress.step = 1
    trainer.evaluate()
    save(trainer)

    def predict(data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        return [
            LabelledPrediction(data.paths[n], data.texts[n], Prediction(data.texts[n], 1.0, ()), 1.0, 0.0)
            for n in numbers
        ]

    monkeypatch.setattr(Evaluator, "predict", lambda _, *call: predict(*call))
    again = Trainer(short)
    assert resume(again)
    assert [(one.path, one.prediction.text) for one in again.diagnose().suspects] == [(path, "0" + label)]
    path.rename(path.with_name(f"1{path.name[1:]}" if label[0] == "0" else f"0{path.name[1:]}"))
    mended = Trainer(short)
    assert resume(mended)
    assert mended.diagnose().suspects == []
