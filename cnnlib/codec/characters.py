"""Which characters labels and alphabets may contain."""

import unicodedata
from collections import Counter
from collections.abc import Iterable

from cnnlib.core.printable import is_obeyed, printable


def normalise(text: str) -> str:
    """The text with one code point per character where Unicode has one (NFC)."""
    return unicodedata.normalize("NFC", text)


def is_visible(character: str) -> bool:
    """Whether a picture can show a character: no control, format, surrogate or unassigned one, no line separator."""
    return not (unicodedata.category(character).startswith("C") or is_obeyed(character))


def fold_case(text: str) -> str:
    """The text with each character in lower case, but for those of which that makes two."""
    return "".join(lower if len(lower := character.lower()) == 1 else character for character in text)


_BLANK = set("\u034f\u115f\u1160\u2800\u3164\uffa0")  # fillers, which look like nothing


def is_odd(character: str) -> bool:
    """Whether a character looks like a blank or like nothing, but is no space; such as U+00A0, U+3000 and U+FE0F."""
    category = unicodedata.category(character)
    selector = 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF
    return (category[0] in "ZC" and character != " ") or selector or character in _BLANK


def escape_odd(text: str) -> str:
    """The text for a message: what can't be seen is written as an escape, such as \\u3000."""
    return "".join(ascii(character)[1:-1] if is_odd(character) else character for character in text)


def alphabet_faults(characters: Iterable[str]) -> list[str]:
    """What is wrong with an alphabet, one sentence for each fault."""
    characters = list(characters)
    faults = []
    if len(characters) < 2:
        faults.append(f"expected at least 2 characters; got {len(characters)}")
    invalid = [c for c in characters if len(c) != 1 or not is_visible(c)]
    if invalid:
        faults.append(f"expected single printable characters; got {', '.join(map(ascii, invalid))}")
    repeated = [c for c, count in Counter(characters).items() if count > 1]
    if repeated:
        faults.append(f"expected each character once; got more than one of {printable(' '.join(repeated))}")
    return faults
