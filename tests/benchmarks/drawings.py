"""The pictures on the benchmarks' pages."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cnnlib.codec.images import Shape, decode_picture, to_array
from cnnlib.evaluation import plots
from tests.benchmarks.cells import accuracy, confused, how, seconds_to
from tests.benchmarks.peers import is_right
from tests.benchmarks.runs import WORK, Result

from matplotlib.axes import Axes  # isort: skip (after plots, which settles its environment)
from matplotlib.figure import Figure  # isort: skip
from matplotlib.font_manager import findfont  # isort: skip

COLOURS = ("#1f5fa8", "#d9822b", "#4c9a6a", "#8e5ea2", "#7a7a7a")
STEPS = (100, 300, 1000, 3000, 10_000)  # on the axis
READING_SIZE = (190, 76)  # pixels of a picture with its label and reading
NAMES_WIDTH = 150  # pixels of the names of sets
LOWEST = 0.05  # percent misread, drawn for anything below


def draw_curves(path: Path, found: Sequence[Result]) -> None:
    """The share misread of the verification set over steps, both logarithmic: a plot for each kind of pictures.

    Trainings that differ only in their seed are one line, their median, in a band from the best to the worst.
    """
    kinds = {kind: list(runs) for kind, runs in groupby(sorted(found, key=_pictures), _pictures)}
    names = sorted({name for runs in kinds.values() for name in _lines(runs)})
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    with plots.plain_style():
        figure = Figure(figsize=(4.2 * len(kinds), 5), layout="constrained")
        for axes, (kind, runs) in zip(
            figure.subplots(1, len(kinds), sharey=True, squeeze=False)[0], kinds.items(), strict=True
        ):
            for name, lines in _lines(runs).items():
                _draw_band(axes, name, lines, colours[name])
            axes.set(title=kind, xlabel="step", xscale="log")
            axes.set_xticks(STEPS, [f"{step:,}" for step in STEPS])
            axes.set_xticks([], minor=True)
            axes.legend(loc="lower left", fontsize=8.5, frameon=False)
        for axes in figure.axes:
            plots.scale_errors(axes, LOWEST)
        figure.axes[0].set_ylabel("pictures of the verification set misread")
        figure.savefig(path, dpi=100)


def _pictures(one: Result) -> str:
    """What is on the pictures of a training, in words."""
    kind, size, version, count = one["look"].split("-")
    characters = {"lower": "digits and small letters", "upper": "digits and capital letters"}[kind]
    return f"{characters}, {size.replace('x', '×')}\ncaptcha {version}, {int(count):,} pictures"


def _lines(runs: Sequence[Result]) -> dict[str, list[list[list[float]]]]:
    """The curves of trainings that differ only in their seed, by what they have in common, in words.

    Of the network of 2019 the longest training alone: its rate is the same throughout, so a shorter one is its start.
    """
    longest = max(one["steps"] for one in runs)
    lines: dict[str, list[list[list[float]]]] = {}
    for one in runs:
        if one["network"] == "classic":
            if one["steps"] == longest:
                lines.setdefault("network of 2019", []).append(one["curve"])
            continue
        lines.setdefault(f"{one['steps']:,} steps{how(one)}", []).append(one["curve"])
    return dict(sorted(lines.items()))


def _draw_band(axes: Axes, name: str, curves: Sequence[Sequence[Sequence[float]]], colour: str) -> None:
    steps = np.array([step for step, _ in curves[0]])
    misread = np.array([100 * (1 - np.interp(steps, *np.array(curve).T)) for curve in curves])
    low, middle, high = (np.maximum(part, LOWEST) for part in (misread.min(0), np.median(misread, 0), misread.max(0)))
    seeds = f", {len(curves)} seeds" if len(curves) > 1 else ""
    axes.plot(
        steps,
        middle,
        color=colour,
        linewidth=1.8,
        label=f"{name}{seeds}: {plots.percent(float(np.median(misread[:, -1])))}",
    )
    axes.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)


def draw_labels(path: Path, shares: Mapping[str, Mapping[str, Mapping[int, Result]]]) -> None:
    """The share misread over the number of labels, a plot a set, a line a start; bars are 95% intervals."""
    with plots.plain_style():
        figure = Figure(figsize=(2.6 * len(shares), 3.4), layout="constrained")
        for axes, (name, lines) in zip(
            figure.subplots(1, len(shares), sharey=True, squeeze=False)[0], shares.items(), strict=True
        ):
            for colour, (start, by_count) in zip(COLOURS, lines.items(), strict=False):
                if by_count:
                    _draw_labels(axes, start, by_count, colour)
            counts = sorted({count for by_count in lines.values() for count in by_count})
            axes.set(title=name, xlabel="labelled pictures", xscale="log")
            axes.set_xticks(counts, map(str, counts))
            axes.set_xticks([], minor=True)
        for axes in figure.axes:
            plots.scale_errors(axes, LOWEST)
        figure.axes[0].set_ylabel("unseen pictures misread")
        figure.axes[0].legend(loc="lower left", frameon=False)
        figure.savefig(path, dpi=100)


def _draw_labels(axes: Axes, start: str, by_count: Mapping[int, Result], colour: str) -> None:
    results = [one for _, one in sorted(by_count.items())]
    misread = np.array([100 * (1 - one["picture_accuracy"]) for one in results])
    high, low = 100 * (1 - np.array([one["interval"] for one in results]).T)
    middle = np.maximum(misread, LOWEST)
    spread = np.maximum([middle - np.maximum(low, LOWEST), high - middle], 0)
    axes.errorbar(sorted(by_count), middle, spread, marker="o", capsize=3, label=f"from {start}", color=colour)


def draw_samples(path: Path, names: Sequence[str], trained: dict[str, Result]) -> None:
    """Three pictures of each set, a row a set, after what a training on it came to."""
    folders = [WORK / "zoo" / name for name in names]
    if not all(folder.exists() for folder in folders):
        return  # unpacked on another machine; the picture drawn there stays
    told, width, height = 270, 220, 76
    sheet = Image.new("RGB", (told + 3 * width, height * len(names)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 13)
    for row, (name, folder) in enumerate(zip(names, folders, strict=True)):
        draw.multiline_text((6, row * height + 4), sample_caption(name, trained.get(name)), "black", font)
        for column, one in enumerate(sorted(folder.iterdir())[:3]):
            sheet.paste(thumbnail(one, (width - 8, height - 6)), (told + column * width, row * height))
    sheet.save(path)


def draw_readings(path: Path, found: Sequence[Result]) -> None:
    """Three pictures of each set with label and reading, two sets beside each other: green where right but for case."""
    folders = [WORK / "zoo" / one["set"] for one in found]
    if not all(folder.exists() for folder in folders):
        return  # unpacked on another machine; the picture drawn there stays
    rows, (width, height) = -(-len(found) // 2), READING_SIZE
    sheet = Image.new("RGB", (2 * (NAMES_WIDTH + 3 * width), height * rows), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.truetype(findfont("DejaVu Sans"), 12)
    for number, (one, folder) in enumerate(zip(found, folders, strict=True)):
        left, top = number // rows * (sheet.width // 2), number % rows * height
        draw.text((left + 4, top + 18), one["set"], "black", font)
        for place, reading in enumerate(one["shown"]):
            corner = (left + NAMES_WIDTH + place * width, top)
            sheet.paste(thumbnail(folder / reading["picture"], (width - 8, height - 20)), corner)
            right = is_right(one["set"], reading["label"], reading["text"])
            caption = f"{reading['label']} → {reading['text'] or '∅'}"
            draw.text((corner[0], top + height - 18), caption, COLOURS[2] if right else "#b03030", font)
    sheet.quantize(256).save(path, optimize=True)


def thumbnail(path: Path, size: tuple[int, int]) -> Image.Image:
    """A picture in RGB on white, at most as large as `size`."""
    picture = decode_picture(path.read_bytes())
    shown = Image.fromarray(to_array(picture, Shape(picture.height, picture.width, 3)))
    shown.thumbnail(size)
    return shown


def sample_caption(name: str, one: Result | None) -> str:
    if one is None:
        return f"{name}\nnot trained on yet"
    seconds = seconds_to(one, 0.95)
    reached = f"95% after {int(seconds) / 60:.1f} minutes" if seconds else "95% not reached"
    return f"{name}\n{accuracy(one)}\n{reached}\n{confused(one)}"
