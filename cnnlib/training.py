"""The training: steps, console lines, when to stop, saving and resuming."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cnnlib import checkpoint, dataset, devices, evaluation, export, report, warm_start
from cnnlib.checkpoint import Progress
from cnnlib.config import SampleConfig, display_path
from cnnlib.dataset import Dataset
from cnnlib.errors import ModelError
from cnnlib.evaluation import Accuracy
from cnnlib.interruption import Interruption, interruption
from cnnlib.model_card import ModelCard, check_resumable, load_model, save_model, versions, wanted_of
from cnnlib.network import NETWORKS, operations
from cnnlib.review import Review, review

LINE_STEPS = 10  # steps from one console line to the next
PREDICTION_BATCH = 256
CHECKED_PICTURES = 16  # verification pictures on which every export is compared with the network

Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How a training ended; `signal` is the number of the signal that stopped it, or None."""

    reason: str
    signal: int | None
    step: int
    verification: Accuracy
    seconds: float
    pictures_per_s: float
    gflops: float  # operations of convolutions and dense layers, forward and back, in thousands of millions a second
    best_accuracy: float
    best_step: int
    review: Review | None  # None where a signal stopped the training


def steps_for(pictures: int, batch_size: int) -> int:
    """Steps that `cycle_stop` "auto" stands for: fewer passes over more pictures, at least 300 steps.

    100,000 * (pictures / 1000)^0.6 pictures are drawn: 162 passes over 300, 31 over 19,000, 10 over 300,000.
    """
    return max(300, math.ceil(100_000 * (pictures / 1000) ** 0.6 / batch_size))


