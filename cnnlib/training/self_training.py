"""A training teaches itself: what it reads surely on pictures without labels are their labels for the next steps.

This is FixMatch (Sohn et al. 2020) for texts. The teacher is the running average of the weights. A text counts when
the picture and a weakly changed view of it give the same one, both with a high confidence of the whole text. The
strong views are those of every training: changed, and with parts erased.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from cnnlib.training.augment import augment
from cnnlib.training.order import change_keys, picture_numbers
from cnnlib.training.trainer import LINE_STEPS, Trainer
from cnnlib.training.unlabelled import HalfLabelled

SURE = 0.95  # confidence of a text, from which on it counts as a label
TEACH_STEPS = 50  # from one reading to the next
READ_LIMIT = 4096  # pictures of one reading, about as many as train until the next
WEAK = 0.5  # strength of the changes of the second view


def teach(trainer: Trainer, say: Callable[[str], None], *, at_once: bool = False) -> None:
    """Read pictures without labels, if there are any. What is read surely trains some steps later, or `at_once`.

    The steps between are those whose batches may be made already. So it does not depend on how fast batches are made.
    """
    source, step = trainer.source, trainer.progress.step
    if not isinstance(source, HalfLabelled) or not len(source.pictures):
        return
    count, seed = len(source.pictures), trainer.config.split_seed
    numbers = numbers_of_turn(step // TEACH_STEPS, count, seed)
    texts = trainer.distribution.in_shares(partial(_read_surely, trainer, source), numbers)
    config, length = trainer.config, source.label_length
    labels = np.array([config.alphabet.encode(config.spelled(text), length) for text in texts], np.int32)
    place = trainer.place_of(step if at_once else step + LINE_STEPS)
    taught = source.learn(numbers, labels, np.array([*map(bool, texts)]), place)
    say(f"{taught} of {count} pictures without labels are read surely, and train")


def numbers_of_turn(turn: int, count: int, seed: int) -> np.ndarray:
    """The numbers, int64 (n,) and ascending, of the pictures that a turn reads: of few all, of many the next ones."""
    per_turn = min(count, READ_LIMIT)
    return np.unique(picture_numbers(turn * per_turn + np.arange(per_turn), count, seed))


def _read_surely(trainer: Trainer, source: HalfLabelled, numbers: np.ndarray) -> list[str]:
    """The texts of these pictures, empty where the views differ or are not sure."""
    pictures = source.pictures[numbers]
    keys = change_keys(numbers, trainer.config.split_seed)
    first = trainer.evaluator.read(pictures)
    second = trainer.evaluator.read(augment(pictures, keys, WEAK).numpy())
    return [
        one.text if one.text == other.text and min(one.confidence, other.confidence) >= SURE else ""
        for one, other in zip(first, second, strict=True)
    ]
