"""Pictures without labels beside labelled ones: which of them count, and how they come into the batches."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.codec.likeness import find_alike, small_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.joined_array import JoinedArray
from cnnlib.core.paths import display_path
from cnnlib.data.folders import scan_pictures
from cnnlib.data.sources import list_source
from cnnlib.training.dataset import TrainingData, decode, load_training, take_fingerprints
from cnnlib.training.order import picture_numbers
from cnnlib.training.pictures import Dataset

UNLABELLED_SHARE = 2 / 3  # of a batch, at most (Sohn et al. 2020 take more, for larger batches)
LABELLED, DOUBLE = "are labelled or in the test set", "are there twice"  # why pictures don't count
SIZE_REMEDY = '"resize": true'  # in the message of a SizeError
OTHER_SIZE, UNREADABLE = f"are of another size, which {SIZE_REMEDY} takes", "can't be read"
COUNTED = 10  # pictures without labels for each labelled one, that make a training longer


@dataclass(frozen=True)
class Taught:
    """Which pictures without labels train from a place on, int64 (n,), and how they were read, as classes."""

    place: int
    numbers: np.ndarray
    labels: np.ndarray  # int32 (n, length)


class HalfLabelled:
    """Labelled pictures, and others that train once a network reads them surely. A `Source` of the steps."""

    def __init__(self, labelled: Dataset, pictures: JoinedArray, left_out: Mapping[str, int]) -> None:
        """`left_out` is how many pictures without labels don't count, by reason, see `load_with_unlabelled`."""
        self.labelled, self.pictures, self.left_out = labelled, pictures, left_out
        blank = np.zeros((len(pictures), labelled.label_length), np.int32)
        self._known, self._labels = np.zeros(len(pictures), bool), blank
        self._taught = [Taught(0, np.zeros(0, np.int64), blank[:0])]

    def __len__(self) -> int:
        return len(self.labelled) + min(len(self.pictures), COUNTED * len(self.labelled))

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.labelled.picture_shape

    @property
    def label_length(self) -> int:
        """The length that labels are filled up to."""
        return self.labelled.label_length

    def learn(self, numbers: np.ndarray, labels: np.ndarray, sure: np.ndarray, place: int) -> int:
        """Take how pictures were read, int64 (n,) and int32 (n, length), as labels from a place on, where `sure`.

        A picture that is not read surely any more counts no longer. Returns how many count.
        """
        self._known[numbers], self._labels[numbers] = sure, labels
        known = np.flatnonzero(self._known)
        self._taught = [*self._taught[-1:], Taught(place, known, self._labels[known])]
        return len(known)

    def stream(self, places: Iterable[np.ndarray], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pictures and labels of the places of each step, those without labels of their own first."""
        for step_places in places:
            yield self._take(int(step_places[0]), len(step_places), seed)

    def _take(self, place: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        taught = next(each for each in reversed(self._taught) if each.place <= place or each is self._taught[0])
        all_of_them = len(taught.numbers) + len(self.labelled)
        guessed = min(int(UNLABELLED_SHARE * count), count * len(taught.numbers) // all_of_them)
        pictures, labels = self.labelled.take(_numbers(place // count, count - guessed, len(self.labelled), seed))
        if not guessed:
            return pictures, labels
        rows = _numbers(place // count, guessed, len(taught.numbers), seed)
        others = self.pictures[taught.numbers[rows]], taught.labels[rows]
        return np.concatenate([others[0], pictures]), np.concatenate([others[1], labels])


def _numbers(turn: int, count: int, of: int, seed: int) -> np.ndarray:
    return picture_numbers(turn * count + np.arange(count), of, seed)


def load_with_unlabelled(config: SampleConfig) -> TrainingData:
    """The pictures of `train_image_dir`, and those of `unlabelled_image_dir` beside them.

    Of the latter, those don't count that are labelled, or that are in the test set, be it in another file format. Each
    counts once. There may be none that counts, as when all are labelled.
    Raises SampleError as `load_training` does, when there is no such folder, and when no picture in them fits.
    """
    data = load_training(config)
    known = [data.training.pictures, data.verification.pictures, _test_pictures(config)]
    parts, left_out = list[JoinedArray](), Counter[str]()
    for folder in config.unlabelled_dirs:
        pictures, unusable = _load(folder, _names_below(folder, config), config)
        fresh, reasons = _sift(pictures, known, parts)
        parts.append(pictures.select(fresh))
        left_out += unusable + reasons
    joined = JoinedArray.join(parts)
    _check_fitting(config, len(joined), left_out)
    source = HalfLabelled(data.training, joined, left_out)
    return replace(data, source=source, unlabelled=joined if len(joined) else None)


def unlabelled_lines(source: object) -> Iterator[str]:
    """How many pictures without labels there are, if any."""
    if isinstance(source, HalfLabelled):
        left_out = f"; of others {listed_reasons(source.left_out)}" if source.left_out else ""
        yield f"{len(source.pictures)} pictures without labels{left_out}"


def listed_reasons(left_out: Mapping[str, int]) -> str:
    """How many pictures don't count, by reason, the most frequent first, in a message."""
    ordered = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered)


