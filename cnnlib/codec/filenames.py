"""File names to labels and back."""

import re
from pathlib import Path

from cnnlib.codec.characters import is_visible, normalise
from cnnlib.core.errors import SampleError

# Unfit for a file name on some system, or (%, .) needed for the escape itself and the suffix.
_UNFIT = re.compile(r'[\x00-\x1f\x7f%./\\:*?"<>|]')
_SAME = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "mpo": "jpg"}  # suffixes of one format
_ESCAPED = re.compile(r"%([0-7][0-9A-Fa-f])")


def label_of(name: str) -> str:
    """The label in a file name: what stands before the last underscore, escapes resolved.

    A character unfit for file names is written `%` and two hexadecimal digits: `a/b` is `a%2Fb_1.png`.
    Raises SampleError when there is no underscore, nothing before it, a character that no picture shows, or a byte
    that is no UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SampleError("the name has bytes that are no UTF-8") from error
    stem = Path(name).stem
    label, underscore, _ = stem.rpartition("_")
    if not underscore:
        raise SampleError("the name has no underscore between label and serial number")
    if not label:
        raise SampleError("the name has no label before the underscore")
    label = normalise(_ESCAPED.sub(lambda found: chr(int(found[1], 16)), label))
    hidden = [character for character in label if not is_visible(character)]
    if hidden:
        raise SampleError(f"the label has characters that no picture shows: {', '.join(map(ascii, hidden))}")
    return label


def plain_suffix(suffix: str) -> str:
    """A file suffix in lower case and without its dot; `jpg` for all that JPEGs have."""
    plain = suffix.lower().removeprefix(".")
    return _SAME.get(plain, plain)


def file_name(label: str, serial: str | int, suffix: str) -> str:
    """`label_serial.suffix`, with the label's unfit characters escaped as `label_of` reads them."""
    escaped = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", label)
    return f"{escaped}_{serial}.{suffix}"
