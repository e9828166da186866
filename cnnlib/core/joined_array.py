"""Several arrays as one, without copying them."""

from collections.abc import Sequence

import numpy as np


class JoinedArray:
    """Chosen rows of arrays (n, ...), which may be memory-mapped. What is asked for is copied into memory."""

    def __init__(self, parts: Sequence[np.ndarray], rows: np.ndarray) -> None:
        self._parts, self._rows = parts, rows  # int64 (n,), counted through all parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self._none = parts[0][:0] if len(parts) else np.zeros(0, np.uint8)  # no rows, of the shape and type of all

    @classmethod
    def join(cls, arrays: Sequence["JoinedArray"]) -> "JoinedArray":
        """The rows of several, one behind the other. Of none, it is an array of shape (0,)."""
        parts = [part for array in arrays for part in array._parts]
        firsts = np.cumsum([0, *(array._starts[-1] for array in arrays)])
        rows = [array._rows + first for array, first in zip(arrays, firsts, strict=False)]
        return cls(parts, np.concatenate([*rows, np.zeros(0, np.int64)]).astype(np.int64))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of rows, then the shape of each."""
        return len(self), *self._none.shape[1:]

    def __getitem__(self, numbers: np.ndarray | slice) -> np.ndarray:
        """The rows of these numbers, int64 (n,), or of a slice."""
        rows = self._rows[numbers]
        taken = np.empty((len(rows), *self.shape[1:]), self._none.dtype)
        part_of = np.searchsorted(self._starts, rows, "right") - 1
        for part in np.unique(part_of):
            places = part_of == part
            taken[places] = self._parts[part][rows[places] - self._starts[part]]
        return taken

    def select(self, numbers: np.ndarray) -> "JoinedArray":
        """Only the rows of these numbers, int64 (n,), in this order."""
        return JoinedArray(self._parts, self._rows[numbers])
