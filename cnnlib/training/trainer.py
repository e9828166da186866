"""The state of one training: data, network, averaged weights, optimizer and progress; one step of it."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError
from cnnlib.evaluation.diagnosis import Diagnosis
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.hints import Reading
from cnnlib.network.architectures import network_class
from cnnlib.network.keyed_random import picture_keys
from cnnlib.network.layers import BatchNorm
from cnnlib.network.losses import consistency_loss
from cnnlib.training import dataset, devices
from cnnlib.training.checkpoint import NO_NAMES, Progress, known_names
from cnnlib.training.dataset import TrainingData
from cnnlib.training.distribution import Batch, Distribution
from cnnlib.training.evaluator import Evaluator
from cnnlib.training.scalars import Scalars
from cnnlib.training.schedule import Plan, plan

COMPARED = 1000  # pictures of each set whose pixels workers compare
LINE_STEPS = 10  # from one console line to the next
SAVE_SHARE = 0.1  # of the planned steps that may be lost, at most
SAVE_SECONDS = 300  # of a training that may be lost, at most
SUSPECTS_FROM_VIEWS = 8  # of a picture, from which on wrong labels show; after many more they are known by heart
SUSPECTS_FROM_ACCURACY = 0.7  # on the verification set, from which on a prediction says something about a label
OWN_STATISTICS_FROM = 16  # pictures of a replica; fewer say too little of a batch
EVALUATION_SHARE = 0.03  # of the time of a training, spent on evaluating the whole verification set


class Trainer:
    """One training, at step 0 with random weights until `cnnlib.training.resume` or a warm start changes that."""

    def __init__(
        self,
        config: SampleConfig,
        load: Callable[[SampleConfig], TrainingData] | None = None,
        distribution: Distribution | None = None,
    ) -> None:
        self.config = config
        self.distribution = distribution or Distribution()
        keras.utils.set_random_seed(config.split_seed)  # of the first weights and of dropout
        self.network = network_class(config.network)(config.shape, config.alphabet.classes, config.max_captcha)
        policy, self.precision = self._choose_policy()
        self.own_statistics = config.batch_statistics == "own" and self.distribution.replicas > 1
        self.model = self._make_model(policy)  # before the pictures, which may take long to load
        loaded = self._load(load or dataset.load_training)
        self.source = loaded.source or loaded.training
        self.training, self.verification, self.skipped = loaded.training, loaded.verification, loaded.skipped
        data = self.training, self.verification
        self.lengths = min(part.shortest(config.alphabet.blank) for part in data), config.max_captcha
        self.plan = self._make_plan()
        self._check_shares()
        with self.distribution.strategy.scope():
            # Evaluated and exported: the running average of the weights reads far better than those of any one step.
            self.averaged = self.network.model(policy) if self.network.averaging else self.model
            self.averaged.set_weights(self.model.get_weights())
            self.optimizer = self._optimizer(policy)
        self.evaluator = Evaluator(
            self.network,
            self.averaged,
            self._reading(),
            *data,
            config.train_batch_size,
            self.distribution.in_shares if self.distribution.workers > 1 else None,
        )
        known = known_names(data) if not config.generator else NO_NAMES
        self.progress = Progress(names_hash=dataset.hash_names(data), known=known)
        self.resumed_at = (-1, 0)  # the step of the checkpoint that it goes on from, and the pictures of its card
        self.verified = Accuracy(0, 0.0, 0.0)  # on the whole verification set, when it was evaluated last
        self._verified_step = -1
        self.saved_seconds = 0.0  # of the training, at the last save or where it began
        self.saved_step, self.saved_final = -1, False  # the step that was saved last, and whether as the final one
        self._train = tf.function(self._train_batch)
        self.scalars: Scalars | None = None  # of the run

    def _make_model(self, policy: str) -> keras.Model:
        """The network with its first weights. Raises ConfigError when it can't read pictures of this size."""
        try:
            with self.distribution.strategy.scope():
                model = self.network.model(policy)
        except ConfigError as error:
            raise ConfigError(f"{self.config.name}: {error}") from error
        for layer in model.layers:
            if isinstance(layer, BatchNorm):
                layer.shared = not self.own_statistics
        return model

    def _reading(self) -> Reading:
        """How answers become text: as a test reads them, in the first view of each picture."""
        config = self.config
        everything = Reading(config.alphabet, self.network.decoding, str(config.alphabet), self.lengths)
        return everything.narrowed(requirements_of(config).hints)

    def _make_plan(self) -> Plan:
        config, network = self.config, self.network
        strength = config.augmentation if network.augmented else 0.0
        pairs = network.consistency > 0
        return plan(len(self.source), config.train_batch_size, config.cycle_stop, strength, pairs=pairs)

    def _choose_policy(self) -> tuple[str, str]:
        """The Keras dtype policy, and a sentence about it: those of worker 0, whose machine may be another."""

        def choose() -> bytes:
            return json.dumps(devices.choose_policy(self.config.precision)).encode()

        policy, sentence = json.loads(self.distribution.from_first(choose))
        return policy, sentence

    def _load(self, load: Callable[[SampleConfig], TrainingData]) -> TrainingData:
        """The pictures. Raises ConfigError when workers have different ones: by all names, and the pixels of some.

        Worker 0 draws first what a generator gives, as the others may share its folder.
        """
        if self.config.generator and not self.distribution.writes:
            self.distribution.gather(None)
        loaded = load(self.config)
        if self.config.generator and self.distribution.writes:
            self.distribution.gather(None)
        if self.distribution.workers > 1:
            parts = loaded.training, loaded.verification
            digest = hashlib.sha256(dataset.hash_names(parts).encode())
            for pictures in (*(part.pictures for part in parts), loaded.unlabelled):
                if pictures is not None:
                    digest.update(pictures[:: -(-len(pictures) // COMPARED)].tobytes())
            self.distribution.check_same("the pictures", digest.hexdigest())
        return loaded

    def _check_shares(self) -> None:
        """Raise ConfigError when the replicas can't have equal shares of a batch, of whole pairs if it is paired."""
        size, parts = self.config.train_batch_size, self.distribution.replicas * (1 + self.plan.paired)
        if self.distribution.replicas > 1 and size % parts:
            pairs = ", as each trains on pairs of views" if self.plan.paired else ""
            near = f"{max(1, size // parts) * parts} or {(size // parts + 1) * parts}"
            raise ConfigError(
                f"{self.config.name}: key 'train_batch_size': expected a multiple of {parts} for "
                f"{self.distribution.replicas} replicas{pairs}; got {size}; the nearest are {near}"
            )
        least = OWN_STATISTICS_FROM * self.distribution.replicas
        if self.own_statistics and size < least:
            raise ConfigError(
                f"{self.config.name}: key 'batch_statistics': expected \"shared\", or a train_batch_size of {least} or "
                f'more for {self.distribution.replicas} replicas; got "own" and {size}'
            )

    def _optimizer(self, policy: str) -> keras.optimizers.Optimizer:
        optimizer = self.network.optimizer(self.plan.steps)
        if policy == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(self.model.trainable_variables)
        self.distribution.takes_means(optimizer)
        return optimizer

    def batches(self) -> Iterable[Batch]:
        """The batches of the steps that are left, of each replica its share."""
        config, plan = self.config, self.plan

        def share(replica: tuple[int, int]) -> Iterable[Batch]:
            return dataset.batches(
                self.source,
                config.train_batch_size,
                range(self.progress.step, plan.steps),
                config.split_seed,
                plan.strength,
                plan.paired,
                replica=replica,
            )

        return self.distribution.batches(share)

    @property
    def training_pictures(self) -> int:
        """How many labelled pictures, or drawn ones, it trains on."""
        return len(self.source if self.config.generator else self.training)

    @property
    def learned_pictures(self) -> int:
        """How many pictures taught the weights: those of before a resume, until a step is taken."""
        step, pictures = self.resumed_at
        return pictures if self.progress.step == step else self.training_pictures

    def place_of(self, step: int) -> int:
        """The first place of a step, counted as `batches` counts them."""
        share = dataset.pictures_in(self.config.train_batch_size // self.distribution.replicas, self.plan.paired)
        return step * self.distribution.replicas * share

    def ended(self) -> bool:
        """Whether no step is left, or the goal is reached."""
        return self.progress.step >= self.plan.steps or self.goal_reached()

    def goal_reached(self) -> bool:
        """Whether this step and the evaluation before it reached an `acc_stop` below 1, on enough pictures.

        One evaluation alone may be luck. So may any on fewer pictures than 1 / (1 - acc_stop), 100 for 0.99, where one
        misread picture makes the difference.
        """
        goal, curve = self.config.acc_stop, self.progress.verification_curve
        enough = goal < 1 and self.verified.pictures >= round(1 / (1 - goal))
        now = self._verified_step == self.progress.step and self.verified.picture >= goal
        return enough and now and len(curve) > 1 and curve[-2][1] >= goal

    def step(self, pictures: Any, labels: Any, keys: Any) -> tuple[Any, Any]:
        """Train on one batch, as `batches` gives it.

        Returns loss, float32 (), and probabilities, float32 (batch, rows, classes), both from before the update. Of
        several replicas, the loss is that of the whole batch, and each has the probabilities of its share.
        """
        self.progress.step += 1
        return self._train(pictures, labels, keys)

    def record_evaluation(self) -> None:
        """Evaluate the whole verification set, once per step, and record it on the curve and, if it is, as the best."""
        progress = self.progress
        if self._verified_step == progress.step:
            return
        self.verified = self.evaluator.evaluate().accuracy
        self._verified_step = progress.step
        if progress.verification_curve and progress.verification_curve[-1][0] == progress.step:
            progress.verification_curve.pop()  # from before a resume, maybe on other pictures
        progress.verification_curve.append((progress.step, self.verified.picture))
        self.record({"verification/picture_accuracy": self.verified.picture})
        if self.verified.picture >= progress.best_accuracy:
            progress.best_accuracy, progress.best_step = self.verified.picture, progress.step

    def forget_evaluation(self) -> None:
        """Evaluate this step anew: its averaged weights have changed."""
        self._verified_step = -1

    def record(self, figures: Mapping[str, float]) -> None:
        """Write figures of this step for TensorBoard, during a run."""
        if self.scalars:
            self.scalars.record(self.progress.step, figures)

    def evaluation_interval(self) -> int:
        """Steps from one evaluation of the whole verification set to the next."""
        cost_steps = len(self.verification) / (3 * self.config.train_batch_size)  # forward alone is a third of a step
        return LINE_STEPS * max(5, math.ceil(cost_steps / EVALUATION_SHARE / LINE_STEPS))

    def suspects_due(self) -> bool:
        """Whether to look for wrong labels now: the network reads, and has not learned them by heart yet."""
        progress = self.progress
        views = progress.step * self.config.train_batch_size / len(self.source)
        in_time = views >= SUSPECTS_FROM_VIEWS and progress.step <= self.plan.steps / 2
        return in_time and not progress.labels_checked and self.verified.picture >= SUSPECTS_FROM_ACCURACY

    def record_suspects(self) -> None:
        """Evaluate the training pictures, and add those that look mislabelled to the suspects of the progress."""
        predictions = self.evaluator.evaluate_training(self.config.split_seed)
        found = [each for each in predictions if each.suspect]
        suspects = {suspect.path.name: suspect for suspect in (*self.progress.suspects, *found)}
        self.progress.suspects = [
            replace(suspect, prediction=replace(suspect.prediction, character_confidences=()))
            for suspect in suspects.values()
        ]
        self.progress.labels_checked = True

    def diagnose(self) -> Diagnosis:
        """What the training achieved."""
        return self.evaluator.diagnose(self.config.split_seed, self.progress.suspects)

    def save_due(self) -> bool:
        """Whether this step is to be saved: by `cycle_save`, or because much would be lost if it were not."""
        steps = min(self.config.cycle_save, max(LINE_STEPS, int(SAVE_SHARE * self.plan.steps)))
        by_step = self.progress.step % steps == 0 or self.progress.step % self.config.cycle_save == 0
        return by_step or self.progress.seconds - self.saved_seconds >= SAVE_SECONDS

    def is_saved(self, final: bool) -> bool:
        """Whether this step is saved; `final`: as the final one, with the quantised file."""
        return self.saved_step == self.progress.step and (self.saved_final or not final)

    def mark_saved(self, final: bool) -> None:
        """Note that the model folder holds this step."""
        self.saved_step, self.saved_final, self.saved_seconds = self.progress.step, final, self.progress.seconds

    def _train_batch(self, pictures: Any, labels: Any, keys: Any) -> tuple[Any, Any]:
        losses, probabilities = self.distribution.strategy.run(self._train_share, args=(pictures, labels, keys))
        self._average()
        return self.distribution.any_of(losses), probabilities

    def _train_share(self, pictures: Any, labels: Any, keys: Any) -> tuple[Any, Any]:
        """Train on a replica's share of the batch. Shares are of one size, so means of means are those of the batch."""
        with tf.GradientTape() as tape, picture_keys(keys):
            scores = self.model(pictures, training=True)
            loss = total = tf.reduce_mean(self.network.loss(labels, scores))
            if self.plan.paired:
                pairs = scores.shape[0] // 2
                disagreement = consistency_loss(scores[:pairs], scores[-pairs:])
                total += self.network.consistency * tf.reduce_mean(disagreement)
            scaled = self.optimizer.scale_loss(total)
        gradients = tape.gradient(scaled, self.model.trainable_variables)
        moving = self.model.non_trainable_variables if self.own_statistics else []
        loss, *means = self.distribution.mean([loss, *gradients, *map(tf.identity, moving)])
        gradients, statistics = means[: len(gradients)], means[len(gradients) :]
        for variable, mean in zip(moving, statistics, strict=True):
            variable.assign(mean)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        return loss, tf.nn.softmax(scores)

    def _average(self) -> None:
        """Move the averaged weights, batch statistics among them, towards this step's; the first steps weigh more."""
        if self.averaged is self.model:
            return
        step = tf.cast(self.optimizer.iterations, tf.float32)
        keep = tf.minimum(self.network.averaging, (1 + step) / (10 + step))

        def move(average: Any, weight: Any) -> None:
            average.assign(keep * average + (1 - keep) * weight)

        for average, weight in zip(self.averaged.weights, self.model.weights, strict=True):
            self.distribution.strategy.extended.update(average.value, move, args=(weight.value,), group=False)
