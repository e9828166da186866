"""Which pictures are nearly alike, as when one was compressed or resized again.

Captchas of one generator look alike, so the bounds are tight. A difference hash finds candidates, and small versions of
the pictures are compared. Of 22,400 pictures of eleven generators no two passed for the same.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from cnnlib.codec.images import Shape

SMALL = Shape(16, 17, channels=3, resize=True)  # the version that is hashed and compared
BITS = SMALL.height * (SMALL.width - 1)
STEP = 8  # grey levels from a pixel to its right neighbour, above which it counts as brighter
BANDS = 8  # of a hash; two hashes that differ in fewer bits agree in a whole band
DISTANCE = BANDS - 1  # differing bits, at most
FAINT = 40  # grey levels from the darkest to the brightest, below which a picture is compared byte for byte only
DIFFERENCE = 7.0  # root of the mean squared difference of the small versions in grey levels, at most


def small_of(picture: np.ndarray) -> np.ndarray:
    """The small version, uint8 (16, 17, 3), of a decoded picture, uint8 (height, width, channels)."""
    image = Image.fromarray(picture.squeeze()).convert("RGB")
    return np.asarray(image.resize((SMALL.width, SMALL.height), Image.Resampling.BOX))


def find_alike(pictures: Iterable[tuple[bytes, np.ndarray] | None]) -> tuple[dict[int, int], dict[int, int]]:
    """The numbers of pictures that an earlier one is byte for byte the same as, and nearly, each with the first such.

    A picture is a digest of its bytes and its small version; None is for a file that is none.
    """
    firsts, exact, numbers, smalls = dict[bytes, int](), dict[int, int](), list[int](), list[np.ndarray]()
    for number, picture in enumerate(pictures):
        if picture is None:
            continue
        digest, small = picture
        first = firsts.setdefault(digest, number)
        if first != number:
            exact[number] = first
            continue
        numbers.append(number)
        smalls.append(small)
    near = nearly_alike(np.array(smalls, np.uint8))
    return exact, {numbers[number]: numbers[first] for number, first in near.items()}


def nearly_alike(pixels: np.ndarray) -> dict[int, int]:
    """For each of small versions, uint8 (n, 16, 17, 3), that is nearly as an earlier one: the first such number.

    Faint ones are left out: there any two texts differ too little.
    """
    found: dict[int, int] = {}
    if not len(pixels):
        return found
    faint = np.ptp(pixels, axis=(1, 2, 3)) < FAINT
    hashes = _hashes(pixels)
    for band in hashes.T:
        for group in _groups(band):
            group = group[~faint[group]]
            for place, number in enumerate(group[1:], 1):
                earlier = group[:place]
                bits = np.bitwise_count(hashes[earlier] ^ hashes[number]).sum(axis=1)
                for first in earlier[bits <= DISTANCE]:
                    if first < found.get(number, number) and _difference(pixels[first], pixels[number]) <= DIFFERENCE:
                        found[int(number)] = int(first)
    return found


def _hashes(pixels: np.ndarray) -> np.ndarray:
    """Difference hashes, uint32 (n, bands): where a pixel is darker than its right neighbour, in the liveliest channel.

    Text and ground may have the same grey. The bits are shuffled, so that no band is all ground.
    """
    order = np.random.default_rng(0).permutation(BITS)
    hashes = np.empty((len(pixels), BITS // 8), np.uint8)
    for number, picture in enumerate(pixels):
        channel = picture.reshape(-1, SMALL.channels).std(axis=0).argmax()
        levels = picture[:, :, channel].astype(np.int16)
        hashes[number] = np.packbits((np.diff(levels, axis=1) > STEP).ravel()[order])
    return hashes.view(np.uint32)


def _groups(band: np.ndarray) -> Iterator[np.ndarray]:
    """The numbers of those with the same value, ascending, for each value that several have."""
    order = np.argsort(band, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(band[order])) + 1):
        if len(group) > 1:
            yield group


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one.astype(float) - other) ** 2)))
