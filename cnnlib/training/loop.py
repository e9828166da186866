"""The training loop: steps, evaluations, saves, when to stop; and exporting a checkpoint again."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.files import check_writable, make_folder
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.core.signals import StopSignal, catch_stop_signals
from cnnlib.inference.compatibility import check_resumable, requirements_of
from cnnlib.inference.model_card import ModelCard, held, load_card
from cnnlib.training import devices
from cnnlib.training.dataset import TrainingData, load_training
from cnnlib.training.distribution import Distribution, distribute
from cnnlib.training.drawn import load_drawn
from cnnlib.training.export import check_targets
from cnnlib.training.mixing import check_share, mix, mix_with_start
from cnnlib.training.reporting import (
    Outcome,
    heard_line,
    plan_lines,
    print_line,
    skipped_lines,
    step_lines,
    strategy_line,
)
from cnnlib.training.resume import begin, check_split_seed, resume
from cnnlib.training.save import draw_curves, save, save_as_onnx, save_for_serving
from cnnlib.training.scalars import Scalars
from cnnlib.training.self_training import TEACH_STEPS, teach
from cnnlib.training.trainer import LINE_STEPS, Trainer
from cnnlib.training.unlabelled import load_with_unlabelled, unlabelled_lines

Say = Callable[[str], None]


def train(config: SampleConfig, say: Say = print_line, warm_start: str = "none") -> Outcome:
    """Train, or train on, until `cycle_stop`, `acc_stop` or a signal; the model folder then holds the last step.

    A new training starts from random weights ("none"), from the general model if it fits ("auto"), or from the model
    in the folder `warm_start`.
    Raises SampleError, ModelError or ConfigError when pictures, an older model or the config can't be used, ModelError
    when memory runs out or another training holds the model folder, and OSError when a folder can't be written.
    """
    say(devices.use_gpu(config.enable_gpu))
    distribution = distribute(config)
    with distribution.training(), devices.explained_shortage(config), _folders_of(config, distribution):
        if distribution.writes:
            check_split_seed(config)
        trainer = Trainer(config, _loader(config), distribution)
        introduce(trainer, say)
        answer, say = say, say if distribution.writes else _silence
        begin(trainer, warm_start, say)
        with catch_stop_signals(lambda number: answer(heard_line(number))) as stop, _saying_what_is_saved(trainer, say):
            outcome = run(trainer, stop, say)
        if outcome.signal or not outcome.step:
            return outcome
        say("Reading the training and verification pictures once more")
        return replace(outcome, diagnosis=trainer.diagnose(), machine_gflops=devices.product_rate())


def _loader(config: SampleConfig) -> Callable[[SampleConfig], TrainingData]:
    """What loads the pictures: those of a folder, perhaps with others without labels, or what a generator draws."""
    if config.generator:
        return load_drawn
    return load_with_unlabelled if config.unlabelled_dirs else load_training


def _silence(_: str) -> None:
    """Say nothing: what happens from now on is said by worker 0."""


@contextmanager
def _folders_of(config: SampleConfig, distribution: Distribution) -> Iterator[None]:
    """Hold the folders that a training writes. Workers other than the first write nothing."""
    if not distribution.writes:
        yield
        return
    make_writable(config.log_dir)
    with held(config.model_save_dir):
        yield


def introduce(trainer: Trainer, say: Say) -> None:
    """Say what is trained, on what and for how long."""
    say(strategy_line(trainer.config, trainer.distribution.replicas, trainer.distribution.workers))
    say(trainer.precision)
    for line in skipped_lines(trainer.config.train_image_dir, trainer.skipped):
        say(line)
    pictures = trainer.training_pictures, len(trainer.verification)
    for line in plan_lines(trainer.config, trainer.model.count_params(), pictures, trainer.plan):
        say(line)
    for line in unlabelled_lines(trainer.source):
        say(line)
    say(f"augmentation {trainer.plan.strength:.2g}" if trainer.network.augmented else "No augmentation")


def make_writable(folder: Path) -> None:
    """Make a missing folder. Raises OSError that names it when it can't be written; that of TensorFlow does not."""
    make_folder(folder)
    check_writable(folder)


