"""Draw curves, box plots, confusions, and sheets of pictures with what was read, as PNG files."""

import io
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.codec.images import Shape, decode_picture, to_array
from cnnlib.core.environment import import_matplotlib
from cnnlib.core.files import write_atomically
from cnnlib.evaluation.metrics import NO_CHARACTER, visible

import_matplotlib()
import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

Curve = Sequence[tuple[int, float]]  # step, value

COLOURS = ("#1f5fa8", "#d9822b", "#4c9a6a")  # told apart by colour-blind people, too
GOAL_COLOUR = "#6a6a6a"
DEFAULT_FONT = "DejaVu Sans Mono"  # comes with matplotlib
TICKS = (100, 50, 20, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)  # shares in percent, on a logarithmic axis
NONE_BELOW = 0.6  # where no error is drawn, as a multiple of the smallest value above
SMOOTHED = 10  # neighbouring values whose mean is drawn, of a curve of single batches
TIME_SPANS = 60
BARS = 25  # confusions that are drawn
SHEET_WIDTH_IN = 8.0  # inches
SHEET_CHARACTERS = 80  # that fit beside each other in a sheet's captions
CELL_HEIGHT_LIMIT = 2.0  # of a picture on a sheet, as a multiple of its cell's width


@contextmanager
def plain_style() -> Iterator[None]:
    """Matplotlib's own style in the block, whatever a matplotlibrc or the user's program says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


@plain_style()
def draw_errors(
    path: Path, title: str, curves: Mapping[str, Curve], *, front: str = "", smoothed: str = "", goal: float = 1.0
) -> None:
    """Write a PNG of picture accuracies, 0 to 1, over steps, as the share misread on a logarithmic axis.

    The last value of each curve is written beside it. The curve `front` is the thicker one. Of the curve `smoothed` the
    running mean is drawn, over its dots. `goal` is an accuracy; below 1 it is drawn as a line.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    misread = {name: [(step, 100 * (1 - share)) for step, share in curve] for name, curve in curves.items() if curve}
    goals = [100 * (1 - goal)] if goal < 1 else []
    floor = _floor([value for curve in misread.values() for _, value in curve] + goals)
    for colour, name in zip(COLOURS, curves, strict=False):
        if name in misread:
            style = {"color": colour, "linewidth": 2.6 if name == front else 1.4, "zorder": 3 if name == front else 2}
            _plot_errors(axes, name, misread[name], floor, SMOOTHED if name == smoothed else 1, style)
    for value in goals:
        axes.axhline(value, color=GOAL_COLOUR, linestyle="--", linewidth=1.2)
        text = f"goal: {percent(value)} (acc_stop {goal:g})"
        axes.annotate(text, (0, value), (4, 3), ("axes fraction", "data"), "offset points", color=GOAL_COLOUR)
    axes.set(title=title, xlabel="step", ylabel="pictures misread")
    scale_errors(axes, floor)
    _name_ends(axes, misread, floor, smoothed)
    _save(figure, path)


@plain_style()
def draw_learning_curve(path: Path, measured: Curve, forecast: Sequence[tuple[int, float, float, float]]) -> None:
    """Write a PNG of picture accuracies, 0 to 1, over numbers of labels, as the share misread; both axes logarithmic.

    `measured` are dots. `forecast` is a line in a band: labels, likely, lowest and highest accuracy.
    """
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    labels, likely, lowest, highest = (np.array(part) for part in zip(*forecast, strict=True))
    dots = [(count, 100 * (1 - share)) for count, share in measured]
    floor = _floor([*(value for _, value in dots), *(100 * (1 - highest)).tolist()])
    axes.fill_between(labels, 100 * (1 - lowest), np.maximum(100 * (1 - highest), floor), alpha=0.2, color=COLOURS[0])
    axes.plot(labels, np.maximum(100 * (1 - likely), floor), color=COLOURS[0], label="forecast, with its range")
    counts, values = zip(*dots, strict=True)
    axes.plot(counts, np.maximum(values, floor), "o", color=COLOURS[1], label="measured")
    axes.set(title="Accuracy over labels", xlabel="labels learned", ylabel="pictures misread", xscale="log")
    scale_errors(axes, floor)
    axes.legend(frameon=False)
    _save(figure, path)


