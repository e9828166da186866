import numpy as np
import pytest

from cnnlib.evaluation.learning_curve import COVERED, Measured, forecast, forecast_fault

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


def parts(labels: int, *accuracies: float) -> list[Measured]:
    """Measurements of trainings on a quarter, a half and three quarters of so many labels, on the other ones."""
    counts = [(round(labels * share), labels - round(labels * share)) for share in (0.25, 0.5, 0.75)]
    return [Measured(count, n, round(n * (1 - share))) for (count, n), share in zip(counts, accuracies, strict=True)]


@pytest.mark.parametrize(
    ("measured", "fault"),
    [
        (parts(84, 0, 0, 0), "nearly nothing is read"),
        (parts(1000, 0.02, 0.02, 0.02), "nearly nothing is read"),
        (parts(4000, 0.01, 0.02, 0.04), "nearly nothing is read"),
        (parts(300, 0.3, 0.3, 0.3), "225 labels read hardly more than 75"),
        (parts(1000, 0.1, 0.1, 0.11), "750 labels read hardly more than 250"),
        (parts(1000, 0.3, 0.0, 0.3), "750 labels read hardly more than 250"),
        (parts(1000, 0.7, 0.5, 0.3), "750 labels read hardly more than 250"),
        (parts(1000, 0.9, 0.7, 0.5), "the accuracies are far from any curve that rises with the labels"),
    ],
)
def test_nothing_is_forecast_from_what_no_learning_curve_explains(measured: list[Measured], fault: str) -> None:
    assert forecast_fault(measured) == fault


@pytest.mark.parametrize(
    "measured",
    [
        *([Measured(count, 400, wrong) for count, wrong in stored[:3]] for stored in STORED.values()),
        [Measured(75, 225, 164), Measured(150, 150, 76), Measured(225, 75, 26)],
        parts(84, 0, 0.02, 0.1),
        parts(84, 0.3, 0.4, 0.5),
        parts(300, 0.98, 0.97, 0.96),
        parts(4000, 0.02, 0.3, 0.7),
        parts(4000, 0.95, 0.95, 0.95),
        parts(300, 1, 1, 1),
    ],
)
def test_ordinary_measurements_have_a_forecast(measured: list[Measured]) -> None:
    assert forecast_fault(measured) == ""
