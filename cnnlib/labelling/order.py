"""The order in which the pictures of a labelling come, and which of them are nearly the same."""

import hashlib
from collections.abc import Sequence

import numpy as np

from cnnlib.codec.images import decode_picture
from cnnlib.codec.likeness import SMALL, nearly_alike, small_of
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.data.sources import Entry as File

AGAIN_ONE_IN = 50  # pictures are asked about again
APART_ONE_IN = 20  # pictures are never chosen for their readings


class Order:
    """Some picture files in an order at random, always the same, or as they come.

    At random, some numbers of files are to be asked about `again`, and some are kept `apart`: they are never chosen for
    their readings. Which ones follows from the names.
    """

    def __init__(self, files: Sequence[File], *, at_random: bool) -> None:
        self.at_random = at_random
        self.files = sorted(files, key=_key) if at_random else list(files)
        keys = [_key(file) for file in self.files] if at_random else []
        self.again = [number for number, key in enumerate(keys) if key[-1] % AGAIN_ONE_IN == 0]
        self.apart = [number for number, key in enumerate(keys) if key[-2] % APART_ONE_IN == 0]


def _key(file: File) -> bytes:
    """A key that puts files into an order at random. So the first labels tell about all pictures."""
    return hashlib.sha256(str(file.name).encode("utf-8", "surrogateescape")).digest()


def doubles_among(files: Sequence[File]) -> set[int]:
    """The numbers of those that are the same as an earlier one, or nearly. All are decoded, on all cores."""
    firsts, exact, smalls = dict[bytes, int](), set[int](), list[np.ndarray]()
    for number, (digest, small) in enumerate(on_all_cores(_seen, files)):
        if firsts.setdefault(digest, number) != number:
            exact.add(number)
        smalls.append(small)
    near = nearly_alike(np.array(smalls, np.uint8))
    return exact | near.keys()


def _seen(file: File) -> tuple[bytes, np.ndarray]:
    """A digest of a file, and the small version of its picture, blank for one that can't be read."""
    try:
        data = file.read()
    except SampleError:
        data = str(file.name).encode("utf-8", "surrogateescape")
    digest = hashlib.sha256(data).digest()
    try:
        return digest, small_of(np.asarray(decode_picture(data).convert("RGB")))
    except SampleError:
        return digest, np.zeros((SMALL.height, SMALL.width, SMALL.channels), np.uint8)
