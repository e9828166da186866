"""The page on the hour from pictures without labels to a model."""

from collections.abc import Iterator, Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.replay import AFTER_BAD_PAGE, BAD_PAGE, ONE_S, PAGE_S, TRAIN_AT
from tests.benchmarks.runs import Result

TITLES = ("set", "model", "labels learned", "minutes", "unseen pictures read right", "training, minutes")


def replay_text(head: str, found: Sequence[Result]) -> str:
    """The page, from the results of some sets."""
    first, second = TRAIN_AT
    return (
        "# A labelling played back\n\n"
        + head
        + "A person with pictures and no labels, played back on the [labelling page's](../labelling.md) own code from "
        f"known labels. A picture takes {ONE_S} seconds one by one, and a page of the sorted grid {PAGE_S}. No mistake "
        "is made.\n\n"
        f"The first {first} pictures are labelled one by one, then a training is started. While it is under way the "
        "person goes on one by one, with the model of before. Then come pages of the grid, and what is wrong on a page "
        f"is labelled one by one. After a page with more than {BAD_PAGE:.0%} wrong, so are the next {AFTER_BAD_PAGE}. "
        f"The second training starts after {second} labels, the last one when all pictures have a label. Minutes count "
        "from the first picture to when the model can be used.\n\n"
        + table(TITLES, (row for one in found for row in _rows(one)))
        + "\n"
        + table(
            ("set", "pictures", "all labelled, minutes", "one by one", "pages of the grid", "wrong on these", "commit"),
            map(_counts, found),
        )
        + f"\nMachine: {', '.join(sorted({one['machine'] for one in found}))}.\n"
    )


def _rows(one: Result) -> Iterator[list[str]]:
    yield [one["set"], "general", "0", "0", f"{one['before'] / one['samples']:.2%}", ""]
    for stage in one["stages"]:
        right, took = f"{stage['right'] / one['samples']:.2%}", f"{stage['training_seconds'] / 60:.1f}"
        yield [one["set"], "own", f"{stage['labels']:,}", f"{stage['minutes']:.0f}", right, took]


def _counts(one: Result) -> list[str]:
    counts = (one["pictures"], round(one["labelled_minutes"]), one["one_by_one"], one["pages"], one["wrong_on_pages"])
    return [one["set"], *(f"{count:,}" for count in counts), one["commit"]]
