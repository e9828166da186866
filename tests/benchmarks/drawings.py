"""The pictures on the benchmarks' pages."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from cnnlib.codec.images import Shape, decode_picture, to_array
from tests.benchmarks.cells import accuracy, confused, seconds_to
from tests.benchmarks.runs import WORK, Result


def draw_curves(path: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Errors on the verification set over steps, on a logarithmic scale."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.add_subplot()
    colours = matplotlib.cycler(color=matplotlib.colormaps["tab10"].colors)
    axes.set_prop_cycle(matplotlib.cycler(linestyle=["-", "--", ":"]) * colours)  # no two lines alike
    for name, curve in curves.items():
        axes.plot([step for step, _ in curve], [100 * max(1 - share, 5e-4) for _, share in curve], label=name)
    axes.set(xlabel="step", ylabel="verification pictures misread, %", yscale="log", ylim=(0.05, 110))
    axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside lower center", ncols=2, fontsize=7)  # over no curve
    figure.savefig(path, dpi=100)


def draw_labels(path: Path, shares: Mapping[str, Mapping[str, Mapping[int, Result]]]) -> None:
    """Accuracy over the number of labels, a plot a set, a line a start; bars are 95% intervals."""
    figure = Figure(figsize=(2.6 * len(shares), 3.2), layout="constrained")
    plots = figure.subplots(1, len(shares), sharey=True, squeeze=False)[0]
    for axes, (name, lines) in zip(plots, shares.items(), strict=True):
        for start, by_count in lines.items():
            found = sorted(by_count.items())
            if not found:
                continue
            middle = np.array([one["picture_accuracy"] for _, one in found])
            low, high = np.array([one["interval"] for _, one in found]).T
            spread = 100 * np.array((middle - low, high - middle))
            axes.errorbar([count for count, _ in found], 100 * middle, spread, marker="o", capsize=3, label=start)
        axes.set(title=name, xlabel="labelled pictures", ylim=(0, 101))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("unseen pictures read right, %")
    figure.axes[0].legend(loc="lower right")
    figure.savefig(path, dpi=100)


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
            picture = decode_picture(one.read_bytes())
            shown = Image.fromarray(to_array(picture, Shape(picture.height, picture.width, 3)))
            shown.thumbnail((width - 8, height - 6))
            sheet.paste(shown, (told + column * width, row * height))
    sheet.save(path)


def sample_caption(name: str, one: Result | None) -> str:
    if one is None:
        return f"{name}\nnot trained on yet"
    seconds = seconds_to(one, 0.95)
    reached = f"95% after {int(seconds) / 60:.1f} minutes" if seconds else "95% not reached"
    return f"{name}\n{accuracy(one)}\n{reached}\n{confused(one)}"
