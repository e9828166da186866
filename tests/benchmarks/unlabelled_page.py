"""The page on what pictures without labels teach."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import accuracy_in_time, table
from tests.benchmarks.runs import Result


def unlabelled_text(head: str, found: Sequence[Result], alone: Sequence[Result]) -> str:
    """The page, from trainings with pictures without labels, and those on the same labels alone."""
    return (
        "# Pictures without labels\n\n"
        + head
        + "The same 400 unseen pictures of each set are read after two trainings on the same labels: one on these, "
        "and one with other pictures beside them, without their labels (`unlabelled_image_dir`). Both start from the "
        "general model. *Errors left* is the share of the first training's mistakes that the second still makes.\n\n"
        + table(("set", "labels", "alone", "others", "with them", "errors left"), _rows(found, alone))
        + f"\nMachine: {', '.join(sorted({one['machine'] for one in found}))}.\n"
    )


def _rows(found: Sequence[Result], alone: Sequence[Result]) -> Iterator[list[str]]:
    baselines = {(one["set"], one["labels"]): one for one in alone if "none" not in one["options"]}
    for one in found:
        before = baselines[one["set"], one["labels"]]
        left = (1 - one["picture_accuracy"]) / max(1 - before["picture_accuracy"], 1 / before["samples"])
        counts = str(one["labels"]), f"{one['unlabelled']:,}"
        yield [one["set"], counts[0], accuracy_in_time(before), counts[1], accuracy_in_time(one), f"{left:.2f}"]
