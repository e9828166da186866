"""One training's state: data, network, averaged weights, optimizer, progress; a step, a measurement, a save."""

import math
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib import checkpoint, dataset, devices, evaluation, export, report, warm_start
from cnnlib.alphabet import Reading
from cnnlib.checkpoint import Progress
from cnnlib.config import SampleConfig, display_path
from cnnlib.dataset import Dataset
from cnnlib.errors import ModelError
from cnnlib.evaluation import Accuracy
from cnnlib.files import write_whole
from cnnlib.model_card import ModelCard, check_resumable, load_model, save_model, versions, wanted_of
from cnnlib.network import NETWORKS
from cnnlib.recipe import steps_for, strength_for
from cnnlib.review import Read, Review, review

LINE_STEPS = 10  # steps from one console line to the next
PREDICTION_BATCH = 256
CHECKED_PICTURES = 16  # verification pictures on which every export is compared with the network
REVIEWED_PICTURES = 20_000  # training pictures that are read at the end, at most


class Trainer:
    """One training: data, network, optimizer and progress."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config
        self.training, self.verification = dataset.load_training(config)
        self.lengths = min(map(len, self.training.texts + self.verification.texts)), config.max_captcha
        batch_size = config.train_batch_size
        self.stop = steps_for(len(self.training), batch_size) if config.cycle_stop == "auto" else config.cycle_stop
        passes = self.stop * batch_size / len(self.training)
        strength = strength_for(passes) if config.augmentation == "auto" else config.augmentation
        keras.utils.set_random_seed(config.split_seed)  # of first weights and dropout
        self.network = NETWORKS[config.network](config.shape, config.alphabet.classes, config.max_captcha)
        self.strength = strength if self.network.augmented else 0.0
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
        self._verified_step = -1
        self._saved = (-1, False)  # the step that was saved last, and whether as the final one
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
        if card.split_seed not in (None, self.config.split_seed):
            raise ModelError(
                f"{display_path(folder)}: its split_seed is {card.split_seed}, {self.config.name} has "
                f"{self.config.split_seed}: pictures that it was trained on would verify it; set it back, or name "
                "another model_save_dir"
            )
        self.progress = checkpoint.unpack(content, self.model, self.averaged, self.optimizer)
        if (card.training_pictures, card.verification_pictures) == (len(self.training), len(self.verification)):
            self._saved = (self.progress.step, "quantised" in card.files)
        else:  # other pictures now: the card shall say so, and what was best on the old ones says nothing
            self.progress.best_accuracy, self.progress.best_step = 0.0, self.progress.step
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
        steps = range(self.progress.step, self.stop)
        return dataset.batches(
            self.training, self.config.train_batch_size, steps, self.config.split_seed, self.strength
        )

    def satisfied(self) -> bool:
        """Whether this very step was measured and reached an `acc_stop` below 1, on enough pictures to tell.

        Below 1 / (1 - acc_stop) pictures, 100 for 0.99, one misread picture makes the difference, and so does luck.
        """
        accuracy, wanted = self.verified, self.config.acc_stop
        enough = wanted < 1 and accuracy.pictures >= round(1 / (1 - wanted))
        return enough and self._verified_step == self.progress.step and accuracy.picture >= wanted

    def step(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        """Train on one batch; returns its loss and its probabilities, as they were in training."""
        self.progress.step += 1
        return self._train(pictures, labels)

    def measure(self, count: int | None = None) -> tuple[Accuracy, float]:
        """Accuracy and mean loss on `count` verification pictures, others at each console line; None: on all."""
        size = len(self.verification)
        first = self.progress.step // LINE_STEPS * count % size if count else 0
        chosen = (first + np.arange(min(count or size, size))) % size
        readings, losses = self.read(self.verification, chosen)
        labels = [self.verification.texts[number] for number in chosen]
        return evaluation.accuracy(labels, [reading.text for reading in readings]), float(np.mean(losses))

    def read(self, data: Dataset, chosen: np.ndarray) -> tuple[list[Reading], list[float]]:
        """Readings and losses of the pictures numbered `chosen`, by the averaged weights."""
        readings: list[Reading] = []
        losses: list[float] = []
        for part in np.split(chosen, range(PREDICTION_BATCH, len(chosen), PREDICTION_BATCH)):
            loss, probabilities = self._predict(data.pictures[part], data.labels[part])
            readings += self._decode(probabilities.numpy())
            losses += loss.numpy().tolist()
        return readings, losses

    def review(self) -> Review:
        """What the training came to, on the verification pictures and on training pictures, most often all."""
        training, verification = self.training, self.verification
        count = min(len(training), REVIEWED_PICTURES)
        chosen = np.random.default_rng(self.config.split_seed).permutation(len(training))[:count]
        found = review(self._reads(training, chosen), self._reads(verification, np.arange(len(verification))))
        return replace(found, unread=len(training) - count)

    def _reads(self, data: Dataset, chosen: np.ndarray) -> list[Read]:
        paths, labels = [data.paths[number] for number in chosen], [data.texts[number] for number in chosen]
        return [Read(*one) for one in zip(paths, labels, *self.read(data, chosen), strict=True)]

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
        read = [reading.text for reading in self._decode(probabilities)]
        return evaluation.accuracy([self.config.alphabet.text(numbers) for numbers in labels], read)

    def _decode(self, probabilities: np.ndarray) -> list[Reading]:
        return self.config.alphabet.decode_batch(probabilities, self.network.decoding, self.lengths)

    def verification_interval(self) -> int:
        """Steps between measurements of the whole verification set, such that they take about 3% of the time."""
        cost_steps = len(self.verification) / (3 * self.config.train_batch_size)  # forward alone is a third of a step
        return LINE_STEPS * max(5, math.ceil(cost_steps / 0.03 / LINE_STEPS))

    def save(self, *, final: bool = False, anew: bool = False) -> None:
        """Swap checkpoint, card and LiteRT file of this step in, with the curves as pictures beside them.

        `verify` comes first: the card tells what it found. `final`: also the quantised LiteRT file, measured beside
        the other on the verification set, and taken for reading where it reads as well. A step that was saved is not
        saved again unless `anew`.
        """
        if not anew and self._saved in ((self.progress.step, final), (self.progress.step, True)):
            return
        folder = self.config.model_save_dir
        model = export.to_float32(self.network, self.averaged)
        litert = export.to_litert(model)
        export.check_litert(litert, model, self.verification.pictures[:CHECKED_PICTURES])
        contents = {
            "checkpoint": (".npz", checkpoint.pack(self.model, self.averaged, self.optimizer, self.progress)),
            "weights": (".npz", warm_start.pack(self.averaged)),
            "float32": (".tflite", litert),
        }
        card = self._card()
        if final:
            contents["quantised"] = (".tflite", export.to_litert(model, quantised=True))
            accuracies = {kind: self._exported_accuracy(contents[kind][1]) for kind in ("float32", "quantised")}
            found = {"reads": export.choose(accuracies), "exported_picture_accuracy": accuracies}
            card = card.model_copy(update=found)
        save_model(folder, card, contents)
        report.draw_curve(
            folder / "train_acc.png", "Picture accuracy of training batches", self.progress.training_curve
        )
        report.draw_curve(
            folder / "test_acc.png", "Picture accuracy of the verification set", self.progress.verification_curve
        )
        self._saved = (self.progress.step, final)

    def save_for_serving(self, folder: Path) -> Path:
        """A SavedModel of this step, in the versioned layout of TensorFlow Serving; returns its folder.

        Raises ModelError when it answers otherwise than Keras.
        """
        model = export.to_float32(self.network, self.averaged)
        version = folder / str(self.progress.step)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".") as part:  # a server takes up whole versions alone
            export.to_saved_model(model, Path(part) / "model")
            export.check_saved_model(Path(part) / "model", model, self.verification.pictures[:CHECKED_PICTURES])
            shutil.rmtree(version, ignore_errors=True)
            (Path(part) / "model").rename(version)
        return version

    def save_as_onnx(self, path: Path) -> None:
        """Write an ONNX model. Raises ModelError when it answers otherwise than Keras, or can't be made."""
        model = export.to_float32(self.network, self.averaged)
        content = export.to_onnx(model)
        export.check_onnx(content, model, self.verification.pictures[:CHECKED_PICTURES])
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)

    def _exported_accuracy(self, content: bytes) -> float:
        return export.accuracy_of(content, self.verification.pictures, self.verification.texts, self._decode)

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
            min_captcha=self.lengths[0],
            max_captcha=config.max_captcha,
            step=progress.step,
            training_seconds=round(progress.seconds, 1),
            training_pictures=len(self.training),
            verification_pictures=self.verified.pictures,
            verification_picture_accuracy=self.verified.picture,
            verification_character_accuracy=self.verified.character,
            best_picture_accuracy=progress.best_accuracy,
            best_step=progress.best_step,
            split_seed=config.split_seed,
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
