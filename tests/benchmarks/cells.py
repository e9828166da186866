"""A stored result as cells of a table and as sentences."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.benchmarks.runs import Result


def table(titles: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [titles, ["---"] * len(titles), *rows]
    return "".join(f"| {' | '.join(map(str, line))} |\n" for line in lines)


def training_cells(one: Result | None) -> tuple[Any, ...]:
    """The cells of a training, empty where it was not run."""
    if one is None:
        return ("",) * 7
    counts, minutes = (one["training_pictures"], one["step"]), f"{one['seconds'] / 60:.1f}"
    return *counts, accuracy(one), minutes, seconds_to(one, 0.95), confused(one), one.get("commit", "")


def accuracy(one: Result) -> str:
    low, high = one["interval"]
    return f"{one['picture_accuracy']:.2%} ({low:.1%} to {high:.1%})"


def accuracy_in_time(one: Result) -> str:
    """The accuracy, the network if it is another than `columns`, the time, and the code."""
    network = one.get("network", "columns")
    named = "" if network == "columns" else f" `{network}`,"
    time = f"{one['step']} steps, {one['seconds'] / 60:.1f} min"
    return f"{accuracy(one)},{named} {time}, {one.get('commit') or one['date']}"


def trained(one: Result) -> str:
    """Accuracy on the training pictures themselves, empty where it was not kept."""
    share = one.get("training_picture_accuracy")
    return "" if share is None else f"{share:.2%}"


def rate(one: Result) -> str:
    return f"{one['gflops']:.0f} of {one['machine_gflops']['bfloat16']:.0f}"


def seconds_to(one: Result, share: float) -> str:
    """Seconds to the first measurement at `share` or more, at the training's mean pace."""
    step = next((step for step, value in one["curve"] if value >= share), None)
    return "" if step is None else f"{one['seconds'] * step / one['step']:.0f}"


def how(one: Result) -> str:
    """What sets a training apart from the usual one, in words."""
    start = "" if one["warm_start"] else ", from random weights"
    workers = one.get("workers", 1)
    return start + (f", {workers} workers" if workers > 1 else "")


def confused(one: Result) -> str:
    return ", ".join(f"{c['label'] or '∅'}→{c['read'] or '∅'} {c['count']}×" for c in one["confusions"][:4])


def pipeline(one: Result) -> str:
    """The result of `speed`, a paragraph."""
    return (
        f"One step of `columns` on 128 pictures of 100×60 takes {one['repeated_ms']:.0f} ms on the same batch again "
        f"and again. With the input pipeline and augmentation it takes {one['pipeline_ms']:.0f} ms, "
        f"{one['pipeline_cost']:+.1%}. This is the median of {one['rounds']} rounds side by side. The step on the same "
        f"batch computes {one['gflops']:.0f} GFLOP/s. The matrix product in bfloat16 beside it computes "
        f"{one['matrix_product_gflops']:.0f} ({one['machine']}).\n\n"
    )


def machines(found: Sequence[Result]) -> str:
    names = sorted({one["machine"] for one in found})
    rates = [one["machine_gflops"]["bfloat16"] for one in found]
    return f"Machine: {', '.join(names)}. Matrix product {min(rates):.0f} to {max(rates):.0f} GFLOP/s in bfloat16.\n"


# The columns of docs/benchmarks/statistics.md: titles, and what makes the cells.
STATISTICS: dict[str, Callable[[Result], Any]] = {
    "pictures": lambda one: one["look"],
    "network": lambda one: one["network"] + how(one),
    "steps": lambda one: f"{one['steps']:,}",
    "seed": lambda one: one["seed"],
    "unseen pictures read right (95% interval)": accuracy,
    "characters": lambda one: f"{one['character_accuracy']:.2%}",
    "training pictures read right": trained,
    "minutes": lambda one: f"{one['seconds'] / 60:.1f}",
    "seconds to 98%": lambda one: seconds_to(one, 0.98),
    "pictures/s": lambda one: f"{one['pictures_per_s']:.0f}",
    "GFLOP/s, of the machine's matrix product": rate,
    "confused": confused,
    "commit": lambda one: one.get("commit", ""),
}
