"""The page on forecasts of what more labels bring."""

from collections.abc import Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.forecast import LABELS, MORE_LABELS
from tests.benchmarks.runs import Result

TITLES = ("set", "labels learned", "forecast", "range", "read right then", "off by, points", "in the range", "commit")


def forecast_text(head: str, found: Sequence[Result]) -> str:
    """The page, from the results of some sets."""
    held = sum(map(_holds, found))
    return (
        "# Forecasts of what more labels bring\n\n"
        + head
        + f"`train_model.py --forecast` gets {LABELS} labels of a set. It trains on 100, 200 and 300 of them and reads "
        f"the others. Then a training learns 95% of {MORE_LABELS:,} labels and reads 400 unseen pictures.\n\n"
        + table(TITLES, map(_cells, found))
        + f"\nThe range holds what was read right in {held} of {len(found)} sets.\n\n"
        f"Machine: {', '.join(sorted({one['machine'] for one in found}))}.\n"
    )


def _holds(one: Result) -> bool:
    low, high = one["range"]
    return bool(low <= one["picture_accuracy"] <= high)


def _cells(one: Result) -> list[str]:
    low, high = one["range"]
    distance = 100 * abs(one["forecast"] - one["picture_accuracy"])
    figures = [
        f"{one['forecast']:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{one['picture_accuracy']:.1%}",
        f"{distance:.1f}",
    ]
    return [one["set"], f"{one['labels']:,}", *figures, "yes" if _holds(one) else "no", one["commit"]]
