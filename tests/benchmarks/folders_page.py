"""The text of docs/benchmarks/folders.md, from the stored result."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result

TITLES = (
    "what",
    "pictures",
    "seconds",
    "seconds per 1,000",
    "of processor time",
    "cores",
    "peak MiB",
    "of its own",
    "bytes a further picture",
)
SCRIPTS = {  # what is measured, as the page calls it
    "dry run": "`verify_and_split_data.py --dry-run`",
    "config written": "`verify_and_split_data.py --write-config PATH`",
    "import": "`verify_and_split_data.py --import FOLDER`",
    "batch test": "`test_batch.py` with the general model",
    "split": "`verify_and_split_data.py`",
    "nothing new": "the same again, nothing new",
    "labels collected": "`gen_image/collect_labels.py`, names alone",
}


def folders_text(head: str, result: Result) -> str:
    """The whole page, below `head`."""
    rows = [row for name, costs in result["scripts"].items() for row in _rows(SCRIPTS[name], costs)]
    return (
        "# Large folders\n\n"
        f"{head}"
        "PNGs of 100x60 pixels, four digits each. A thousand are drawn. The others have the same pixels, another name "
        "and a text of their own, so no two have the same bytes.\n\n"
        "- Seconds are those of the whole script, its start included. Other work on the machine makes them more. "
        "Processor time hardly changes by it.\n"
        "- Cores: processor time by time. Other work on the machine makes them fewer.\n"
        "- Peak MiB: the most that was resident. Of its own: the most without what is mapped from files (RssAnon).\n"
        "- Bytes a further picture: what the own memory grew by from the row above, by the pictures more.\n\n"
        f"{table(TITLES, rows)}\n"
        f"Machine: {result['machine']}. Commit: {result['commit']}.\n"
    )


def _rows(script: str, costs: Sequence[Result]) -> Iterator[tuple[object, ...]]:
    for before, one in zip((None, *costs), costs, strict=False):
        thousands = one["pictures"] / 1000
        yield (
            script,
            f"{one['pictures']:,}",
            f"{one['seconds']:.1f}",
            f"{one['seconds'] / thousands:.3f}",
            f"{one['cpu_s'] / thousands:.3f}",
            f"{one['cpu_s'] / one['seconds']:.1f}",
            f"{one['peak_mib']:.0f}",
            f"{one['own_mib']:.0f}",
            f"{_growth(before, one):.0f}" if before else "",
        )


def _growth(before: Result, after: Result) -> float:
    """Bytes of own memory for each picture more."""
    return float((after["own_mib"] - before["own_mib"]) * 2**20 / (after["pictures"] - before["pictures"]))
