"""What a picture of a sum was read as, against its label, the answer."""

import operator
import re

OPERATIONS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "x": operator.mul, "×": operator.mul}
SUM = re.compile(r"\s*(\d+)\s*([-+*x×])\s*(\d+)")


def answer_of(text: str) -> str:
    """The answer of the sum that a text begins with, such as "3+8=?"; "" when it is none."""
    found = SUM.match(text.lower())
    return str(OPERATIONS[found[2]](int(found[1]), int(found[3]))) if found else ""
