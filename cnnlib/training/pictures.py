"""Labelled pictures by number."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnlib.core.joined_array import JoinedArray
from cnnlib.core.texts import Texts
from cnnlib.training.order import picture_numbers


@dataclass(frozen=True)
class Dataset:
    """The pictures of a folder, and their labels as classes: small unsigned (n, length), filled up with the blank."""

    folder: Path
    names: Sequence[str]  # sorted
    labels: np.ndarray
    pictures: JoinedArray  # uint8 (n, height, width, channels)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.pictures.shape[1:]

    @property
    def label_length(self) -> int:
        """The length that labels are filled up to."""
        return int(self.labels.shape[1])

    def take(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """uint8 (n, height, width, channels) and int32 (n, length) of these numbers, int64 (n,)."""
        return self.pictures[numbers], self.labels[numbers].astype(np.int32)

    def stream(self, places: Iterable[np.ndarray], seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What `take` gives for the places of each step: epoch after epoch, each in an order of its own."""
        for step_places in places:
            yield self.take(picture_numbers(step_places, len(self), seed))

    def select(self, numbers: np.ndarray) -> "Dataset":
        """Only the pictures with these numbers, ascending, int64 (n,)."""
        names = Texts(self.names[number] for number in numbers)
        return Dataset(self.folder, names, self.labels[numbers], self.pictures.select(numbers))

    def path(self, number: int) -> Path:
        """The file of a picture."""
        return self.folder / self.names[number]

    def has(self, name: str) -> bool:
        """Whether a file of this name is among them."""
        place = bisect_left(self.names, name)
        return place < len(self) and self.names[place] == name

    def shortest(self, blank: int) -> int:
        """The length of the shortest label; `blank` is the class that fills labels up."""
        return int((self.labels != blank).sum(axis=1).min())
