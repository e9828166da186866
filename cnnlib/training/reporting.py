"""What a training says: what it trains on, the original's lines at every tenth step, where it stands when it ends."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.training.trainer import Trainer

Say = Callable[[str], None]


def tell(text: str) -> None:
    """Print a line above the progress bar, if anyone is there to read it: a training outlives its terminal."""
    with suppress(OSError):
        tqdm.write(text)


def introduce(trainer: Trainer, say: Say, start: Path | None) -> None:
    """Take up an older training, or start from an older model; say what is trained, on what and for how long."""
    config, pictures = trainer.config, len(trainer.training)
    say(trainer.precision)
    say(f"Network {config.network}: {trainer.model.count_params():,} parameters, {config.alphabet.classes} classes")
    say(f"{pictures} training and {len(trainer.verification)} verification pictures")
    paired = ", two views at once" if trainer.plan.paired else ""
    say(
        f"cycle_stop {trainer.plan.steps} steps of {config.train_batch_size} pictures: "
        f"each is seen {trainer.plan.views:.1f} times{paired}"
    )
    say(f"augmentation {trainer.plan.strength:.2g}" if trainer.network.augmented else "No augmentation")
    if trainer.resume():
        unused = f"; {display_path(start)} is not started from" if start else ""
        say(f"Resuming from step {trainer.progress.step} in {display_path(config.model_save_dir)}{unused}")
    else:
        say(trainer.carry_over(start) if start else "Start from random weights")


def check_finite(trainer: Trainer, loss: float) -> None:
    """Raise ModelError when the loss of this step is no number any more."""
    if not math.isfinite(loss):
        raise ModelError(
            f"{trainer.config.name}: at step {trainer.progress.step} the loss is {loss}, so nothing is learned any "
            "more; the last save stays. Start again, with precision float32 or less augmentation"
        )


def show_step(trainer: Trainer, labels: np.ndarray, loss: float, probabilities: np.ndarray, say: Say) -> None:
    """The original's three lines on the batch just trained and on some verification pictures."""
    step = trainer.progress.step
    trained = trainer.reader.accuracy(labels, probabilities)
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


@contextmanager
def telling_what_is_kept(trainer: Trainer, say: Say) -> Iterator[None]:
    """Say which step the model folder holds where a second Ctrl-C ends the training at once."""
    try:
        yield
    except KeyboardInterrupt:
        folder, step = display_path(trainer.config.model_save_dir), trainer.saved_step
        say(f"Ended at once: {folder} holds {f'step {step}' if step > 0 else 'no step of this run'}")
        raise
