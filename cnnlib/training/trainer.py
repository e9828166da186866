"""One training's state: data, network, averaged weights, optimizer, progress; a step, a measurement, a review."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.core.paths import display_path
from cnnlib.evaluation import metrics
from cnnlib.evaluation.diagnosis import Read, Review, review
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.compatibility import check_resumable, wanted_of
from cnnlib.inference.model_card import load_model
from cnnlib.network.architectures import NETWORKS, consistency_loss
from cnnlib.training import checkpoint, dataset, devices, warm_start
from cnnlib.training.checkpoint import Progress
from cnnlib.training.reading import Reader
from cnnlib.training.schedule import plan

LINE_STEPS = 10  # steps from one console line to the next
REVIEWED_PICTURES = 20_000  # training pictures that are read at the end, and once early, at most
CHECKED_FROM = 8  # views of a picture from which on labels are looked at; after many more they are known by heart
CHECKING_ACCURACY = 0.7  # on the verification set, from which on readings say something of labels


class Trainer:
    """One training: data, network, optimizer and progress."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config
        keras.utils.set_random_seed(config.split_seed)  # of first weights and dropout
        self.network = NETWORKS[config.network](config.shape, config.alphabet.classes, config.max_captcha)
        policy, self.precision = devices.choose_policy(config.precision)
        try:  # before the pictures, which may take long to load
            self.model = self.network.model(policy)
        except ConfigError as error:
            raise ConfigError(f"{config.name}: {error}") from error
        self.training, self.verification = dataset.load_training(config)
        self.lengths = min(map(len, self.training.texts + self.verification.texts)), config.max_captcha
        strength = config.augmentation if self.network.augmented else 0.0
        pairs = self.network.consistency > 0
        self.plan = plan(len(self.training), config.train_batch_size, config.cycle_stop, strength, pairs=pairs)
        # What is measured and exported: the running average of the weights reads far better than any single step's.
        self.averaged = self.network.model(policy) if self.network.averaging else self.model
        self.averaged.set_weights(self.model.get_weights())
        self.reader = Reader(self.network, self.averaged, config.alphabet, self.lengths, config.train_batch_size)
        self.optimizer = self.network.optimizer(self.plan.steps)
        if policy == "mixed_float16":
            self.optimizer = keras.optimizers.LossScaleOptimizer(self.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        names = [path.name for data in (self.training, self.verification) for path in data.paths]
        self.progress = Progress(names_hash=hashlib.sha256("/".join(names).encode()).hexdigest())
        self.verified = Accuracy(0, 0.0, 0.0)
        self._verified_step = -1
        self.saved_step, self.saved_final = -1, False  # the step that was saved last, and whether as the final one
        self._train = tf.function(self._train_batch)

    def resume(self) -> bool:
        """Take up the training in `model_save_dir`; False when there is none.

        Raises ModelError when it is broken or disagrees with the config.
        """
        folder = self.config.model_save_dir
        if not check_resumable(folder, wanted_of(self.config)):
            return False
        card, content = load_model(folder, "checkpoint")
        if card.split_seed not in (None, self.config.split_seed):
            raise ModelError(
                f"{display_path(folder)}: its split_seed is {card.split_seed}, {self.config.name} has "
                f"{self.config.split_seed}: pictures that it was trained on would verify it; set it back, or name "
                "another model_save_dir"
            )
        names = self.progress.names_hash
        try:
            self.progress = checkpoint.unpack(content, self.model, self.averaged, self.optimizer)
        except ModelError as error:
            remedy = f"name another model_save_dir, and start from this one with --warm-start {display_path(folder)}"
            raise ModelError(f"{display_path(folder)}: its checkpoint: {error}; {remedy}") from error
        before, self.progress.names_hash = self.progress.names_hash, names
        counts = (card.training_pictures, card.verification_pictures)
        if before in ("", names) and counts == (len(self.training), len(self.verification)):  # older ones have no names
            if card.resize == self.config.resize:  # which may be changed at any time, and belongs into the card
                self.saved_step, self.saved_final = self.progress.step, "quantised" in card.files
        else:  # other pictures or labels now: the card shall say so, and what was best on the old ones says nothing
            self.progress.best_accuracy, self.progress.best_step = 0.0, self.progress.step
            self.progress.labels_checked = False
        return True

    def carry_over(self, folder: Path) -> str:
        """Start from the weights of the model in `folder` that fit; returns a sentence about it.

        Raises ModelError when there is no model or none of its weights fits.
        """
        said = warm_start.carry_over(folder, self.model, self.config.network, self.config.alphabet)
        self.averaged.set_weights(self.model.get_weights())
        return said

    def batches(self) -> tf.data.Dataset:
        """The batches of the steps that are left."""
        steps, size = range(self.progress.step, self.plan.steps), self.config.train_batch_size
        return dataset.batches(self.training, size, steps, self.config.split_seed, self.plan.strength, self.plan.paired)

    def ended(self) -> bool:
        """Whether no step is left, or none is needed."""
        return self.progress.step >= self.plan.steps or self.satisfied()

    def satisfied(self) -> bool:
        """Whether this very step and the measurement before it reached an `acc_stop` below 1, on enough pictures.

        One measurement alone may be luck, and so may any on fewer pictures than 1 / (1 - acc_stop), 100 for 0.99,
        where a single misread one makes the difference.
        """
        wanted, curve = self.config.acc_stop, self.progress.verification_curve
        enough = wanted < 1 and self.verified.pictures >= round(1 / (1 - wanted))
        now = self._verified_step == self.progress.step and self.verified.picture >= wanted
        return enough and now and len(curve) > 1 and curve[-2][1] >= wanted

    def step(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        """Train on one batch, as `batches` gives it.

        Returns its loss, float32 (), and its probabilities, float32 (batch, rows, classes), as they were in training.
        """
        self.progress.step += 1
        return self._train(pictures, labels)

    def measure(self, count: int | None = None) -> tuple[Accuracy, float]:
        """Accuracy and mean loss on `count` verification pictures, others at each console line; None: on all."""
        size = len(self.verification)
        first = self.progress.step // LINE_STEPS * count % size if count else 0
        chosen = (first + np.arange(min(count or size, size))) % size
        reads = self.reader.read(self.verification, chosen)
        accuracy = metrics.accuracy([one.label for one in reads], [one.reading.text for one in reads])
        return accuracy, float(np.mean([one.loss for one in reads]))

    def review(self) -> Review:
        """What the training came to, on the verification pictures and on training pictures, most often all."""
        chosen = self._reviewed()
        trained = self.reader.read(self.training, chosen)
        verified = self.reader.read(self.verification, np.arange(len(self.verification)))
        return replace(review(trained, verified, self._early_suspects()), unread=len(self.training) - len(chosen))

    def _early_suspects(self) -> list[Read]:
        """Those that were suspects and are still there under their names, so with their labels."""
        paths = {path.name: path for path in self.training.paths}
        suspects = self.progress.suspects
        return [replace(one, path=paths[one.path.name]) for one in suspects if one.path.name in paths]

    def _reviewed(self) -> np.ndarray:
        """The numbers of the training pictures that are reviewed."""
        count = len(self.training)
        return np.random.default_rng(self.config.split_seed).permutation(count)[:REVIEWED_PICTURES]

    def verify(self) -> None:
        """Measure the whole verification set, once a step; note it on its curve and, if it is, as the best so far."""
        progress = self.progress
        if self._verified_step == progress.step:
            return
        self.verified, _ = self.measure()
        self._verified_step = progress.step
        if progress.verification_curve and progress.verification_curve[-1][0] == progress.step:
            progress.verification_curve.pop()  # measured before a resume, on other pictures maybe
        progress.verification_curve.append((progress.step, self.verified.picture))
        tf.summary.scalar("verification/picture_accuracy", self.verified.picture, progress.step)
        if self.verified.picture >= progress.best_accuracy:
            progress.best_accuracy, progress.best_step = self.verified.picture, progress.step

    def can_check_labels(self) -> bool:
        """Whether labels are to be looked at now: the network reads, and has not learned them by heart yet."""
        progress = self.progress
        views = progress.step * self.config.train_batch_size / len(self.training)
        in_time = views >= CHECKED_FROM and progress.step <= self.plan.steps / 2
        return in_time and not progress.labels_checked and self.verified.picture >= CHECKING_ACCURACY

    def check_labels(self) -> None:
        """Read the training pictures, and note those whose labels look wrong, beside those that were noted before."""
        found = [one for one in self.reader.read(self.training, self._reviewed()) if one.suspect]
        suspects = {one.path.name: one for one in (*self.progress.suspects, *found)}
        self.progress.suspects = [
            replace(one, reading=replace(one.reading, character_confidences=())) for one in suspects.values()
        ]
        self.progress.labels_checked = True

    def verification_interval(self) -> int:
        """Steps between measurements of the whole verification set, such that they take about 3% of the time."""
        cost_steps = len(self.verification) / (3 * self.config.train_batch_size)  # forward alone is a third of a step
        return LINE_STEPS * max(5, math.ceil(cost_steps / 0.03 / LINE_STEPS))

    def _train_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            scores = self.model(pictures, training=True)
            loss = total = tf.reduce_mean(self.network.loss(labels, scores))
            if self.plan.paired:
                pairs = scores.shape[0] // 2
                apart = consistency_loss(scores[:pairs], scores[-pairs:])
                total += self.network.consistency * tf.reduce_mean(apart)
            scaled = self.optimizer.scale_loss(total)
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
