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
LEAST_READ = 0.05  # accuracy; below it in every training nothing shows what more labels bring
FLAT_BELOW = 0.5  # accuracy; a curve that does not rise is above it near its rest, and below it learns nothing
MISFIT = 8.0  # of a logarithmic likelihood, below that of the shares themselves; by chance once in a thousand times


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

    @property
    def standard_error(self) -> float:
        """That of the accuracy."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.pictures)


@dataclass(frozen=True)
class Forecast:
    """The accuracy that a number of labels likely gives, 0 to 1."""

    labels: int
    accuracy: float
    lowest: float
    highest: float


class _Curves:
    """Curves drawn at random, and how well each explains what was measured: `fits`, logarithmic likelihoods."""

    def __init__(self, measured: Sequence[Measured]) -> None:
        self._chance = chance = np.random.default_rng(0)
        self._fewest = min(each.labels for each in measured)
        self._rate, self._offset = (chance.uniform(low, high, CURVES) for low, high in (RATES, OFFSETS))
        self._rest, self._start = (
            np.exp(chance.uniform(math.log(low), math.log(high), CURVES)) for low, high in (RESTS, STARTS)
        )
        self.fits = np.zeros(CURVES)
        for each in measured:
            share = self.misread(each.labels, self.training())
            self.fits += each.misread * np.log(share) + (each.pictures - each.misread) * np.log1p(-share)

    def training(self) -> np.ndarray:
        """By how much the share misread by a training is off each curve, as a factor."""
        return np.exp(self._chance.normal(0, CHANCE, CURVES))

    def misread(self, count: int, factor: np.ndarray) -> np.ndarray:
        """The share misread by a training on `count` labels, which is off each curve by a factor."""
        fallen = ((count / self._fewest + self._offset) / (1 + self._offset)) ** -self._rate
        return np.minimum((self._rest + self._start * fallen) * factor, 1 - 1e-9)


def forecast(measured: Sequence[Measured], labels: Sequence[int]) -> list[Forecast]:
    """The forecast for each number of labels, the median and the range of a new training.

    It means nothing where `forecast_fault` has one.
    """
    curves = _Curves(measured)
    weights = np.exp(curves.fits - curves.fits.max())
    new = curves.training()
    return [_summed_up(count, curves.misread(count, new), weights) for count in labels]


def forecast_fault(measured: Sequence[Measured]) -> str:
    """Why nothing can be forecast from measurements in ascending order of their labels; nothing if it can."""
    first, last = measured[0], measured[-1]
    if max(each.accuracy for each in measured) < LEAST_READ:
        return "nearly nothing is read"
    chance = math.hypot(*(each.standard_error for each in (first, last)))
    if last.accuracy < FLAT_BELOW and last.accuracy - first.accuracy < chance:
        return f"{last.labels} labels read hardly more than {first.labels}"
    if sum(map(_best_fit, measured)) - _Curves(measured).fits.max() > MISFIT:
        return "the accuracies are far from any curve that rises with the labels"
    return ""


def _best_fit(measured: Measured) -> float:
    """The logarithmic likelihood that a measurement has by its own share, the largest of all."""
    parts = measured.misread, measured.pictures - measured.misread
    return sum(part * math.log(part / measured.pictures) for part in parts if part)


def _summed_up(labels: int, misread: np.ndarray, weights: np.ndarray) -> Forecast:
    order = np.argsort(misread)
    reached = np.cumsum(weights[order]) / weights.sum()
    tail = (1 - COVERED) / 2
    low, middle, high = (float(misread[order[np.searchsorted(reached, share)]]) for share in (tail, 0.5, 1 - tail))
    return Forecast(labels, 1 - middle, 1 - high, 1 - low)
