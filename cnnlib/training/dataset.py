"""Labelled pictures split into training and verification, and the batch of each step."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from cnnlib.codec.filenames import pictures_of
from cnnlib.codec.images import open_picture, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.joined_array import JoinedArray
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.core.texts import Texts
from cnnlib.data.folders import read_label, scan_pictures, share_held_out
from cnnlib.data.listing import check_unusable
from cnnlib.data.packed import cache_of, fingerprint, pack
from cnnlib.training.augment import augment, erase
from cnnlib.training.order import change_keys
from cnnlib.training.pictures import Dataset
from cnnlib.training.schedule import faded

VERIFICATION_LIMIT = 2000  # pictures at most
SECOND_VIEW = np.uint32(2**32 - 1)  # minus the key of a picture is that of its second view
REMEDY = "verify_and_split_data.py says which config fits; or move the picture out of this folder"


class Source(Protocol):
    """Where the pictures of the steps come from: a `Dataset`, or a generator."""

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""

    @property
    def label_length(self) -> int:
        """The length that labels are filled up to."""

    def __len__(self) -> int: ...

    def stream(self, places: Iterable[np.ndarray], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pictures and labels of the places of each step, uint8 (n, height, width, channels) and int32 (n, length)."""


@dataclass(frozen=True)
class Folder:
    """The usable pictures of a folder, and why others are left out, by name."""

    data: Dataset
    skipped: dict[str, str]


@dataclass(frozen=True)
class TrainingData:
    """Training and verification pictures, why some of the folder are left out, and what the steps train on."""

    training: Dataset
    verification: Dataset
    skipped: dict[str, str]
    source: Source | None = None  # if it is not `training`
    unlabelled: JoinedArray | None = None  # pictures that `source` has besides


def load_training(config: SampleConfig) -> TrainingData:
    """The pictures of `train_image_dir`, of which some are for verification.

    Raises SampleError as `load_folder` does.
    """
    folder = load_folder(config.train_image_dir, config)
    verifying = choose_verification(folder.data.names, config.split_seed)
    training, verification = (folder.data.select(np.flatnonzero(verifying == side)) for side in (False, True))
    return TrainingData(training, verification, folder.skipped)


def load_folder(folder: Path, config: SampleConfig) -> Folder:
    """The pictures of a folder, decoded once and kept in `cache_dir`. A few that can't be decoded are left out.

    Raises SampleError when there are fewer than two, more than 1% can't be used, or a label doesn't fit the config.
    """
    names, fingerprints = _scan(folder, config.image_suffix)
    labels = _encode(names, config, folder)
    pictures, reasons = decode(folder, names, fingerprints, config)
    skipped = {names[number]: reasons[number] for number in sorted(reasons)}
    check_unusable(folder, len(names), skipped, config.log_dir)
    usable = np.delete(np.arange(len(names)), [*reasons])
    return Folder(Dataset(folder, names, labels, pictures).select(usable), skipped)


def _scan(folder: Path, suffix: str) -> tuple[Texts, np.ndarray]:
    """Names of the pictures, sorted, and fingerprints of their files, uint64 (n,)."""
    names, fingerprints = take_fingerprints(folder, sorted(entry.name for entry in scan_pictures(folder, suffix)))
    if len(names) < 2:
        raise SampleError(
            f"{display_path(folder)}: expected 2 or more {pictures_of(suffix)}; got {len(names)}; fill it with "
            "gen_image/gen_sample_by_captcha.py and verify_and_split_data.py"
        )
    return names, fingerprints


