"""The pages and pictures that tell the stored results: docs/statistics.md, docs/zoo.md, docs/few_labels.md and
docs/service.md.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from cnnlib.config import PROJECT_ROOT
from cnnlib.pictures import Shape, decode_picture, to_array
from tests.benchmarks.runs import RESULTS, WORK, Result
from tests.benchmarks.service_page import service_rows

DOCS = PROJECT_ROOT / "docs"
GENERAL = ("picture_accuracy", "case_ignored", "alphabet_known")  # what is told of the general model
HEAD = "Written by the benchmarks from `tests/benchmarks/results/`; run them again to change this page.\n\n"


def results(prefix: str) -> list[Result]:
    """Stored results whose name starts so, by name."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob(f"{prefix}*.json"))]


def write_pages() -> None:
    """Write every page for which there are results."""
    headline = results("lower-") + results("upper-")
    if headline:
        write_statistics(headline)
    if results("zoo-") or results("general-"):
        write_zoo(results("zoo-"), results("general-"))
    if results("labels-"):
        write_labels(results("labels-"))
    if results("service-"):
        write_service({one["name"].removeprefix("service-"): one for one in results("service-")})


def write_statistics(found: Sequence[Result]) -> None:
    rows = [
        (
            one["look"],
            one["network"] + ("" if one["warm_start"] else ", from random weights"),
            f"{one['steps']:,}",
            one["seed"],
            accuracy(one),
            f"{one['seconds'] / 60:.1f}",
            seconds_to(one, 0.98),
            f"{one['pictures_per_s']:.0f}",
            rate(one),
            confused(one),
        )
        for one in found
    ]
    titles = (
        "pictures",
        "network",
        "steps",
        "seed",
        "unseen pictures read right (95% interval)",
        "minutes",
        "seconds to 98%",
        "pictures/s",
        "GFLOP/s, of the machine's",
        "confused",
    )
    draw_curves(DOCS / "statistics.png", {one["name"]: one["curve"] for one in found})
    text = (
        "# Accuracy and speed on captchas of the `captcha` library\n\n"
        + HEAD
        + "19 of 20 pictures are for training, 5% of those for verification; "
        "5,000 unseen pictures are drawn with another seed after the first training. Trainings start from the shipped "
        "general model, which saw none of these pictures, unless the table says otherwise. Pictures: alphabet, size, "
        "version of "
        "`captcha`, number. Seconds to 98%: until the verification set was first measured at 98% or more.\n\n"
        + table(titles, rows)
        + "\n![Verification accuracy over steps](statistics.png)\n\n"
        + "".join(map(pipeline, results("speed")))
        + machines(found)
    )
    (DOCS / "statistics.md").write_text(text, encoding="utf-8")


def write_zoo(trained: Sequence[Result], untrained: Sequence[Result]) -> None:
    by_set = {one["set"]: one for one in trained}
    rows = [
        (one["set"], *(f"{one[key]:.1%}" for key in GENERAL), *training_cells(by_set.get(one["set"])))
        for one in untrained
    ]
    titles = (
        "set",
        "general model alone",
        "case ignored",
        "alphabet known",
        "training pictures",
        "steps",
        "trained (95% interval)",
        "minutes",
        "seconds to 95%",
        "confused",
    )
    draw_samples(DOCS / "zoo.png", [one["set"] for one in untrained], by_set)
    text = (
        "# Accuracy on pictures of real generators\n\n"
        + HEAD
        + "The same 400 pictures of each set are read, first by the shipped general model, which saw none of these "
        "generators, as it is: exactly, with upper and lower case taken for the same, and with the set's alphabet as "
        "`char_set`. Then with the default recipe: `verify_and_split_data.py --write-config` proposes the config, "
        "`train_model.py` trains on all the other pictures. Minutes are "
        "those of the steps. No seconds: 95% of the verification pictures were never reached.\n\n"
        + table(titles, rows)
        + "\n![Three pictures of each set](zoo.png)\n\n"
        + (machines(trained) if trained else "")
    )
    (DOCS / "zoo.md").write_text(text, encoding="utf-8")