def export_checkpoint(
    config: SampleConfig,
    say: Say = print_line,
    saved_model: Path | None = None,
    onnx: Path | None = None,
    share: float | None = None,
) -> ModelCard:
    """Export the checkpoint in `model_save_dir` again, evaluated on the verification pictures; returns its new card.

    `saved_model` is a folder for TensorFlow Serving, which gets a SavedModel too, `onnx` a file for an ONNX model.
    With a `share`, 0.05 to 1, the weights are mixed anew: so much of the training's end, the rest of its start.
    Raises SampleError, ModelError or ConfigError as `train` does, ModelError when there is no checkpoint, or no start,
    and before the work begins ModelError or OSError when the exports can't be written there.
    """
    if not check_resumable(config.model_save_dir, requirements_of(config)):
        raise ModelError(f"{display_path(config.model_save_dir)}: expected a model with a checkpoint; train one first")
    check_split_seed(config)
    check_share(share)
    check_targets(saved_model, onnx)
    say(devices.use_gpu(config.enable_gpu))
    with devices.explained_shortage(config, saved_model), held(config.model_save_dir):
        trainer = Trainer(config, load_drawn if config.generator else load_training)
        resume(trainer)
        if share is not None:
            mix(trainer, share)
        trainer.record_evaluation()
        save(trainer, final=True)
        draw_curves(trainer, say)
        if saved_model:
            say(f"SavedModel: {display_path(save_for_serving(trainer, saved_model))}")
        if onnx:
            save_as_onnx(trainer, onnx)
            say(f"ONNX: {display_path(onnx)}")
        return load_card(config.model_save_dir)


def run(trainer: Trainer, stop: StopSignal, say: Say) -> Outcome:
    """The steps that are left, with their console lines, evaluations and saves."""
    config, progress = trainer.config, trainer.progress
    first, before, start = progress.step, progress.seconds, time.perf_counter()
    agreed = trainer.distribution.agreed_signal
    size, loss = config.train_batch_size, 0.0
    bar = progress_bar(total=trainer.plan.steps * size, initial=first * size, unit=" pictures", unit_scale=True)
    with bar, _scalars(trainer, say) as trainer.scalars:
        if first:
            trainer.record_evaluation()  # on today's pictures, which may differ from those of the save
            teach(trainer, say, at_once=True)
        for pictures, labels, keys in trainer.batches():
            if trainer.ended() or agreed(stop.signal, progress.step):
                break
            loss, probabilities = trainer.step(pictures, labels, keys)
            elapsed = before + time.perf_counter() - start
            progress.seconds = trainer.distribution.agreed_seconds(elapsed, progress.seconds, progress.step)
            bar.update(size)
            do_what_is_due(trainer, labels, loss, probabilities, say)
        check_finite(trainer, float(loss))
        if progress.step:  # stopped before the first step, there is nothing to save
            signal = agreed(stop.signal)
            if signal:
                say(f"Interrupted: saving step {progress.step}; once more ends at once, without it")
            else:
                mix_with_start(trainer, say)
            trainer.record_evaluation()
            save_step(trainer, say, final=not signal)
    rate = (progress.step - first) * size / max(progress.seconds - before, 1e-9)
    return _outcome(trainer, agreed(stop.signal), rate)


@contextmanager
def _scalars(trainer: Trainer, say: Say) -> Iterator[Scalars | None]:
    """What writes the curves of TensorBoard, on the worker that writes. It draws a curve for each folder."""
    if not trainer.distribution.writes:
        yield None
        return
    with closing(Scalars(trainer.config.log_dir / trainer.config.model_save_dir.name, say)) as scalars:
        yield scalars


