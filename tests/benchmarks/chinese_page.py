"""The page on an alphabet beyond Latin."""

from collections.abc import Sequence

from tests.benchmarks.cells import machines, table, training_cells
from tests.benchmarks.chinese import CHARACTERS, COUNT, FONT, SIZE
from tests.benchmarks.runs import Result

STARTS = {True: "general model", False: "random weights"}
TITLES = ("start", "training pictures", "steps", "read right", "minutes", "seconds to 95%", "confused", "commit")


def chinese_text(head: str, found: Sequence[Result]) -> str:
    """The page, from the trainings of both starts."""
    return (
        "# Chinese characters\n\n"
        + head
        + f"`gen_sample_by_captcha.py` draws {COUNT:,} pictures of {SIZE[0]}×{SIZE[1]}, each with four of "
        f"{len(CHARACTERS)} common Chinese characters, in the font `{FONT.rpartition('/')[2]}`. `collect_labels.py` "
        "writes the alphabet, and `verify_and_split_data.py` sets 1,000 pictures aside for the test. "
        "[Large alphabets](../data.md#large-alphabets) has the commands.\n\n"
        "The general model knows none of these characters. A training takes over its layers, but for the one that "
        "tells the characters apart. The other training starts from random weights (`--warm-start none`).\n\n"
        "- Read right: of the test pictures, with the 95% interval.\n"
        "- Minutes: those of the steps. A training ends once two measurements in a row reach 99%.\n"
        "- Seconds to 95%: until a measurement of the verification set first gave 95% or more, computed from the mean "
        "pace of the training.\n\n"
        + table(TITLES, ([STARTS[one["warm_start"]], *training_cells(one)] for one in found))
        + "\n"
        + machines(found)
    )