def _floor(values: Sequence[float]) -> float:
    """Where on a logarithmic axis of percent no error is drawn: below the smallest of `values` that is one."""
    return NONE_BELOW * min((value for value in values if value > 1e-9), default=1.0)


def _plot_errors(
    axes: Axes, name: str, curve: list[tuple[int, float]], floor: float, span: int, style: dict[str, Any]
) -> None:
    """Plot a curve in percent; with a `span` above 1 its running mean, over its dots. It then ends with that mean."""
    steps, values = (np.array(part, float) for part in zip(*curve, strict=True))
    if span > 1:
        axes.plot(steps, np.maximum(values, floor), ".", color=style["color"], alpha=0.25, markersize=4)
        values = np.array([values[max(0, end - span) : end].mean() for end in range(1, len(values) + 1)])
        curve[-1] = (curve[-1][0], float(values[-1]))
    marker = "o" if len(curve) < 30 and span == 1 else ""
    axes.plot(steps, np.maximum(values, floor), marker=marker, markersize=4, label=name, **style)


def _name_ends(axes: Axes, misread: Mapping[str, Curve], floor: float, smoothed: str) -> None:
    """Write the name and the last value of each curve to the right of its end, one below the other."""
    low, high = axes.get_ylim()
    apart = (high / low) ** 0.11  # two lines of text, as a factor on the axis
    ends = sorted((max(curve[-1][1], floor), name) for name, curve in misread.items())
    place = 0.0
    for value, name in ends:
        place = max(value, place * apart)
        last_step, last = misread[name][-1]
        colour = next(line.get_color() for line in axes.lines if line.get_label() == name)
        text = f"{name}\n{percent(last)}" + (f", mean of {SMOOTHED}" if name == smoothed else "")
        axes.annotate(
            text,
            (1.01, place),
            xycoords=("axes fraction", "data"),
            color=colour,
            va="center",
            annotation_clip=False,
        )
        axes.plot([last_step], [value], "o", color=colour)


def scale_errors(axes: Axes, floor: float) -> None:
    """A logarithmic axis of percent with plain numbers, down to `floor`, which stands for none."""
    shown = [tick for tick in TICKS if tick > 1.4 * floor]
    axes.set(yscale="log", ylim=(0.85 * floor, 130))
    axes.set_yticks([*shown, floor], [*map(percent, shown), "none"])
    axes.set_yticks([], minor=True)
    axes.margins(x=0.02)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def percent(value: float) -> str:
    """A share in percent with the digits that count: 12%, 1.3%, 0.46%."""
    return f"{value:.0f}%" if value >= 10 or value < 1e-9 else f"{value:.2g}%"


@plain_style()
def draw_times(path: Path, title: str, values_ms: Mapping[str, Sequence[float]], at_s: Sequence[float]) -> None:
    """Write a PNG with a box plot of each named series, and the first series over the seconds `at_s`.

    Whiskers reach the 1st and 99th percentile. Median and 99th percentile are written beside each box.
    """
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    figure.suptitle(title)
    boxes, course = figure.subplots(1, 2, width_ratios=(1, 1.2))
    _plot_boxes(boxes, values_ms)
    name, first = next(iter(values_ms.items()))
    _plot_over_time(course, np.array(at_s), np.array(first))
    course.set_title(f"{name}, over the run", fontsize="medium")
    _save(figure, path)