def training_cells(one: Result | None) -> tuple[Any, ...]:
    """The cells of a training, empty where it was not run."""
    if one is None:
        return ("",) * 6
    minutes = f"{one['seconds'] / 60:.1f}"
    return one["training_pictures"], one["step"], accuracy(one), minutes, seconds_to(one, 0.95), confused(one)


def write_labels(found: Sequence[Result]) -> None:
    starts = {"random weights": ["--warm-start", "none"], "general model": ["--warm-start", "model/general"]}
    names = sorted({one["set"] for one in found})
    counts = sorted({one["labels"] for one in found})
    by_key = {(one["set"], one["labels"], tuple(one["options"])): one for one in found}
    rows = []
    for name in names:
        for start, options in starts.items():
            cells = [by_key.get((name, count, tuple(options))) for count in counts]
            rows.append((name, start, *(accuracy(one) if one else "" for one in cells)))
    text = (
        "# Accuracy from few labels\n\n"
        + HEAD
        + "The same 400 unseen pictures of each set, read after training on a few labelled ones: from random weights "
        "(`--warm-start none`) and from the shipped general model, which never saw these generators.\n\n"
        + table(("set", "start", *(f"{count} labels" for count in counts)), rows)
        + "\n"
        + machines(found)
    )
    (DOCS / "few_labels.md").write_text(text, encoding="utf-8")


def write_service(found: dict[str, Result]) -> None:
    text = (
        "# The recognition service in figures\n\n"
        + HEAD
        + "The demonstration's model (network `columns`, pictures of 100×60, ten digits), served by two workers; what "
        "sends the requests runs on the same two cores.\n\n"
        + table(("what", "figure"), service_rows(found))
        + f"\nMachine: {'; '.join(sorted({one['machine'] for one in found.values()}))}.\n"
    )
    (DOCS / "service.md").write_text(text, encoding="utf-8")


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def accuracy(one: Result) -> str:
    low, high = one["interval"]
    return f"{one['picture_accuracy']:.2%} ({low:.1%} to {high:.1%})"


def pipeline(one: Result) -> str:
    """What `speed` measured, in a paragraph."""
    return (
        f"One step of 128 pictures of 100×60, network `columns`: {one['repeated_ms']:.0f} ms on one batch again and "
        f"again, {one['pipeline_ms']:.0f} ms with the input pipeline, augmented: {one['pipeline_cost']:+.1%}, "
        f"the median of {one['rounds']} rounds side by side. The repeated step computes {one['gflops']:.0f} GFLOP/s, "
        f"the machine's matrix product in bfloat16 beside it {one['matrix_product_gflops']:.0f}.\n\n"
    )


def rate(one: Result) -> str:
    return f"{one['gflops']:.0f} of {max(one['machine_gflops'].values()):.0f}"


def seconds_to(one: Result, share: float) -> str:
    """Seconds to the first measurement at `share` or more, at the training's mean pace."""
    step = next((step for step, value in one["curve"] if value >= share), None)
    return "" if step is None else f"{one['seconds'] * step / one['step']:.0f}"


def confused(one: Result) -> str:
    return ", ".join(f"{c['label'] or '∅'}→{c['read'] or '∅'} {c['count']}×" for c in one["confusions"][:4])


def machines(found: Sequence[Result]) -> str:
    names = sorted({one["machine"] for one in found})
    rates = [one["machine_gflops"]["bfloat16"] for one in found]
    return f"Machine: {'; '.join(names)}; matrix product {min(rates):.0f} to {max(rates):.0f} GFLOP/s in bfloat16.\n"


def draw_curves(path: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Errors on the verification set over steps, on a logarithmic scale."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for name, curve in curves.items():
        axes.plot([step for step, _ in curve], [100 * max(1 - share, 5e-4) for _, share in curve], label=name)
    axes.set(xlabel="step", ylabel="verification pictures misread, %", yscale="log", ylim=(0.05, 110))
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=7)
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
