"""What a picture of a sum was read as, against its label, the answer."""

import re

from cnnlib.codec.arithmetic import answer_of

SUM = re.compile(r"\s*(\d+)\s*([-+*x×])\s*(\d+)")


def answer_in(text: str) -> str | None:
    """The answer of the sum that a text begins with, whatever follows; None when it begins with none.

    Some readers take the `?` behind the sum for a digit or a letter.
    """
    found = SUM.match(text.lower())
    return answer_of("".join(found.groups())) if found else None
