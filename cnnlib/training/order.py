"""Which picture trains at which place, and the key of its random changes: functions of the seed and the place alone.

The places of a training are counted through all its steps. Nothing is remembered from one place to the next. So the
pictures are the same after a resume, and on any number of devices.
"""

import numpy as np

ROUNDS = 6  # of the Feistel network; from 4 on its permutations can't be told from random ones (Luby and Rackoff 1988)
ORDER, KEYS = 1, 2  # what the numbers are drawn for


def picture_numbers(places: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The numbers, below `count`, of the pictures at these places: int64 in and out.

    Each epoch has every picture once, in an order of its own, which is computed by index: a Feistel network permutes
    the next power of 4, and what falls outside is permuted again (Black and Rogaway 2002).
    """
    epochs, numbers = np.divmod(places, count)
    keys = mixed(mixed(np.uint64(seed) + np.zeros_like(epochs, np.uint64), ORDER) ^ epochs.astype(np.uint64), ORDER)
    half = max(1, (count - 1).bit_length() + 1 >> 1)  # bits
    numbers = _permuted(numbers.astype(np.uint64), keys, half)
    outside = numbers >= count
    while outside.any():
        numbers[outside] = _permuted(numbers[outside], keys[outside], half)
        outside = numbers >= count
    return numbers.astype(np.int64)


def change_keys(places: np.ndarray, seed: int) -> np.ndarray:
    """A key of the random changes at each of these places: int64 in, uint32 out."""
    return (
        mixed(mixed(np.uint64(seed) + np.zeros_like(places, np.uint64), KEYS) ^ places.astype(np.uint64), KEYS)
    ).astype(np.uint32)


def mixed(numbers: np.ndarray, salt: int) -> np.ndarray:
    """Numbers that look random, others for each `salt`: uint64 in and out, one to one (Steele et al. 2014)."""
    x = numbers + np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _permuted(numbers: np.ndarray, keys: np.ndarray, half: int) -> np.ndarray:
    """uint64 numbers of two halves of `half` bits, permuted: each round adds a function of one half to the other."""
    mask, shift = np.uint64(2**half - 1), np.uint64(half)
    left, right = numbers >> shift, numbers & mask
    for salt in range(ROUNDS):
        left, right = right, left ^ (mixed(keys ^ right, salt) & mask)
    return left << shift | right