def take_fingerprints(folder: Path, names: Iterable[str]) -> tuple[Texts, np.ndarray]:
    """Those of the files that are still there, and their fingerprints, uint64 (n,)."""
    present, fingerprints = list[str](), array("Q")
    for name in names:
        with suppress(FileNotFoundError):  # deleted meanwhile
            stat = (folder / name).stat()
            fingerprints.append(fingerprint(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
            present.append(name)
    return Texts(present), np.array(fingerprints)


def decode(
    folder: Path, names: Sequence[str], fingerprints: np.ndarray, config: SampleConfig
) -> tuple[JoinedArray, dict[int, str]]:
    """The pictures of a folder, kept in `cache_dir`, and why some can't be decoded, by number."""

    def read(number: int) -> np.ndarray:
        return open_picture(read_picture(folder / names[number]), config.shape)

    cache = cache_of(config.cache_dir, folder, config.shape)
    bar = partial(progress_bar, unit=" pictures", unit_scale=True, desc="Decoding", leave=False)
    return pack(cache, fingerprints, config.shape, read, bar)


def _encode(names: Sequence[str], config: SampleConfig, folder: Path) -> np.ndarray:
    """The labels in file names, as the config spells them, as classes, (n, length) of the smallest type."""
    alphabet, length = config.alphabet, config.max_captcha
    labels = np.empty((len(names), length), np.min_scalar_type(alphabet.classes))
    for number, name in enumerate(names):
        label = read_label(folder, name)
        try:
            labels[number] = alphabet.encode(config.spelled(label), length)
        except SampleError as error:
            raise SampleError(f"{display_path(folder / name)}: {error}; {REMEDY}") from error
    return labels


def choose_verification(names: Sequence[str], seed: int) -> np.ndarray:
    """Which of these names are the verification set, bool (n,): 5% by a hash of seed and name, 1 to 2,000.

    Of up to 500 pictures it is 10%, of up to 1,000 about 50. At least one picture stays for training. A picture keeps
    its side when others are added, or moves to training.
    """
    hashed = (hashlib.sha256(f"{seed}/{name}".encode("utf-8", "surrogateescape")).digest()[:8] for name in names)
    hashes = np.fromiter((int.from_bytes(digest, "big") for digest in hashed), np.uint64, len(names))
    low = int((hashes < np.uint64(verification_share(len(names)) * 2**64)).sum())
    count = max(1, min(low, VERIFICATION_LIMIT, len(names) - 1))
    chosen = np.zeros(len(names), bool)
    chosen[np.argsort(hashes, kind="stable")[:count]] = True
    return chosen


def verification_share(pictures: int) -> float:
    """The share of so many pictures that verifies, about: as much as the test set gets of all."""
    return share_held_out(pictures)


def hash_names(parts: Sequence[Dataset]) -> str:
    """A SHA-256 of the names, and so the labels, of all pictures, in hexadecimal."""
    digest, separator = hashlib.sha256(), b""
    for part in parts:
        for name in part.names:
            digest.update(separator + name.encode("utf-8", "surrogateescape"))
            separator = b"/"
    return digest.hexdigest()


def pictures_in(size: int, paired: bool) -> int:
    """How many pictures a batch of `size` has: half as many, in two views each, if it is `paired`."""
    return (size + 1) // 2 if paired else size


def batches(
    source: Source,
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
    count = pictures_in(size, paired)

    def places(step: int) -> np.ndarray:
        return (step * replica[1] + replica[0]) * count + np.arange(count)

    def draw() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, float]]:
        for step, (pictures, labels) in zip(steps, source.stream(map(places, steps), seed), strict=True):
            yield pictures, labels, change_keys(places(step), seed), faded(strength, step, steps.stop)

    def change(pictures: Any, labels: Any, keys: Any, step_strength: Any) -> tuple[Any, Any, Any]:
        if strength > 0:
            pictures = augment(pictures, keys, step_strength)
        if paired:
            pictures, labels = (tf.concat([half, half[: size - count]], axis=0) for half in (pictures, labels))
            keys = tf.concat([keys, SECOND_VIEW - keys[: size - count]], axis=0)
            pictures = erase(pictures, keys, strength)
        return pictures, labels, keys

    signature = (
        tf.TensorSpec((count, *source.picture_shape), tf.uint8),
        tf.TensorSpec((count, source.label_length), tf.int32),
        tf.TensorSpec((count,), tf.uint32),
        tf.TensorSpec((), tf.float32),
    )
    return tf.data.Dataset.from_generator(draw, output_signature=signature).map(change).prefetch(2)
