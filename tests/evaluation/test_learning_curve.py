import numpy as np
import pytest

from cnnlib.evaluation.learning_curve import COVERED, Measured, forecast

# Labels and misread pictures of 400 in docs/benchmarks/few_labels.md, from the general model, and in zoo.md.
STORED = {
    "easycaptcha_mixed": ((194, 69), (481, 23), (964, 5), (1717, 3)),
    "patchca": ((189, 4), (473, 3), (951, 1), (1139, 2)),
    "pycapt": ((198, 18), (481, 8), (953, 4), (1711, 3)),
    "skewpassimage": ((188, 29), (473, 14), (944, 6), (1135, 7)),
}


@pytest.mark.parametrize("name", STORED)
def test_last_of_four_real_trainings_is_forecast_by_the_first_three(name: str) -> None:
    *first, (labels, misread) = STORED[name]
    (found,) = forecast([Measured(count, 400, wrong) for count, wrong in first], [labels])
    assert found.lowest <= 1 - misread / 400 <= found.highest
    assert abs(found.accuracy - (1 - misread / 400)) < 0.015


def test_range_holds_the_truth_as_often_as_it_says() -> None:
    chance, held = np.random.default_rng(1), 0
    for _ in range(60):
        rate, rest, start = chance.uniform(0.5, 1.5), chance.uniform(0.001, 0.02), chance.uniform(0.05, 0.4)
        truth = {count: rest + start * (count / 100) ** -rate for count in (100, 200, 300, 1500)}
        measured = [
            Measured(count, 400 - count, int(chance.binomial(400 - count, truth[count]))) for count in (100, 200, 300)
        ]
        (found,) = forecast(measured, [1500])
        held += found.lowest <= 1 - truth[1500] <= found.highest
    assert held >= 60 * (COVERED - 0.12)


def test_more_labels_never_make_it_worse_and_few_pictures_make_it_wide() -> None:
    sure = forecast([Measured(100, 3000, 600), Measured(200, 3000, 300)], [200, 400, 1600])
    assert [each.accuracy for each in sure] == sorted(each.accuracy for each in sure)
    widths = []
    for pictures in (10, 30, 100, 3000):
        (found,) = forecast([Measured(100, pictures, pictures // 5), Measured(200, pictures, pictures // 10)], [400])
        widths.append(found.highest - found.lowest)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[-1]
    assert widths[1] > 1.3 * widths[-1]


def test_no_error_is_no_promise_of_perfection() -> None:
    (found,) = forecast([Measured(100, 100, 0), Measured(200, 100, 0)], [200])
    assert 0.97 < found.lowest < found.accuracy < found.highest < 1


def test_a_forecast_is_the_same_each_time() -> None:
    measured = [Measured(100, 300, 60), Measured(200, 200, 20)]
    assert forecast(measured, [400]) == forecast(measured, [400])


def test_forecast_rises_with_the_labels_without_jumps() -> None:
    measured = [Measured(75, 225, 164), Measured(150, 150, 76), Measured(225, 75, 26)]
    found = forecast(measured, [*range(270, 1300, 50)])
    for figure in ("lowest", "accuracy", "highest"):
        shares = [getattr(each, figure) for each in found]
        assert shares == sorted(shares), figure
