"""Labelled pictures in memory, split from verification, shuffled and batched."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.images import Shape, open_picture, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import list_labelled
from cnnlib.training.augment import CHANGES, augment, erase
from cnnlib.training.schedule import faded

VERIFICATION_SHARE = 0.05
VERIFICATION_LIMIT = 2000


@dataclass(frozen=True)
class Dataset:
    """`pictures` uint8 (n, height, width, channels); `labels` int32 (n, length), filled up with the blank."""

    paths: list[Path]
    texts: list[str]
    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


def load_training(config: SampleConfig) -> tuple[Dataset, Dataset]:
    """Training and verification pictures of `train_image_dir`.

    Raises SampleError when there are fewer than two or one doesn't fit the config.
    """
    found = list_labelled(config.train_image_dir, config.image_suffix)
    if len(found) < 2:
        raise SampleError(
            f"{display_path(config.train_image_dir)}: expected 2 or more .{config.image_suffix} pictures; "
            f"got {len(found)}; fill it with gen_image/gen_sample_by_captcha.py and verify_and_split_data.py"
        )
    verification = choose_verification([path.name for path, _ in found], config.split_seed)
    parts = ([one for one in found if (one[0].name in verification) == wanted] for wanted in (False, True))
    training, verifying = (load(part, config.shape, config.alphabet, config.max_captcha) for part in parts)
    return training, verifying


def choose_verification(names: Sequence[str], seed: int) -> set[str]:
    """The names whose pictures verify: 5% by a hash of seed and name, at least 1, the lowest hashes up to 2,000.

    One at least of several is left to train on.

    A picture keeps its side when others come, but for folders of a few dozen, and beyond 40,000, where some go over to
    training.
    """
    hashes = {name: int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") for name in names}
    ordered = sorted(names, key=hashes.__getitem__)
    low = [name for name in ordered if hashes[name] < VERIFICATION_SHARE * 2**64]
    return set(low[: min(VERIFICATION_LIMIT, len(names) - 1)] or ordered[:1])


def load(found: Sequence[tuple[Path, str]], shape: Shape, alphabet: Alphabet, length: int) -> Dataset:
    """Decode labelled pictures on all cores. Raises SampleError naming the first that doesn't fit."""
    pictures = np.empty((len(found), shape.height, shape.width, shape.channels), np.uint8)
    labels = np.empty((len(found), length), np.int32)

    def read(index: int) -> None:
        path, label = found[index]
        try:
            pictures[index] = open_picture(read_picture(path), shape)
            labels[index] = alphabet.encode(label, length)
        except SampleError as error:
            raise SampleError(f"{display_path(path)}: {error}; verify_and_split_data.py tells what fits") from error

    for _ in on_all_cores(read, range(len(found))):
        pass
    return Dataset([path for path, _ in found], [label for _, label in found], pictures, labels)


def batches(
    data: Dataset, size: int, steps: range, seed: int, strength: float, paired: bool = False
) -> tf.data.Dataset:
    """Batch for each step: uint8 (size, height, width, channels) augmented, int32 (size, length).

    A `paired` batch has half as many pictures, each in two views: its second half is the first with other parts erased.
    The changes, of `strength` at first, fade out towards the last step; erasing stays. A step's batch and its changes
    depend on `seed`, step and last step alone, so a resumed training goes on where it stopped.
    """
    count = (size + 1) // 2 if paired else size
    folded = int(np.uint32(seed).view(np.int32))  # TensorFlow's seeds have a sign

    def draw() -> Iterator[tuple[np.ndarray, np.ndarray, int, float]]:
        for step in steps:
            chosen = batch_indices(len(data), count, step, seed)
            yield data.pictures[chosen], data.labels[chosen], step, faded(strength, step, steps.stop)

    def change(pictures: Any, labels: Any, step: Any, step_strength: Any) -> tuple[Any, Any]:
        step_seed = tf.stack([folded, step * 64])  # and up to 63 after it, one for each change
        if strength > 0:
            pictures = augment(pictures, step_seed, step_strength)
        if paired:
            pictures, labels = (tf.concat([one, one[: size - count]], axis=0) for one in (pictures, labels))
            pictures = erase(pictures, step_seed + tf.constant((0, len(CHANGES))), strength)
        return pictures, labels

    signature = (
        tf.TensorSpec((count, *data.pictures.shape[1:]), tf.uint8),
        tf.TensorSpec((count, data.labels.shape[1]), tf.int32),
        tf.TensorSpec((), tf.int32),
        tf.TensorSpec((), tf.float32),
    )
    return tf.data.Dataset.from_generator(draw, output_signature=signature).map(change).prefetch(2)


def batch_indices(count: int, size: int, step: int, seed: int) -> np.ndarray:
    """Which of `count` pictures step `step` trains on, int64 (size,): pass after pass, each in an order of its own."""
    places = range(step * size, (step + 1) * size)
    passes = range(places[0] // count, places[-1] // count + 1)
    orders = {number: _order(count, seed, number) for number in passes}
    return np.array([orders[place // count][place % count] for place in places])


@lru_cache(maxsize=2)
def _order(count: int, seed: int, number: int) -> np.ndarray:
    return np.random.default_rng((seed, number)).permutation(count)
