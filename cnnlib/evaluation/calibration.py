"""What confidences mean: how well they agree with the share of texts that are right, and from where on texts are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROMISES = {"99%": 0.99, "99.9%": 0.999}  # shares of the texts that are right, for which thresholds are looked for
CERTAIN = 1e-9  # distance from 0 and 1 that a confidence keeps, so that its odds are a number
TEMPERATURES = np.geomspace(0.25, 8, 161)
DOUBT = 2.0  # nats that a temperature costs for each square of its logarithm, so that a few pictures move it little
BINS = 15  # of equal width, of the calibration error
PLACES = 500  # at which a threshold is looked for, at most
MISTAKE = 0.05  # how often a threshold may promise too much


@dataclass(frozen=True)
class Calibration:
    """What makes confidences mean something: their temperature, and the least confidence for each of `PROMISES`.

    One that too few texts tell is left out.
    """

    temperature: float
    min_confidence: dict[str, float]


@dataclass(frozen=True)
class Answered:
    """The texts whose confidence is at least `threshold`: which share of all they are, and which share is right."""

    threshold: float
    answered: float
    right: float


def tempered(confidences: np.ndarray, temperature: float) -> np.ndarray:
    """Confidences, float (...), 0 to 1, whose log-odds are divided by the temperature (Guo et al. 2017)."""
    inside = np.clip(np.asarray(confidences, np.float64), CERTAIN, 1 - CERTAIN)
    return 1 / (1 + np.exp(-np.log(inside / (1 - inside)) / temperature))


def fit_temperature(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The temperature under which the confidences of some texts tell best which of them are right; 1 without texts.

    That is by the likelihood. A few texts, or only right ones, leave it near 1.
    """

    def cost(temperature: float) -> float:
        shares = tempered(np.asarray(confidences), temperature)
        likelihoods = np.where(right, shares, 1 - shares)
        return float(DOUBT * math.log(temperature) ** 2 - np.log(likelihoods.clip(CERTAIN)).sum())

    return round(float(min(TEMPERATURES, key=cost)), 4) if len(confidences) else 1.0


def calibrate(confidences: Sequence[float], right: Sequence[bool]) -> Calibration:
    """The calibration that fits the confidences of some texts, of which these are right."""
    temperature = fit_temperature(confidences, right)
    shown = tempered(np.asarray(confidences), temperature).tolist()
    return Calibration(temperature, thresholds(shown, right))


def thresholds(confidences: Sequence[float], right: Sequence[bool]) -> dict[str, float]:
    """The threshold of each of `PROMISES` that enough texts tell."""
    found = {promise: threshold_for(confidences, right, share) for promise, share in PROMISES.items()}
    return {promise: threshold for promise, threshold in found.items() if threshold is not None}


def calibration_error(confidences: Sequence[float], right: Sequence[bool]) -> float:
    """The expected calibration error, 0 to 1: how far the confidence is from the share that is right.

    It is the mean over bins of confidence, each with the weight of its texts (Naeini et al. 2015); 0 without texts.
    """
    shares, hits = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    bins = np.minimum((shares * BINS).astype(int), BINS - 1)
    distances = np.bincount(bins, shares - hits, BINS)  # in each bin the sum, so that its weight is in it
    return float(np.abs(distances).sum() / max(1, len(shares)))


def answered(confidences: Sequence[float], right: Sequence[bool], threshold: float) -> Answered:
    """What is answered above a threshold; of no answers, all count as right."""
    kept = np.asarray(confidences) >= threshold
    hits = np.asarray(right, bool)[kept]
    return Answered(threshold, float(kept.mean()) if len(kept) else 0.0, float(hits.mean()) if len(hits) else 1.0)


def threshold_for(confidences: Sequence[float], right: Sequence[bool], share: float) -> float | None:
    """The lowest confidence from which on at least `share` of the texts are right, or None when too few texts tell.

    It holds with 95% confidence (Clopper and Pearson 1934).
    """
    order = np.argsort(-np.asarray(confidences), kind="stable")
    shares, hits = np.asarray(confidences, np.float64)[order], np.cumsum(np.asarray(right, bool)[order])
    last = np.append(np.diff(shares) < 0, True)[: len(shares)]  # of equal ones, which stand or fall together
    places, factorials = np.flatnonzero(last)[::-1], _log_factorials(len(shares))
    for place in places[:: len(places) // PLACES + 1].tolist():
        if _luck(int(hits[place]), place + 1, share, factorials) <= MISTAKE:
            return float(shares[place])
    return None


def texts_needed(share: float) -> int:
    """How many texts, all of them right, it takes to promise a share."""
    return math.ceil(math.log(MISTAKE) / math.log(share))


def _log_factorials(count: int) -> np.ndarray:
    """The logarithms of the factorials of 0 to `count`: float (count + 1,)."""
    return np.concatenate([[0.0], np.log(np.arange(1, count + 1)).cumsum()])


def _luck(right: int, count: int, share: float, factorials: np.ndarray) -> float:
    """The probability that `right` or more of `count` are right, when only a `share`, between 0 and 1, of all is.

    `factorials` are the logarithms of those up to `count` at least.
    """
    wrong = np.arange(count - right + 1)
    ways = factorials[count] - factorials[wrong] - factorials[count - wrong]
    return float(np.exp(ways + wrong * math.log1p(-share) + (count - wrong) * math.log(share)).sum())
