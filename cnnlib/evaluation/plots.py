"""Draw curves, box plots, confusions, and sheets of pictures with what was read, as PNG files."""

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cnnlib.codec.images import Shape, decode_picture, to_array
from cnnlib.core.files import write_atomically
from cnnlib.evaluation.metrics import NO_CHARACTER

LINE_COLOUR = "#1f5fa8"
DEFAULT_FONT = "DejaVu Sans Mono"  # comes with matplotlib
TIME_SPANS = 60
SHEET_WIDTH_IN = 8.0  # inches
SHEET_CHARACTERS = 80  # that fit beside each other in a sheet's captions
CELL_HEIGHT_LIMIT = 2.0  # of a picture on a sheet, as a multiple of its cell's width


def draw_curve(path: Path, title: str, points: Sequence[tuple[int, float]]) -> None:
    """Write a PNG of a picture accuracy, 0 to 1, over steps."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(
        [step for step, _ in points],
        [100 * share for _, share in points],
        color=LINE_COLOUR,
        marker="." if len(points) < 60 else "",
    )
    axes.set(title=title, xlabel="step", ylabel="picture accuracy, %", ylim=(-2, 102))
    axes.grid(alpha=0.3)
    _save(figure, path)


def draw_times(path: Path, title: str, values_ms: Mapping[str, Sequence[float]], at_s: Sequence[float]) -> None:
    """Write a PNG with a box plot of each named series, and the first series over the seconds `at_s`.

    Whiskers reach the 1st and 99th percentile.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(title)
    boxes, course = figure.subplots(1, 2, width_ratios=(1, 1.4))
    boxes.boxplot(
        list(values_ms.values()),
        tick_labels=list(values_ms),
        whis=(1, 99),
        showfliers=False,
        medianprops={"color": LINE_COLOUR},
    )
    boxes.set(ylabel="milliseconds", ylim=(0, None))
    name, first = next(iter(values_ms.items()))
    _plot_over_time(course, np.array(at_s), np.array(first))
    course.set_title(name, fontsize="medium")
    for axes in (boxes, course):
        axes.grid(axis="y", alpha=0.3)
    _save(figure, path)


def _plot_over_time(axes: Axes, at_s: np.ndarray, values_ms: np.ndarray) -> None:
    """Plot values at their times, with the median and the 99th percentile in equal spans of time."""
    axes.plot(at_s, values_ms, ",", color=LINE_COLOUR, alpha=0.3, rasterized=True)
    edges = np.linspace(0, at_s.max() + 1e-9, TIME_SPANS + 1)
    spans = np.digitize(at_s, edges) - 1
    occupied = np.unique(spans)
    middles = [float(edges[span : span + 2].mean()) for span in occupied]
    medians = [float(np.median(values_ms[spans == span])) for span in occupied]
    high = [float(np.percentile(values_ms[spans == span], 99)) for span in occupied]
    axes.plot(middles, medians, color=LINE_COLOUR, label="median")
    axes.plot(middles, high, color=LINE_COLOUR, linestyle=":", label="99%")
    axes.legend(loc="upper right")
    axes.set(xlabel="seconds since the first request", ylim=(0, 1.5 * max(high)))


def draw_confusions(path: Path, counts: Sequence[tuple[str, str, int]]) -> None:
    """Write a PNG of how often a character of labels (rows) was read as another (columns). "" is drawn as ∅."""
    rows, columns = sorted({a for a, _, _ in counts}), sorted({b for _, b, _ in counts})
    figure = Figure(figsize=(2 + 0.32 * max(12, len(columns)), 1.5 + 0.32 * max(6, len(rows))), layout="constrained")
    axes = figure.add_subplot()
    table = np.zeros((len(rows), len(columns)))
    for a, b, count in counts:
        table[rows.index(a), columns.index(b)] = count
        axes.text(columns.index(b), rows.index(a), str(count), ha="center", va="center")
    axes.imshow(table, cmap="Blues", vmin=0, vmax=2 * table.max())
    style: dict[str, Any] = {"family": _fonts("".join(map(_visible, rows + columns))), "parse_math": False}
    axes.set_xticks(range(len(columns)), map(_visible, columns), **style)
    axes.set_yticks(range(len(rows)), map(_visible, rows), **style)
    axes.set(title=f"Most frequent confusions ({NO_CHARACTER}: none)", xlabel="prediction", ylabel="label")
    _save(figure, path)


def draw_sheet(
    path: Path, pictures: Sequence[bytes], captions: Sequence[str], right: Sequence[bool] | None = None
) -> None:
    """Write a PNG of encoded pictures, each above its caption. A caption is red if its picture is not `right`.

    A row has four pictures, or fewer when captions are long.
    """
    longest = max(len(line) for caption in captions for line in caption.split("\n"))
    columns = max(1, min(4, SHEET_CHARACTERS // max(1, longest)))
    rows = math.ceil(len(pictures) / columns)
    lines = max(caption.count("\n") for caption in captions) + 1
    decoded = [decode_picture(data) for data in pictures]
    cell_width = SHEET_WIDTH_IN / columns
    cell_height = cell_width * min(CELL_HEIGHT_LIMIT, max(picture.height / picture.width for picture in decoded))
    figure = Figure(figsize=(SHEET_WIDTH_IN, (cell_height + 0.3 * lines) * rows), layout="constrained")
    style: dict[str, Any] = {"family": _fonts("".join(captions)), "parse_math": False, "fontsize": 11, "va": "top"}
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    colours = ["black" if is_right else "crimson" for is_right in right or [True] * len(pictures)]
    for axes, picture, caption, colour in zip(figure.axes, decoded, captions, colours, strict=False):
        axes.imshow(to_array(picture, Shape(picture.height, picture.width, 3)))
        axes.text(0.5, -0.08, caption, transform=axes.transAxes, ha="center", color=colour, **style)
    _save(figure, path)


def _visible(character: str) -> str:
    return {"": NO_CHARACTER, " ": "␣"}.get(character, character)


def _fonts(text: str) -> list[str]:
    """Font families that together draw `text`: the default one, and others of this machine for what it lacks."""
    families = [DEFAULT_FONT]
    missing = set(map(ord, text)) - set(_characters(font_manager.findfont(DEFAULT_FONT))) - {ord("\n")}
    for font in font_manager.fontManager.ttflist if missing else []:
        if missing & set(_characters(font.fname)):
            families.append(font.name)
            missing -= set(_characters(font.fname))
        if not missing:
            break
    return families


def _characters(path: str) -> dict[int, int]:
    """Glyph numbers by code point of a font file, empty when it can't be read."""
    try:
        return font_manager.get_font(path).get_charmap()
    except (OSError, RuntimeError):  # matplotlib's list of fonts may name deleted files
        return {}


def _save(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG atomically. Raises OSError that names the file."""
    content = io.BytesIO()
    with warnings.catch_warnings():  # a character that no font has is drawn as a box
        warnings.simplefilter("ignore")
        figure.savefig(content, dpi=100, format="png")
    write_atomically(path, content.getvalue(), durable=False)