class Trainer:
    """One training: data, network, optimizer and progress."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config
        self.training, self.verification = dataset.load_training(config)
        batch_size = config.train_batch_size
        self.stop = steps_for(len(self.training), batch_size) if config.cycle_stop == "auto" else config.cycle_stop
        self.network = NETWORKS[config.network](config.shape, config.alphabet.classes, config.max_captcha)
        policy, self.precision = devices.choose_policy(config.precision)
        self.model = self.network.model(policy)
        # What is measured and exported: the running average of the weights reads far better than any single step's.
        self.averaged = self.network.model(policy) if self.network.averaging else self.model
        self.averaged.set_weights(self.model.get_weights())
        self.optimizer = self.network.optimizer(self.stop)
        if policy == "mixed_float16":
            self.optimizer = keras.optimizers.LossScaleOptimizer(self.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self.progress = Progress()
        self.verified = Accuracy(0, 0.0, 0.0)
        self._verified_step = self._saved_step = -1
        self._train = tf.function(self._train_batch)
        # One trace for batches of any number of pictures.
        shapes = [
            tf.TensorSpec((None, *array.shape[1:]), array.dtype)
            for array in (self.training.pictures, self.training.labels)
        ]
        self._predict = tf.function(self._predict_batch, input_signature=shapes)

    def resume(self) -> bool:
        """Take up the training in `model_save_dir`; False when there is none.

        Raises ModelError when it is broken or disagrees with the config.
        """
        folder = self.config.model_save_dir
        if not check_resumable(folder, wanted_of(self.config)):
            return False
        card, content = load_model(folder, "checkpoint")
        self.progress = checkpoint.unpack(content, self.model, self.averaged, self.optimizer)
        if (card.training_pictures, card.verification_pictures) == (len(self.training), len(self.verification)):
            self._saved_step = self.progress.step  # else there are other pictures now, and the card shall say so
        return True

    def carry_over(self, folder: Path) -> str:
        """Start from the weights of the model in `folder` that fit; returns a sentence about it.

        Raises ModelError when there is no model or none of its weights fits.
        """
        said = warm_start.carry_over(folder, self.model, self.config.alphabet)
        self.averaged.set_weights(self.model.get_weights())
        return said

    def batches(self) -> tf.data.Dataset:
        """The batches of the steps that are left."""
        steps = range(self.progress.step, self.stop)
        strength = self.config.augmentation if self.network.augmented else 0.0
        return dataset.batches(self.training, self.config.train_batch_size, steps, self.config.split_seed, strength)

    def satisfied(self) -> bool:
        """Whether this very step was measured and reached an `acc_stop` below 1."""
        reached = self.verified.picture >= self.config.acc_stop
        return self.config.acc_stop < 1 and self._verified_step == self.progress.step and reached

    def step(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        """Train on one batch; returns its loss and its probabilities, as they were in training."""
        self.progress.step += 1
        return self._train(pictures, labels)

    def measure(self, count: int | None = None) -> tuple[Accuracy, float]:
        """Accuracy and mean loss on `count` verification pictures, another part at each step; None: on all."""
        size = len(self.verification)
        first = self.progress.step * count % size if count else 0
        chosen = (first + np.arange(min(count or size, size))) % size
        texts, losses = self.read(self.verification, chosen)
        return evaluation.accuracy([self.verification.texts[number] for number in chosen], texts), float(losses.mean())

    def read(self, data: Dataset, chosen: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Readings and losses, float32 (n,), of the pictures numbered `chosen`, by the averaged weights."""
        texts, losses = [], []
        for part in np.split(chosen, range(PREDICTION_BATCH, len(chosen), PREDICTION_BATCH)):
            loss, probabilities = self._predict(data.pictures[part], data.labels[part])
            texts += self.texts(probabilities.numpy())
            losses.append(loss.numpy())
        return texts, np.concatenate(losses)

    def review(self) -> Review:
        """What the training came to: every training and verification picture is read once."""
        verified, _ = self.read(self.verification, np.arange(len(self.verification)))
        trained, losses = self.read(self.training, np.arange(len(self.training)))
        return review(
            self.training.paths, (self.training.texts, trained, losses.tolist()), (self.verification.texts, verified)
        )

    def verify(self) -> None:
        """Measure the whole verification set, once a step; note it on its curve and, if it is, as the best so far."""
        progress = self.progress
        if self._verified_step == progress.step:
            return
        self.verified, _ = self.measure()
        self._verified_step = progress.step
        if not progress.verification_curve or progress.verification_curve[-1][0] < progress.step:
            progress.verification_curve.append((progress.step, self.verified.picture))
            tf.summary.scalar("verification/picture_accuracy", self.verified.picture, progress.step)
        if self.verified.picture >= progress.best_accuracy:
            progress.best_accuracy, progress.best_step = self.verified.picture, progress.step

    def accuracy(self, labels: np.ndarray, probabilities: np.ndarray) -> Accuracy:
        """Accuracy of float32 (n, rows, classes) probabilities against int32 (n, length) labels."""
        return evaluation.accuracy(
            [self.config.alphabet.text(numbers) for numbers in labels], self.texts(probabilities)
        )

    def texts(self, probabilities: np.ndarray) -> list[str]:
        """Texts of float32 (n, rows, classes) probabilities."""
        return [one.text for one in self.config.alphabet.decode_batch(probabilities, self.network.decoding)]

    def verification_interval(self) -> int:
        """Steps between measurements of the whole verification set, such that they take about 3% of the time."""
        cost_steps = len(self.verification) / (3 * self.config.train_batch_size)  # forward alone is a third of a step
        return LINE_STEPS * max(5, math.ceil(cost_steps / 0.03 / LINE_STEPS))

    def save(self) -> None:
        """Swap checkpoint, card and LiteRT file of this step in, with the curves as pictures beside them.

        `verify` comes first: the card tells what it found.
        """
        if self._saved_step == self.progress.step:
            return
        folder = self.config.model_save_dir
        model = export.to_float32(self.network, self.averaged)
        litert = export.to_litert(self.network, model)
        export.check_litert(litert, model, self.verification.pictures[:CHECKED_PICTURES])
        contents = {
            "checkpoint": (".npz", checkpoint.pack(self.model, self.averaged, self.optimizer, self.progress)),
            "weights": (".npz", warm_start.pack(self.averaged)),
            "float32": (".tflite", litert),
        }
        save_model(folder, self._card(), contents)
        report.draw_curve(
            folder / "train_acc.png", "Picture accuracy of training batches", self.progress.training_curve
        )
        report.draw_curve(
            folder / "test_acc.png", "Picture accuracy of the verification set", self.progress.verification_curve
        )
        self._saved_step = self.progress.step

    def _card(self) -> ModelCard:
        config, progress = self.config, self.progress
        return ModelCard(
            network=config.network,
            decoding=self.network.decoding,
            image_height=config.image_height,
            image_width=config.image_width,
            channels=config.channels,
            resize=config.resize,
            characters=config.alphabet.characters,
            max_captcha=config.max_captcha,
            step=progress.step,
            training_seconds=round(progress.seconds, 1),
            training_pictures=len(self.training),
            verification_pictures=self.verified.pictures,
            verification_picture_accuracy=self.verified.picture,
            verification_character_accuracy=self.verified.character,
            best_picture_accuracy=progress.best_accuracy,
            best_step=progress.best_step,
            saved_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            versions=versions("tensorflow", "keras", "numpy"),
        )

    def _train_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            scores = self.model(pictures, training=True)
            loss = tf.reduce_mean(self.network.loss(labels, scores))
            scaled = self.optimizer.scale_loss(loss)
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        self._average()
        return loss, tf.nn.softmax(scores)

    def _average(self) -> None:
        """Move the averaged weights, batch statistics among them, towards this step's; the first steps weigh more."""
        if self.averaged is self.model:
            return
        step = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(self.network.averaging, (1 + step) / (10 + step))
        for average, weight in zip(self.averaged.weights, self.model.weights, strict=True):
            average.assign(keep * average + (1 - keep) * weight)

    def _predict_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        scores = self.averaged(pictures, training=False)
        return self.network.loss(labels, scores), tf.nn.softmax(scores)


