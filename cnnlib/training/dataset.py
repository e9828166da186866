"""Labelled pictures in memory: split into training and verification, shuffled and batched."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.filenames import pictures_of
from cnnlib.codec.images import Shape, open_picture, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import list_labelled
from cnnlib.training.augment import augment, erase
from cnnlib.training.order import change_keys, picture_numbers
from cnnlib.training.pictures import Dataset
from cnnlib.training.schedule import faded

VERIFICATION_SHARE = 0.05
VERIFICATION_LIMIT = 2000
SECOND_VIEW = np.uint32(2**32 - 1)  # minus the key of a picture is that of its second view


def load_training(config: SampleConfig) -> tuple[Dataset, Dataset]:
    """Training and verification pictures of `train_image_dir`.

    Raises SampleError when there are fewer than two or one doesn't fit the config.
    """
    samples = list_labelled(config.train_image_dir, config.image_suffix)
    if len(samples) < 2:
        raise SampleError(
            f"{display_path(config.train_image_dir)}: expected 2 or more {pictures_of(config.image_suffix)}; "
            f"got {len(samples)}; fill it with gen_image/gen_sample_by_captcha.py and verify_and_split_data.py"
        )
    names = choose_verification([path.name for path, _ in samples], config.split_seed)
    sides = ([sample for sample in samples if (sample[0].name in names) == side] for side in (False, True))
    training, verification = (load(side, config.shape, config.alphabet, config.max_captcha) for side in sides)
    return training, verification


def choose_verification(names: Sequence[str], seed: int) -> set[str]:
    """The names of the verification set: 5% by a hash of seed and name, at least 1 and at most 2,000.

    At least one picture stays for training. A picture keeps its side when others are added. Only in folders of a few
    dozen, or of more than 40,000, some move to training.
    """
    hashes = {name: int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "big") for name in names}
    ordered = sorted(names, key=hashes.__getitem__)
    low = [name for name in ordered if hashes[name] < VERIFICATION_SHARE * 2**64]
    return set(low[: min(VERIFICATION_LIMIT, len(names) - 1)] or ordered[:1])


def load(samples: Sequence[tuple[Path, str]], shape: Shape, alphabet: Alphabet, length: int) -> Dataset:
    """Decode labelled pictures on all cores. Raises SampleError naming the first that doesn't fit."""
    pictures = np.empty((len(samples), shape.height, shape.width, shape.channels), np.uint8)
    labels = np.empty((len(samples), length), np.int32)

    def read(index: int) -> None:
        path, label = samples[index]
        try:
            pictures[index] = open_picture(read_picture(path), shape)
            labels[index] = alphabet.encode(label, length)
        except SampleError as error:
            raise SampleError(f"{display_path(path)}: {error}; verify_and_split_data.py says what fits") from error

    for _ in on_all_cores(read, range(len(samples))):
        pass
    return Dataset([path for path, _ in samples], [label for _, label in samples], pictures, labels)


def batches(
    data: Dataset,
    size: int,
    steps: range,
    seed: int,
    strength: float,
    paired: bool = False,
    replica: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """A batch for each step: augmented uint8 (size, height, width, channels), int32 (size, length), uint32 (size,).

    The last are the keys of the pictures, by which dropout draws. A `paired` batch has half as many pictures, each in
    two views: its second half is the first with other parts erased. The changes start with `strength` and fade out
    towards the last step; erasing stays. A batch depends only on `seed`, step and last step, so a resumed training goes
    on as if it had not stopped. `replica`, a number and their count, has its share of each batch, and pairs of its own.
    """
    size //= replica[1]
    count = (size + 1) // 2 if paired else size

    def draw() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
        for step in steps:
            places = (step * replica[1] + replica[0]) * count + np.arange(count)
            chosen = picture_numbers(places, len(data), seed)
            yield (
                data.pictures[chosen],
                data.labels[chosen],
                change_keys(places, seed),
                faded(strength, step, steps.stop),
            )

    def change(pictures: Any, labels: Any, keys: Any, step_strength: Any) -> tuple[Any, Any, Any]:
        if strength > 0:
            pictures = augment(pictures, keys, step_strength)
        if paired:
            pictures, labels = (tf.concat([half, half[: size - count]], axis=0) for half in (pictures, labels))
            keys = tf.concat([keys, SECOND_VIEW - keys[: size - count]], axis=0)
            pictures = erase(pictures, keys, strength)
        return pictures, labels, keys

    signature = (
        tf.TensorSpec((count, *data.pictures.shape[1:]), tf.uint8),
        tf.TensorSpec((count, data.labels.shape[1]), tf.int32),
        tf.TensorSpec((count,), tf.uint32),
        tf.TensorSpec((), tf.float32),
    )
    return tf.data.Dataset.from_generator(draw, output_signature=signature).map(change).prefetch(2)
