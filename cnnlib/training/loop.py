"""The training: steps, when to stop, saving, resuming and exporting anew."""

import errno
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import tensorflow as tf
from tqdm import tqdm

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.core.signals import Interruption, interruption
from cnnlib.evaluation.diagnosis import Review
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.compatibility import check_resumable, wanted_of
from cnnlib.inference.model_card import ModelCard, load_card
from cnnlib.network.architectures import operations
from cnnlib.training import checkpoint, devices
from cnnlib.training.reporting import Say, check_finite, introduce, show_step, tell, telling_what_is_kept
from cnnlib.training.save import save, save_as_onnx, save_for_serving
from cnnlib.training.trainer import LINE_STEPS, Trainer

NO_SPACE = os.strerror(errno.ENOSPC)


@dataclass(frozen=True)
class Outcome:
    """How a training ended; `signal` is the number of the signal that stopped it, or None."""

    reason: str
    goal_reached: bool  # whether it is `acc_stop` that ended it
    signal: int | None
    step: int
    verification: Accuracy
    seconds: float
    pictures_per_s: float
    gflops: float  # thousands of millions of operations a second, forward and back, attention left out
    best_accuracy: float
    best_step: int
    review: Review | None = None  # None where a signal stopped the training
    machine_gflops: float = 0.0  # of a product of matrices in bfloat16, measured after the training


def train(config: SampleConfig, say: Say = tell, start: Path | None = None) -> Outcome:
    """Train, or train on, until `cycle_stop`, `acc_stop` or a signal; the model folder then holds the last step.

    A new training starts from the weights of the model in `start` that fit.

    Raises SampleError, ModelError or ConfigError when pictures, an older model or the config can't be used, ModelError
    when memory runs out or another training holds the model folder, and OSError when a folder can't be written.
    """
    say(devices.use_gpu(config.enable_gpu))
    make_writable(config.log_dir)
    with _naming_what_ran_out(config), checkpoint.held(config.model_save_dir):
        with interruption() as interrupted:
            trainer = Trainer(config)
            introduce(trainer, say, start)
            with telling_what_is_kept(trainer, say):
                outcome = run(trainer, interrupted, say)
        if outcome.signal or not outcome.step:
            return outcome
        say("Reading the training and verification pictures once more")
        return replace(outcome, review=trainer.review(), machine_gflops=devices.product_rate())


@contextmanager
def _naming_what_ran_out(config: SampleConfig, folder: Path | None = None) -> Iterator[None]:
    """Let a lack of memory or of room on a disk, maybe that of `folder`, be a ModelError with the way out."""
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        if NO_SPACE in str(error):  # TensorFlow's one error for both
            places = f"that of model_save_dir, {f'of {display_path(folder)}, ' if folder else ''}or of temporary files"
            raise ModelError(f"{config.name}: a disk is full, {places}") from error
        remedy = f"lower train_batch_size (now {config.train_batch_size})"
        raise ModelError(
            f"{config.name}: memory ran out: {remedy}, or close other programs; all pictures are held in "
            f"it, {config.image_width * config.image_height * config.channels / 1e6:.3g} MB each"
        ) from error