def do_what_is_due(trainer: Trainer, labels: tf.Tensor, loss: tf.Tensor, probabilities: tf.Tensor, say: Say) -> None:
    """Report, evaluate and save after a step on a batch with these `labels`, each when its turn has come."""
    step = trainer.progress.step
    reporting, saving = step % LINE_STEPS == 0, trainer.save_due()
    if reporting or saving:
        check_finite(trainer, float(loss))
    if reporting:
        labels, probabilities = trainer.distribution.join(labels), trainer.distribution.join(probabilities)
        report_step(trainer, labels.numpy(), float(loss), probabilities.numpy(), say)
    if saving or step % trainer.evaluation_interval() == 0:
        trainer.record_evaluation()
        if trainer.suspects_due():
            trainer.record_suspects()
            say(f"{len(trainer.progress.suspects)} labels look wrong so far")
    if saving and not trainer.ended():
        save_step(trainer, say)
    if step % TEACH_STEPS == 0 and not trainer.ended():
        teach(trainer, say)


def check_finite(trainer: Trainer, loss: float) -> None:
    """Raise ModelError when the loss of this step is not a finite number."""
    if not math.isfinite(loss):
        raise ModelError(
            f"{trainer.config.name}: at step {trainer.progress.step} the loss is {loss}, so nothing is learned any "
            "more; the last save stays. Start again, with precision float32 or less augmentation"
        )


def report_step(trainer: Trainer, labels: np.ndarray, loss: float, probabilities: np.ndarray, say: Say) -> None:
    """Say how well the batch just trained on, and some verification pictures, are read; record it for the curves."""
    step = trainer.progress.step
    accuracy = trainer.evaluator.accuracy(labels, probabilities)
    verification = trainer.evaluator.evaluate(trainer.config.test_batch_size, step // LINE_STEPS)
    trainer.progress.training_curve.append((step, accuracy.picture))
    sets = {"Training": (accuracy, loss), "Verification": (verification.accuracy, verification.loss)}
    for line in step_lines(step, sets):
        say(line)
    for name, (part, value) in sets.items():
        figures = {"loss": value, "character_accuracy": part.character, "batch_picture_accuracy": part.picture}
        trainer.record({f"{name.lower()}/{figure}": share for figure, share in figures.items()})


def save_step(trainer: Trainer, say: Say, final: bool = False) -> None:
    """Save this step, and say so, unless it is saved."""
    if not trainer.is_saved(final):
        if trainer.distribution.writes:
            save(trainer, final=final)
            if final or trainer.progress.step % trainer.config.cycle_save == 0:
                draw_curves(trainer, say)
        trainer.mark_saved(final)
        say(f"Saved step {trainer.progress.step} into {display_path(trainer.config.model_save_dir)}")


@contextmanager
def _saying_what_is_saved(trainer: Trainer, say: Say) -> Iterator[None]:
    """Say which step the model folder holds when a second Ctrl-C ends the training at once."""
    try:
        yield
    except KeyboardInterrupt:
        folder, step = display_path(trainer.config.model_save_dir), trainer.saved_step
        say(f"Ended at once: {folder} holds {f'step {step}' if step > 0 else 'no step of this run'}")
        raise


def _outcome(trainer: Trainer, signal: int | None, rate: float) -> Outcome:
    """How a training ended that took `rate` pictures per second; `signal` is the one that stopped it."""
    progress = trainer.progress
    return Outcome(
        _reason(trainer, signal),
        trainer.goal_reached(),
        signal,
        progress.step,
        trainer.verified,
        progress.seconds,
        rate,
        3 * devices.count_operations(trainer.model) * rate / 1e9,  # the backward pass costs twice the forward pass
        progress.best_accuracy,
        progress.best_step,
        worker=trainer.distribution.worker,
        skipped=trainer.skipped,
    )


def _reason(trainer: Trainer, signal: int | None) -> str:
    if signal:
        return f"interrupted by signal {signal}; run again to go on"
    if trainer.goal_reached():
        goal = trainer.config.acc_stop
        return f"acc_stop {goal} is reached twice running on the verification set; raise it to train on"
    return f"cycle_stop {trainer.plan.steps} is reached; raise it to train on"