def _check_fitting(config: SampleConfig, counted: int, left_out: Mapping[str, int]) -> None:
    """Raise SampleError when there are pictures without labels, but none that the config can take."""
    if not counted and left_out and not {*left_out} & {LABELLED, DOUBLE}:
        folders = ", ".join(map(display_path, config.unlabelled_dirs))
        size = f"{config.image_width}x{config.image_height}"
        raise SampleError(f"{folders}: expected pictures of {size} pixels; got none: {listed_reasons(left_out)}")


def _test_pictures(config: SampleConfig) -> JoinedArray:
    names = sorted(entry.name for entry in scan_pictures(config.test_image_dir, config.image_suffix))
    return _load(config.test_image_dir, names, config)[0]


def _names_below(folder: Path, config: SampleConfig) -> list[str]:
    """The pictures of a folder and those below it, without what this suite draws and writes there itself."""
    if not folder.is_dir():
        raise SampleError(f"{display_path(folder)}: expected a folder of pictures; there is none")
    entries = list_source(folder, (config.cache_dir, config.log_dir, config.model_save_dir)).entries
    return [
        str(entry.name) for entry in entries if has_suffix(entry.name, ANY_SUFFIX) and (folder / entry.name).is_file()
    ]


def _load(folder: Path, names: Sequence[str], config: SampleConfig) -> tuple[JoinedArray, Counter[str]]:
    """The pictures of these names that can be decoded, and how many can't, by reason."""
    present, fingerprints = take_fingerprints(folder, names)
    if not len(present):
        return JoinedArray.join([]), Counter()
    pictures, reasons = decode(folder, present, fingerprints, config)
    kinds = Counter(OTHER_SIZE if SIZE_REMEDY in reason else UNREADABLE for reason in reasons.values())
    return pictures.select(np.delete(np.arange(len(present)), [*reasons])), kinds


def _sift(
    pictures: JoinedArray, known: Sequence[JoinedArray], earlier: Sequence[JoinedArray]
) -> tuple[np.ndarray, Counter[str]]:
    """The numbers of the pictures that count, int64 (n,), and how many don't, by reason.

    Those are none of the `known` ones, nor nearly one of them, and not exactly one of the `earlier` or one before.
    """
    exact, near = find_alike(_look_of(picture) for part in (*known, *earlier, pictures) for picture in _each_of(part))
    labelled = sum(map(len, known))
    begin = labelled + sum(map(len, earlier))

    def reason(number: int) -> str:
        first = exact.get(number, number)
        if near.get(first, first) < labelled:
            return LABELLED
        return DOUBLE if number in exact else ""

    reasons = [reason(begin + row) for row in range(len(pictures))]
    fresh = np.array([row for row, reason in enumerate(reasons) if not reason], np.int64)
    return fresh, Counter(filter(None, reasons))


def _each_of(part: JoinedArray) -> Iterator[np.ndarray]:
    return (part[number : number + 1][0] for number in range(len(part)))


def _look_of(picture: np.ndarray) -> tuple[bytes, np.ndarray]:
    """A digest of the pixels, and the small version."""
    return hashlib.sha256(picture.tobytes()).digest(), small_of(picture)
