"""Labelled pictures in memory, as arrays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Dataset:
    """`pictures` uint8 (n, height, width, channels); `labels` int32 (n, length), filled up with the blank."""

    paths: list[Path]
    texts: list[str]
    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)
