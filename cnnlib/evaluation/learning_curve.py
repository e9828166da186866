"""How many errors more labels leave: a learning curve through a few measurements, with its uncertainty.

The share misread falls as a power of the number of labels, towards a rest that no label takes away:
`rest + scale * (labels + offset) ** -rate`. This is POW4, which fits most learning curves best (Viering and Loog 2021).
Three measurements do not determine its four numbers. So many curves are drawn, and each counts by how well it explains
what was measured, as Domhan et al. (2015) do. A measurement on few pictures says little, and the forecast is wide then.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CURVES = 300_000  # that are drawn; some hundreds of them explain three measurements
RATES = (0.3, 2.0)  # exponents, evenly
RESTS = (1e-4, 0.05)  # shares misread with endless labels, evenly on a logarithmic scale
STARTS = (1e-3, 1.0)  # shares misread beyond the rest at the fewest labels, likewise
OFFSETS = (0.0, 1.0)  # as a multiple of the fewest labels, evenly
CHANCE = 0.2  # standard deviation of the logarithm of the share misread from one training to the next
COVERED = 0.9  # probability of a forecast's range


@dataclass(frozen=True)
class Measured:
    """What a training on some labels read of other pictures."""

    labels: int
    pictures: int
    misread: int

    @property
    def accuracy(self) -> float:
        """The share that was read right."""
        return 1 - self.misread / self.pictures


@dataclass(frozen=True)
class Forecast:
    """The accuracy that a number of labels likely gives, 0 to 1."""

    labels: int
    accuracy: float
    lowest: float
    highest: float


def forecast(measured: Sequence[Measured], labels: Sequence[int]) -> list[Forecast]:
    """The forecast for each number of labels, the median and the range of a new training."""
    chance = np.random.default_rng(0)
    fewest = min(each.labels for each in measured)
    rate, offset = (chance.uniform(low, high, CURVES) for low, high in (RATES, OFFSETS))
    rest, start = (np.exp(chance.uniform(math.log(low), math.log(high), CURVES)) for low, high in (RESTS, STARTS))

    def training() -> np.ndarray:
        """By how much the share misread by a training is off each curve, as a factor."""
        return np.exp(chance.normal(0, CHANCE, CURVES))

    def misread(count: int, factor: np.ndarray) -> np.ndarray:
        fallen = ((count / fewest + offset) / (1 + offset)) ** -rate
        return np.minimum((rest + start * fallen) * factor, 1 - 1e-9)

    weights = np.zeros(CURVES)
    for each in measured:
        share = misread(each.labels, training())
        weights += each.misread * np.log(share) + (each.pictures - each.misread) * np.log1p(-share)
    weights = np.exp(weights - weights.max())
    new = training()
    return [_summed_up(count, misread(count, new), weights) for count in labels]


def _summed_up(labels: int, misread: np.ndarray, weights: np.ndarray) -> Forecast:
    order = np.argsort(misread)
    reached = np.cumsum(weights[order]) / weights.sum()
    tail = (1 - COVERED) / 2
    low, middle, high = (float(misread[order[np.searchsorted(reached, share)]]) for share in (tail, 0.5, 1 - tail))
    return Forecast(labels, 1 - middle, 1 - high, 1 - low)