def make_writable(folder: Path) -> None:
    """Make a folder where it is missing. Raises OSError, as TensorFlow doesn't, naming it where it can't be written."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def export(
    config: SampleConfig, say: Say = tell, saved_model: Path | None = None, onnx: Path | None = None
) -> ModelCard:
    """Export the checkpoint in `model_save_dir` anew, measured on the verification pictures; returns its new card.

    `saved_model` is a folder for TensorFlow Serving, which gets a SavedModel too, `onnx` a file for an ONNX model.
    Raises SampleError, ModelError or ConfigError as `train` does, ModelError when there is no checkpoint.
    """
    if not check_resumable(config.model_save_dir, wanted_of(config)):
        raise ModelError(f"{display_path(config.model_save_dir)}: expected a model with a checkpoint; train one first")
    say(devices.use_gpu(config.enable_gpu))
    with _naming_what_ran_out(config, saved_model), checkpoint.held(config.model_save_dir):
        trainer = Trainer(config)
        trainer.resume()
        trainer.verify()
        save(trainer, final=True, anew=True)
        if saved_model:
            say(f"SavedModel: {display_path(save_for_serving(trainer, saved_model))}")
        if onnx:
            save_as_onnx(trainer, onnx)
            say(f"ONNX: {display_path(onnx)}")
        return load_card(config.model_save_dir)


def run(trainer: Trainer, interrupted: Interruption, say: Say) -> Outcome:
    """The steps that are left, with their console lines, measurements and saves."""
    config, progress = trainer.config, trainer.progress
    first, before, start = progress.step, progress.seconds, time.perf_counter()
    size, loss = config.train_batch_size, 0.0
    scalars = config.log_dir / config.model_save_dir.name  # TensorBoard draws a curve for each folder
    bar = tqdm(total=trainer.plan.steps * size, initial=first * size, unit=" pictures", unit_scale=True, disable=None)
    with bar, tf.summary.create_file_writer(str(scalars)).as_default():
        if first:
            trainer.verify()  # on today's pictures, which may be others than when the model was saved
        for pictures, labels in trainer.batches():
            if trainer.ended() or interrupted.signal:
                break
            loss, probabilities = trainer.step(pictures, labels)
            progress.seconds = before + time.perf_counter() - start
            bar.update(size)
            do_what_is_due(trainer, labels, loss, probabilities, say)
        check_finite(trainer, float(loss))
        if progress.step:  # stopped before the first step, there is nothing to keep
            if interrupted.signal:
                say(f"Interrupted: saving step {progress.step}; once more ends at once, without it")
            trainer.verify()
            keep(trainer, say, final=not interrupted.signal)
    rate = (progress.step - first) * size / max(progress.seconds - before, 1e-9)
    return _outcome(trainer, interrupted, rate)


def do_what_is_due(trainer: Trainer, labels: tf.Tensor, loss: tf.Tensor, probabilities: tf.Tensor, say: Say) -> None:
    """Show, measure and save after a step on the batch of these `labels`, each where its turn has come."""
    step = trainer.progress.step
    showing, saving = step % LINE_STEPS == 0, step % trainer.config.cycle_save == 0
    if showing or saving:
        check_finite(trainer, float(loss))
    if showing:
        show_step(trainer, labels.numpy(), float(loss), probabilities.numpy(), say)
    if saving or step % trainer.verification_interval() == 0:
        trainer.verify()
        if trainer.can_check_labels():
            trainer.check_labels()
            say(f"{len(trainer.progress.suspects)} labels look wrong so far")
    if saving and not trainer.ended():
        keep(trainer, say)


def keep(trainer: Trainer, say: Say, final: bool = False) -> None:
    """Save this step, and say so, unless it is saved."""
    if save(trainer, final=final):
        say(f"Saved step {trainer.progress.step} into {display_path(trainer.config.model_save_dir)}")


def _outcome(trainer: Trainer, interrupted: Interruption, rate: float) -> Outcome:
    """How a training ended that took `rate` pictures a second."""
    progress = trainer.progress
    return Outcome(
        _reason(trainer, interrupted),
        trainer.satisfied(),
        interrupted.signal,
        progress.step,
        trainer.verified,
        progress.seconds,
        rate,
        3 * operations(trainer.model) * rate / 1e9,  # the way back takes twice the way there
        progress.best_accuracy,
        progress.best_step,
    )


def _reason(trainer: Trainer, interrupted: Interruption) -> str:
    if interrupted.signal:
        return f"interrupted by signal {interrupted.signal}; run again to go on"
    if trainer.satisfied():
        goal = trainer.config.acc_stop
        return f"acc_stop {goal} is reached twice running on the verification set; raise it to train on"
    return f"cycle_stop {trainer.plan.steps} is reached; raise it to train on"
