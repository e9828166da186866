"""Figures as pictures: curves and box plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
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


def draw_confusions(path: Path, counts: Sequence[tuple[str, str, int]]) -> None:
    """Write a PNG of how often a character (rows) was read as another (columns); "" for none is drawn as ∅."""
    wanted, read = sorted({a for a, _, _ in counts}), sorted({b for _, b, _ in counts})
    figure = Figure(figsize=(2 + 0.32 * max(12, len(read)), 1.5 + 0.32 * max(6, len(wanted))), layout="constrained")
    axes = figure.add_subplot()
    table = np.zeros((len(wanted), len(read)))
    for a, b, count in counts:
        table[wanted.index(a), read.index(b)] = count
        axes.text(read.index(b), wanted.index(a), str(count), ha="center", va="center")
    axes.imshow(table, cmap="Blues", vmin=0, vmax=2 * table.max())
    axes.set_xticks(range(len(read)), [one or "∅" for one in read])
    axes.set_yticks(range(len(wanted)), [one or "∅" for one in wanted])
    axes.set(title="Most frequent confusions (∅: none)", xlabel="read", ylabel="label")
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
