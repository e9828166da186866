"""The order in which the pictures of a labelling come, and which of them are nearly the same."""

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from cnnlib.codec.images import decode_picture
from cnnlib.codec.likeness import SMALL, nearly_alike, small_of
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


def doubles_among(count: int, read: Callable[[int], bytes]) -> set[int]:
    """The numbers of those pictures that are the same as an earlier one, or nearly. All are decoded, on all cores.

    `read` gives the bytes of a number, and raises SampleError.
    """
    firsts, exact, smalls = dict[bytes, int](), set[int](), list[np.ndarray]()
    for number, (digest, small) in enumerate(on_all_cores(lambda number: _seen(number, read), range(count))):
        if firsts.setdefault(digest, number) != number:
            exact.add(number)
        smalls.append(small)
    return exact | nearly_alike(np.array(smalls, np.uint8)).keys()


def _seen(number: int, read: Callable[[int], bytes]) -> tuple[bytes, np.ndarray]:
    """A digest of a picture's bytes, and its small version, which is blank for one that can't be read."""
    digest = str(number).encode()
    try:
        data = read(number)
        digest = hashlib.sha256(data).digest()
        return digest, small_of(np.asarray(decode_picture(data).convert("RGB")))
    except SampleError:
        return digest, np.zeros((SMALL.height, SMALL.width, SMALL.channels), np.uint8)
