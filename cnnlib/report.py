"""Figures as pictures: curves and box plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from cnnlib.pictures import decode_picture

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


def draw_sheet(path: Path, pictures: Sequence[bytes], captions: Sequence[str], right: Sequence[bool]) -> None:
    """Write a PNG of encoded pictures, four in a row, each over its caption, red where it is not right."""
    rows = -(-len(pictures) // 4)
    figure = Figure(figsize=(8, 1.6 * rows), layout="constrained")
    for axes in figure.subplots(rows, 4, squeeze=False).flat:
        axes.set_axis_off()
    for axes, data, caption, fits in zip(figure.axes, pictures, captions, right, strict=False):
        axes.imshow(decode_picture(data).convert("RGB"))
        axes.set_title(caption, y=-0.28, fontsize=11, family="monospace", color="black" if fits else "crimson")
    figure.savefig(path, dpi=100)
