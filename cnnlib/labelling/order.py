"""The order in which the pictures of a labelling come, and which of them are nearly the same."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cnnlib.codec.images import open_picture
from cnnlib.codec.likeness import SMALL, find_alike
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores

AGAIN_ONE_IN = 50  # pictures are asked about again
APART_ONE_IN = 20  # pictures are never chosen for their readings


class Order:
    """Names of pictures in an order at random, always the same, or as they come. A number is a place in it.

    At random, some numbers are to be asked about `again`, and some are kept `apart`: they are never chosen for their
    readings. All of it follows from the names.
    """

    def __init__(self, names: Sequence[str], *, at_random: bool) -> None:
        self.at_random = at_random
        self.names = sorted(names, key=_key) if at_random else list(names)
        keys = [_key(name) for name in self.names] if at_random else []
        self.again = [number for number, key in enumerate(keys) if key[-1] % AGAIN_ONE_IN == 0]
        self.apart = [number for number, key in enumerate(keys) if key[-2] % APART_ONE_IN == 0]


def _key(name: str) -> bytes:
    """A key that puts names into an order at random. So the first labels tell about all pictures."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()


@dataclass(frozen=True)
class Doubles:
    """Numbers of pictures that an earlier one is the same as, byte for byte, with the first such, or `near`ly."""

    exact: Mapping[int, int] = field(default_factory=dict)
    near: frozenset[int] = frozenset()


def doubles_among(numbers: Sequence[int], read: Callable[[int], bytes]) -> Doubles:
    """The doubles among pictures, of which the first one in this order is none. All are decoded, on all cores.

    `read` gives the bytes of a number, and raises SampleError. Files that are no pictures are no doubles.
    """
    exact, near = find_alike(on_all_cores(lambda number: _seen(number, read), numbers))
    firsts = {numbers[place]: numbers[first] for place, first in exact.items()}
    return Doubles(firsts, frozenset(numbers[place] for place in near))


def _seen(number: int, read: Callable[[int], bytes]) -> tuple[bytes, np.ndarray] | None:
    """A digest of a picture's bytes, and its small version; None for one that can't be read."""
    try:
        data = read(number)
        return hashlib.sha256(data).digest(), open_picture(data, SMALL)
    except SampleError:
        return None
