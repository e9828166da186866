"""Which pictures are nearly alike, as when one was compressed or resized again.

Captchas of one generator look alike, so the bounds are tight. A difference hash finds candidates, and small versions of
the pictures are compared. Plain text on a wide ground changes few of their pixels, so the one that differs most counts
as well as all of them. Of 22,400 pictures of eleven generators no two passed for the same.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from cnnlib.codec.images import Shape, to_array

SMALL = Shape(16, 17, channels=3, resize=True)  # the version that is hashed and compared
BITS = SMALL.height * (SMALL.width - 1)
STEP = 8  # grey levels from a pixel to its right neighbour, above which it counts as brighter
BANDS = 8  # of a hash; two hashes that differ in fewer bits agree in a whole band
DISTANCE = BANDS - 1  # differing bits, at most
FAINT = 40  # grey levels from the darkest to the brightest, below which a picture is compared byte for byte only
DIFFERENCE = 7.0  # root of the mean squared difference of the small versions in grey levels, at most
PLACE_DIFFERENCE = 0.13  # of the pixel that differs most, as a share of the contrast, at most
PROBES = 32  # pixels of a small version that are compared before all others
COMPARED = 256  # small versions that are compared with one at a time


def small_of(picture: np.ndarray) -> np.ndarray:
    """The small version, uint8 (16, 17, 3), of a decoded picture, uint8 (height, width, channels).

    It is the one that `open_picture` gives of its file.
    """
    return to_array(Image.fromarray(picture.squeeze()), SMALL)


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
    clear = np.ptp(pixels, axis=(1, 2, 3)) >= FAINT
    probes, most = _probes(pixels), PLACE_DIFFERENCE * _contrasts(pixels)
    for number, candidates in _candidates(_hashes(pixels), clear):
        candidates = candidates[candidates < found.get(number, number)]
        likely = (np.abs(probes[candidates] - probes[number]) <= most[number]).all(axis=1)
        first = _first_alike(pixels, number, candidates[likely])
        if first is not None:
            found[number] = first
    return found


def _candidates(hashes: np.ndarray, clear: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers, each with earlier ones whose hashes differ in few bits, ascending. A pair comes once.

    `hashes` are those of `_hashes`. Only where `clear`, bool (n,), a number counts.
    """
    for band, values in enumerate(hashes.T):
        for group in _groups(values):
            group = group[clear[group]]
            words = hashes[group].view(np.uint64).T.copy()  # few words with many columns add up fast
            for place in range(1, len(group)):
                bits = np.bitwise_count(words[:, :place] ^ words[:, place, np.newaxis]).sum(axis=0)
                near, number = group[:place][bits <= DISTANCE], group[place]
                is_new = (hashes[near, :band] != hashes[number, :band]).all(axis=1)
                yield int(number), near[is_new]


def _probes(pixels: np.ndarray) -> np.ndarray:
    """The grey of some pixels of small versions, float (n, probes): of those that tell most pictures apart."""
    greys = pixels.mean(axis=3, dtype=np.float32).reshape(len(pixels), -1)
    return greys[:, np.argsort(greys.std(axis=0))[-PROBES:]]


def _first_alike(pixels: np.ndarray, number: int, candidates: np.ndarray) -> int | None:
    """The first of the candidates, int64 (n,), whose small version is nearly that of the number."""
    for start in range(0, len(candidates), COMPARED):
        some = candidates[start : start + COMPARED]
        some = some[_differences(pixels[some], pixels[number]) <= DIFFERENCE]
        some = some[_place_differences(pixels[some], pixels[number]) <= PLACE_DIFFERENCE]
        if len(some):
            return int(some[0])
    return None


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


def _differences(some: np.ndarray, one: np.ndarray) -> np.ndarray:
    """How far small versions, uint8 (n, 16, 17, 3), are from one on the whole: float32 (n,), in grey levels."""
    distances = (some.astype(np.float32) - one).reshape(len(some), -1)
    return np.sqrt(np.einsum("np,np->n", distances, distances) / one.size)


def _place_differences(some: np.ndarray, one: np.ndarray) -> np.ndarray:
    """How far small versions are from one where they differ most: float (n,), a share of the lower contrast."""
    most = np.abs(some.astype(np.int16) - one).mean(axis=3).max(axis=(1, 2))
    return most / np.minimum(_contrasts(some), _contrasts(one[np.newaxis]))


def _contrasts(pixels: np.ndarray) -> np.ndarray:
    """Grey levels from the darkest to the brightest of small versions: float (n,), the mean of the channels."""
    return np.ptp(pixels, axis=(1, 2)).mean(axis=1)