def train(config: SampleConfig, say: Say = tqdm.write, start: Path | None = None) -> Outcome:
    """Train, or train on, until `cycle_stop`, `acc_stop` or a signal; the model folder then holds the last step.

    A new training starts from the weights of the model in `start` that fit.

    Raises SampleError, ModelError or ConfigError when pictures, an older model or the config can't be used, ModelError
    when memory runs out or another training holds the model folder, and OSError when a folder can't be written.
    """
    say(devices.use_gpu(config.enable_gpu))
    config.log_dir.mkdir(parents=True, exist_ok=True)
    try:
        with checkpoint.held(config.model_save_dir), interruption() as interrupted:
            trainer = Trainer(config)
            introduce(trainer, say, start)
            return run(trainer, interrupted, say)
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        remedy = (
            f"lower train_batch_size (now {config.train_batch_size}) or test_batch_size (now {config.test_batch_size})"
        )
        raise ModelError(f"{config.name}: memory ran out in training: {remedy}, or close other programs") from error


def introduce(trainer: Trainer, say: Say, start: Path | None) -> None:
    """Take up an older training, or start from an older model; say what is trained, on what and for how long."""
    config, pictures = trainer.config, len(trainer.training)
    passes = trainer.stop * config.train_batch_size / pictures
    say(trainer.precision)
    say(f"Network {config.network}: {trainer.model.count_params():,} parameters, {config.alphabet.classes} classes")
    say(f"{pictures} training and {len(trainer.verification)} verification pictures")
    say(f"cycle_stop {trainer.stop} steps of {config.train_batch_size} pictures: {passes:.1f} passes over the pictures")
    if trainer.resume():
        say(f"Resuming from step {trainer.progress.step} in {display_path(config.model_save_dir)}")
    elif start:
        say(trainer.carry_over(start))


def run(trainer: Trainer, interrupted: Interruption, say: Say) -> Outcome:
    """The steps that are left, with their console lines, measurements and saves."""
    config, progress = trainer.config, trainer.progress
    first, before, start = progress.step, progress.seconds, time.perf_counter()
    size, interval = config.train_batch_size, trainer.verification_interval()
    bar = tqdm(total=trainer.stop * size, initial=first * size, unit=" pictures", unit_scale=True, disable=None)
    with bar, tf.summary.create_file_writer(str(config.log_dir)).as_default():
        if first:
            trainer.verify()  # on today's pictures, which may be others than when the model was saved
        for pictures, labels in trainer.batches():
            if trainer.satisfied() or interrupted.signal:
                break
            loss, probabilities = trainer.step(pictures, labels)
            progress.seconds = before + time.perf_counter() - start
            bar.update(size)
            if progress.step % LINE_STEPS == 0:
                show_step(trainer, labels.numpy(), float(loss), probabilities.numpy(), say)
            if progress.step % interval == 0 or progress.step % config.cycle_save == 0:
                trainer.verify()
            if progress.step % config.cycle_save == 0:
                trainer.save()
                say(f"Saved step {progress.step} into {display_path(config.model_save_dir)}")
        if progress.step:  # stopped before the first step, there is nothing to keep
            trainer.verify()
            trainer.save()
    rate = (progress.step - first) * size / (time.perf_counter() - start)
    return Outcome(
        _reason(trainer, interrupted),
        interrupted.signal,
        progress.step,
        trainer.verified,
        progress.seconds,
        rate,
        3 * operations(trainer.model) * rate / 1e9,  # the way back takes twice the way there
        progress.best_accuracy,
        progress.best_step,
        None if interrupted.signal else trainer.review(),
    )


def _reason(trainer: Trainer, interrupted: Interruption) -> str:
    if interrupted.signal:
        return f"interrupted by signal {interrupted.signal}; run again to go on"
    if trainer.satisfied():
        return f"acc_stop {trainer.config.acc_stop} is reached on the verification set; raise it to train on"
    return f"cycle_stop {trainer.stop} is reached; raise it to train on"


def show_step(trainer: Trainer, labels: np.ndarray, loss: float, probabilities: np.ndarray, say: Say) -> None:
    """The original's three lines on the batch just trained and on some verification pictures."""
    step = trainer.progress.step
    trained = trainer.accuracy(labels, probabilities)
    verified, verification_loss = trainer.measure(trainer.config.test_batch_size)
    trainer.progress.training_curve.append((step, trained.picture))
    say(f"{step}th training >>>")
    for name, part, value in (("Training", trained, loss), ("Verification", verified, verification_loss)):
        say(
            f"[{name} set] The character accuracy rate is {part.character:.5f} "
            f"The picture accuracy rate is {part.picture:.5f} >>> loss {value:.10f}"
        )
        tf.summary.scalar(f"{name.lower()}/loss", value, step)
        tf.summary.scalar(f"{name.lower()}/character_accuracy", part.character, step)
        tf.summary.scalar(f"{name.lower()}/batch_picture_accuracy", part.picture, step)
