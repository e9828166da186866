"""Figures as pictures: curves, box plots, confusions, and sheets of pictures with what was read."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.figure import Figure

from cnnlib.codec.images import Shape, decode_picture, to_array
from cnnlib.core.files import write_atomically
from cnnlib.evaluation.metrics import NOTHING

INK = "#1f5fa8"
PLAIN = "DejaVu Sans Mono"  # comes with matplotlib
TIME_SPANS = 60
SHEET_WIDTH = 8.0  # inches of a sheet of pictures
SHEET_CHARACTERS = 80  # of captions side by side
TALLEST = 2.0  # height of a row as a share of its cells' width, at most


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
    _save(figure, path)


def draw_times(path: Path, title: str, values_ms: Mapping[str, Sequence[float]], at_s: Sequence[float]) -> None:
    """Write a PNG of rows of milliseconds: a box for each, and the first of them over the seconds `at_s`.

    Whiskers reach the 1st and 99th percentile.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    boxes, course = figure.subplots(1, 2, width_ratios=(1, 1.4))
    boxes.boxplot(
        list(values_ms.values()),
        tick_labels=list(values_ms),
        whis=(1, 99),
        showfliers=False,
        medianprops={"color": INK},
    )
    name, first = next(iter(values_ms.items()))
    course.plot(at_s, first, ",", color=INK, alpha=0.3, rasterized=True)
    middles, medians, high = _over_time(np.array(at_s), np.array(first))
    course.plot(middles, medians, color=INK, label="median")
    course.plot(middles, high, color=INK, linestyle=":", label="99%")
    course.legend(loc="upper right")
    course.set(xlabel="seconds since the first request", ylim=(0, 1.5 * max(high)))
    figure.suptitle(title)
    boxes.set(ylabel="milliseconds", ylim=(0, None))
    course.set_title(name, fontsize="medium")
    for axes in (boxes, course):
        axes.grid(axis="y", alpha=0.3)
    _save(figure, path)


def _over_time(at_s: np.ndarray, values_ms: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Middles of equal spans of time, with the median and the 99th percentile of the values in each."""
    edges = np.linspace(0, at_s.max() + 1e-9, TIME_SPANS + 1)
    spans = np.digitize(at_s, edges) - 1
    seen = [(number, values_ms[spans == number]) for number in np.unique(spans)]
    middles = [float(edges[number : number + 2].mean()) for number, _ in seen]
    return middles, [float(np.median(some)) for _, some in seen], [float(np.percentile(some, 99)) for _, some in seen]


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
    style: dict[str, Any] = {"family": _fonts("".join(map(_shown, wanted + read))), "parse_math": False}
    axes.set_xticks(range(len(read)), map(_shown, read), **style)
    axes.set_yticks(range(len(wanted)), map(_shown, wanted), **style)
    axes.set(title=f"Most frequent confusions ({NOTHING}: none)", xlabel="read", ylabel="label")
    _save(figure, path)


def draw_sheet(
    path: Path, pictures: Sequence[bytes], captions: Sequence[str], right: Sequence[bool] | None = None
) -> None:
    """Write a PNG of encoded pictures, each over its caption, red where it is said not to be right.

    Four stand in a row, fewer where captions are long.
    """
    columns = max(1, min(4, SHEET_CHARACTERS // max(1, *(len(line) for one in captions for line in one.split("\n")))))
    rows = math.ceil(len(pictures) / columns)
    lines = max(caption.count("\n") for caption in captions) + 1
    shown = [decode_picture(data) for data in pictures]
    cell = SHEET_WIDTH / columns  # inches
    height = cell * min(TALLEST, max(picture.height / picture.width for picture in shown))
    figure = Figure(figsize=(SHEET_WIDTH, (height + 0.3 * lines) * rows), layout="constrained")
    style: dict[str, Any] = {"family": _fonts("".join(captions)), "parse_math": False, "fontsize": 11, "va": "top"}
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, picture, caption, fits in zip(
        figure.axes, shown, captions, right or [True] * len(pictures), strict=False
    ):
        axes.imshow(to_array(picture, Shape(picture.height, picture.width, 3)))
        axes.text(
            0.5, -0.08, caption, transform=axes.transAxes, ha="center", color="black" if fits else "crimson", **style
        )
    _save(figure, path)


def _shown(character: str) -> str:
    return {"": NOTHING, " ": "␣"}.get(character, character)


def _fonts(text: str) -> list[str]:
    """Font families that together draw `text`: a plain one, and one of the machine's for what it lacks."""
    families = [PLAIN]
    lacking = set(map(ord, text)) - set(_characters(font_manager.findfont(PLAIN))) - {ord("\n")}
    for font in font_manager.fontManager.ttflist if lacking else []:
        if lacking & set(_characters(font.fname)):
            families.append(font.name)
            lacking -= set(_characters(font.fname))
        if not lacking:
            break
    return families


def _characters(path: str) -> dict[int, int]:
    try:
        return font_manager.get_font(path).get_charmap()
    except (OSError, RuntimeError):  # matplotlib remembers fonts that were removed since
        return {}


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG, whole or not at all. Raises OSError naming the file."""
    content = io.BytesIO()
    with warnings.catch_warnings():  # a character that no font here draws is shown as a box
        warnings.simplefilter("ignore")
        figure.savefig(content, dpi=100, format="png")
    write_atomically(path, content.getvalue(), durable=False)
