"""The page on the keys that labelling takes."""

from collections.abc import Sequence

from tests.benchmarks.cells import table
from tests.benchmarks.runs import Result

ABOUT = """\
How many keys a person presses for 200 pictures on the [labelling page](../labelling.md), counted from their labels and
from what the general model types in. The sets are those of [Generators](zoo.md), without the pictures reported there.

A right reading takes Enter alone. A wrong character takes its arrows, or Home or End, and the character. One too few
takes Insert as well, one too many Delete. The shorter way from either end counts. Nobody presses so few, in any column.

"""
NARROWED = """
Alphabet and lengths are what the page knows from the fiftieth label on. All of this is before any training on these
pictures.
"""


def keystrokes_text(head: str, found: Sequence[Result]) -> str:
    """The whole page."""
    kinds = [*found[0]["keys"]]
    rows = [(one["set"], one["from_blank"], *(one["keys"][kind] for kind in kinds)) for one in found]
    titles = ("set", "typed from blank", *(f"{kind} known" for kind in kinds))
    return f"# Keys for 200 labels\n\n{head}{ABOUT}{table(titles, rows)}{NARROWED}"