def _plot_boxes(axes: Axes, values_ms: Mapping[str, Sequence[float]]) -> None:
    """A horizontal box of each series, the first on top, each in its colour and with its figures in words."""
    drawn = axes.boxplot(
        list(values_ms.values()),
        orientation="horizontal",
        tick_labels=list(values_ms),
        widths=0.45,
        whis=(1, 99),
        showfliers=False,
        patch_artist=True,
        medianprops={"color": "black", "linewidth": 2},
    )
    for place, (box, values) in enumerate(zip(drawn["boxes"], values_ms.values(), strict=True)):
        box.set(facecolor=COLOURS[place % len(COLOURS)], alpha=0.75)
        middle, high = np.percentile(values, (50, 99))
        text = f"half below {_milliseconds(middle)}, 99% below {_milliseconds(high)}"
        axes.annotate(text, (0.02, place + 0.62), xycoords=("axes fraction", "data"), fontsize="medium")
    axes.set(xlabel="milliseconds", xlim=(0, None), ylim=(len(values_ms) + 0.4, 0.3))
    axes.set_title("box: the middle half, whiskers: 1% to 99%", fontsize="medium")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"


def _plot_over_time(axes: Axes, at_s: np.ndarray, values_ms: np.ndarray) -> None:
    """Plot values at their times, with the median and the 99th percentile in equal spans of time."""
    axes.plot(at_s, values_ms, ",", color=COLOURS[0], alpha=0.3, rasterized=True)
    edges = np.linspace(0, at_s.max() + 1e-9, TIME_SPANS + 1)
    spans = np.digitize(at_s, edges) - 1
    occupied = np.unique(spans)
    middles = [float(edges[span : span + 2].mean()) for span in occupied]
    medians = [float(np.median(values_ms[spans == span])) for span in occupied]
    high = [float(np.percentile(values_ms[spans == span], 99)) for span in occupied]
    for line, style, words in ((high, ":", "99% are below"), (medians, "-", "half are below")):
        axes.plot(middles, line, color=COLOURS[0], linestyle=style, linewidth=2, label=words)
    axes.legend(loc="upper right", frameon=False, ncols=2)
    axes.set(xlabel="seconds since the first request", ylabel="milliseconds", ylim=(0, 1.5 * max(high)))
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


@plain_style()
def draw_confusions(path: Path, counts: Sequence[tuple[str, str, int]]) -> None:
    """Write a PNG of how often a character of labels was read as another: a bar for each pair, the longest on top.

    No character, "", is drawn as ∅. A pair that is confused both ways is one bar of two parts.
    """
    pairs = _pair_up(counts)[:BARS]
    figure = Figure(figsize=(8, 1.3 + 0.34 * max(3, len(pairs))), layout="constrained")
    axes = figure.add_subplot()
    style: dict[str, Any] = {"family": _fonts("".join(visible(a) + visible(b) for a, b, _ in counts))}
    style["parse_math"] = False
    longest = max(there + back for _, _, there, back in pairs)
    for row, (label, read, there, back) in enumerate(pairs):
        axes.barh(row, there, color=COLOURS[0], height=0.7)
        axes.barh(row, back, left=there, color=COLOURS[1], height=0.7)
        text = f"{there}×" + (f"  and {visible(read)} → {visible(label)} {back}×" if back else "")
        axes.text(there + back + longest / 80, row, text, va="center", **style)
    names = [f"{visible(label)} → {visible(read)}" for label, read, _, _ in pairs]
    axes.set_yticks(range(len(pairs)), names, **style, fontsize="x-large")
    axes.set(xlabel="times", xlim=(0, 1.35 * longest), ylim=(len(pairs) - 0.4, -0.6))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title(f"Most frequent confusions: label → prediction ({NO_CHARACTER}: none)", loc="left")
    axes.grid(axis="x", alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    _save(figure, path)


def _pair_up(counts: Sequence[tuple[str, str, int]]) -> list[tuple[str, str, int, int]]:
    """Characters with how often the first was read as the second, and the other way round; most frequent first."""
    by_pair = {(label, read): count for label, read, count in counts}
    pairs = []
    for (label, read), count in by_pair.items():
        back = by_pair.get((read, label), 0)
        if count > back or (count == back and label <= read):  # once for both ways
            pairs.append((label, read, count, back))
    return sorted(pairs, key=lambda pair: -(pair[2] + pair[3]))


@plain_style()
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
