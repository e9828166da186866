"""Figures as pictures: curves and box plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

INK = "#1f5fa8"


def draw_curve(path: Path, title: str, points: Sequence[tuple[int, float]]) -> None:
    """Write a PNG of a picture accuracy, 0 to 1, over steps."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [step for step, _ in points],
        [100 * share for _, share in points],
        color=INK,
        marker="." if len(points) < 60 else "",
    )
    axes.set(title=title, xlabel="step", ylabel="picture accuracy, %", ylim=(-2, 102))
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=100)


def draw_boxes(path: Path, title: str, values_ms: Mapping[str, Sequence[float]]) -> None:
    """Write a PNG of a box plot for each named row of milliseconds; whiskers reach the 1st and 99th percentile."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.boxplot(
        list(values_ms.values()),
        tick_labels=list(values_ms),
        whis=(1, 99),
        showfliers=False,
        medianprops={"color": INK},
    )
    axes.set(title=title, ylabel="milliseconds", ylim=(0, None))
    axes.grid(axis="y", alpha=0.3)
    figure.savefig(path, dpi=100)
