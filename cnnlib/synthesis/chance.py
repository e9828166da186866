"""Random choices that follow from a generator of numpy alone."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
Item = TypeVar("Item")


def pick(rng: Rng, items: Sequence[Item]) -> Item:
    """One of the items, all equally likely. `rng.choice` would copy them into an array first."""
    return items[int(rng.integers(len(items)))]


def pick_weighted(rng: Rng, weights: Mapping[Item, float]) -> Item:
    """One of the keys, as likely as its weight says. The weights need not add up to 1."""
    sums = np.cumsum([*weights.values()])
    place = int(np.searchsorted(sums, rng.random() * sums[-1], side="right"))
    return [*weights][min(place, len(sums) - 1)]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number from `low` to `high`. Each doubling is equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
