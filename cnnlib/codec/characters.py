"""Which characters labels and alphabets may hold, and how they are written."""

import unicodedata
from collections import Counter
from collections.abc import Iterable


def normalise(text: str) -> str:
    """The text with one code point per character where Unicode has one (NFC), whatever system wrote it."""
    return unicodedata.normalize("NFC", text)


def is_visible(character: str) -> bool:
    """Whether a character can appear on a picture: not a control, format, surrogate or unassigned one."""
    return not unicodedata.category(character).startswith("C")


def alphabet_faults(characters: Iterable[str]) -> list[str]:
    """What is wrong with an alphabet, one sentence each; empty when nothing is."""
    characters = list(characters)
    faults = []
    if len(characters) < 2:
        faults.append(f"expected at least 2 characters; got {len(characters)}")
    wrong = [c for c in characters if len(c) != 1 or not is_visible(c)]
    if wrong:
        faults.append(f"expected single printable characters; got {', '.join(map(ascii, wrong))}")
    doubles = [c for c, count in Counter(characters).items() if count > 1]
    if doubles:
        faults.append(f"expected each character once; got more than one of {' '.join(doubles)}")
    return faults
