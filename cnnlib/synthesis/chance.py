"""Random choices that follow from a generator of numpy alone."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

Rng = np.random.Generator
Item = TypeVar("Item")
Shares = Mapping[str, float]  # how often each kind is drawn; they need not add up to 1


def pick(rng: Rng, items: Sequence[Item]) -> Item:
    """One of the items, all equally likely. `rng.choice` would copy them into an array first."""
    return items[int(rng.integers(len(items)))]


def pick_weighted(rng: Rng, weights: Mapping[Item, float]) -> Item:
    """One of the keys, as likely as its weight says. The weights need not add up to 1."""
    place = rng.random() * sum(weights.values())
    for item, weight in weights.items():
        place -= weight
        if place < 0:
            return item
    return item


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A number from `low` to `high`. Each doubling is equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
