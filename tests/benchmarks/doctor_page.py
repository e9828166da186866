"""The page on wrong labels that `--doctor` finds."""

from collections.abc import Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.doctor import LABELS, LIMIT, LISTED_SHARES, MISTAKES, SPOILED_SHARE
from tests.benchmarks.runs import Result


def doctor_text(head: str, found: Sequence[Result]) -> str:
    """The page, from the results of some sets."""
    titles = [
        "set",
        "labels",
        "spoiled",
        *(f"in the first {share:.0%}" for share in LISTED_SHARES),
        *MISTAKES,
        "commit",
    ]
    everywhere = sum(one["found"][str(LIMIT)] for one in found), sum(one["spoiled"] for one in found)
    return (
        "# Wrong labels that are found\n\n"
        + head
        + f"Of {LABELS} labelled pictures of each set, {SPOILED_SHARE:.0%} got a wrong label, as people mistype: a "
        "letter in the other case, a character that looks alike, the key beside, two characters swapped. Each kind "
        "that a label allows is equally likely. `verify_and_split_data.py --doctor` then lists all pictures, the most "
        "suspicious first.\n\n"
        "The columns say how many of the spoiled labels are in the first part of the list. Those of the kinds are "
        f"about the first {LIMIT:.0%}.\n\n"
        + table(titles, map(_cells, found))
        + f"\nOf all spoiled labels, {everywhere[0]} of {everywhere[1]} are in the first {LIMIT:.0%}.\n\n"
        f"Machine: {', '.join(sorted({one['machine'] for one in found}))}.\n"
    )


def _cells(one: Result) -> list[str]:
    shares = [str(one["found"][str(share)]) for share in LISTED_SHARES]
    kinds = [f"{found} of {spoiled}" for found, spoiled in (one["kinds"][kind] for kind in MISTAKES)]
    return [one["set"], str(one["labels"]), str(one["spoiled"]), *shares, *kinds, one["commit"]]
