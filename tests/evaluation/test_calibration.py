import numpy as np
import pytest

from cnnlib.evaluation import calibration
from cnnlib.evaluation.calibration import (
    answered,
    calibrate,
    calibration_error,
    fit_temperature,
    tempered,
    texts_needed,
    threshold_for,
)

CHANCE = np.random.default_rng(0)
SHARES = 1 / (1 + np.exp(-CHANCE.normal(3, 2, 4000)))  # the true probabilities of some texts
RIGHT = (CHANCE.random(4000) < SHARES).tolist()


def too_sure(temperature: float) -> np.ndarray:
    return tempered(SHARES, 1 / temperature)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_temperature_of_confidences_is_found(temperature: float) -> None:
    assert fit_temperature(too_sure(temperature).tolist(), RIGHT) == pytest.approx(temperature, rel=0.1)


def test_temperature_makes_the_calibration_error_small() -> None:
    confidences = too_sure(3)
    assert calibration_error(confidences.tolist(), RIGHT) > 0.05
    assert (
        calibration_error(tempered(confidences, calibrate(confidences.tolist(), RIGHT).temperature).tolist(), RIGHT)
        < 0.02
    )


def test_few_or_only_right_texts_move_the_temperature_little() -> None:
    assert fit_temperature([], []) == 1
    assert 0.5 < fit_temperature([0.9] * 5, [True] * 5) <= 1
    assert 1 <= fit_temperature([0.99], [False]) < 4


def test_certain_confidences_stay_numbers() -> None:
    assert tempered(np.array([0.0, 0.5, 1.0]), 2.0) == pytest.approx([3.2e-5, 0.5, 1 - 3.2e-5], rel=0.02)
    assert np.isfinite(fit_temperature([1.0, 1.0, 0.0], [True, False, True]))


def test_calibration_error_is_the_mean_distance_over_the_bins() -> None:
    assert calibration_error([0.9] * 10, [True] * 9 + [False]) == pytest.approx(0)
    assert calibration_error([1.0] * 4, [True, True, False, False]) == pytest.approx(0.5)
    assert calibration_error([0.2, 0.9], [True, True]) == pytest.approx(0.45), "distances of two bins do not cancel"
    assert calibration_error([], []) == 0


def test_answers_above_a_threshold_are_counted() -> None:
    found = answered([0.2, 0.8, 0.8, 0.9], [False, False, True, True], 0.8)
    assert (found.answered, found.right) == (0.75, pytest.approx(2 / 3))
    assert (answered([0.2], [True], 0.5).answered, answered([0.2], [True], 0.5).right) == (0, 1)


@pytest.mark.parametrize(("share", "needed"), [(0.99, 299), (0.999, 2995)])
def test_promise_takes_enough_right_texts(share: float, needed: int) -> None:
    confidences = np.linspace(0.5, 1, needed)
    assert texts_needed(share) == needed
    assert threshold_for(confidences.tolist(), [True] * needed, share) == 0.5
    assert threshold_for(confidences[1:].tolist(), [True] * (needed - 1), share) is None
    assert threshold_for([], [], share) is None


def test_threshold_is_the_lowest_that_holds() -> None:
    confidences = [0.9] * 1000 + [0.6] * 1000
    assert threshold_for(confidences, [True] * 2000, 0.99) == 0.6
    assert threshold_for(confidences, [True] * 1900 + [False] * 100, 0.99) == 0.9
    assert threshold_for([0.9] * 300, [True] * 299 + [False], 0.99) is None, "equal confidences stand or fall together"


def test_factorials_are_computed_once_for_all_places(monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    compute = calibration._log_factorials
    monkeypatch.setattr(calibration, "_log_factorials", lambda count: counts.append(count) or compute(count))
    assert threshold_for(np.linspace(0, 1, 3000).tolist(), [False] * 2000 + [True] * 1000, 0.99) is not None
    assert counts == [3000]


def test_promise_is_kept_on_other_texts() -> None:
    """In 20 draws of 2,000 texts, the share promised with 95% confidence is missed twice at most, as luck allows."""
    missed = 0
    for seed in range(20):
        chance = np.random.default_rng(seed)
        shares = 1 / (1 + np.exp(-chance.normal(5, 2, 2000)))
        threshold = threshold_for(shares.tolist(), (chance.random(2000) < shares).tolist(), 0.99)
        others = 1 / (1 + np.exp(-chance.normal(5, 2, 100_000)))
        missed += threshold is not None and others[others >= threshold].mean() < 0.99
    assert missed <= 2
