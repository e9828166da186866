"""Convert file names to labels and back."""

import re
from pathlib import PurePath

from cnnlib.codec.characters import is_visible, normalise
from cnnlib.core.errors import SampleError
from cnnlib.core.printable import is_obeyed

# Characters that some system forbids in file names, and those that the escape (%) and the suffix (.) need.
_RESERVED = re.compile(r'[\x00-\x1f\x7f%./\\:*?"<>|]')
_ESCAPED = re.compile(r"%([0-7][0-9A-Fa-f])")
_ESCAPED_BYTES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_SUFFIX_ALIASES = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "mpo": "jpg"}
PICTURE_SUFFIXES = ("png", "jpg", "gif", "bmp", "webp")
SERIAL_DIGITS = 16  # of a digest that is the serial number in a picture's name
ANY_SUFFIX = "any"  # in a config: pictures of all these formats


def label_of(name: str) -> str:
    """The label in a file name: the part before the last underscore, unescaped.

    A reserved character is written as `%` and two hexadecimal digits: `a/b` is `a%2Fb_1.png`.
    Raises SampleError when the name has no underscore, no label, an invisible character or a byte that is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise SampleError("the name is not valid UTF-8") from error
    label, underscore, _ = stem_in(name).rpartition("_")
    if not underscore:
        raise SampleError("the name has no underscore between label and serial number")
    if not label:
        raise SampleError("the name has no label before the underscore")
    return checked_label(unescape(label))


def unescape(text: str) -> str:
    """A part of a file name with the characters that `file_name` escapes, or that are escaped as UTF-8, as by wget.

    Names that `file_name` makes have no other label for it, as they have `%25` for a `%`.
    """
    return _ESCAPED_BYTES.sub(lambda match: _as_utf8(match[0]) or _without_escapes(match[0]), text)


def has_foreign_escapes(text: str) -> bool:
    """Whether a part of a file name has escaped bytes that are no UTF-8, likely of another code page."""
    return any(_as_utf8(escapes) is None for escapes in _ESCAPED_BYTES.findall(text))


def _as_utf8(escapes: str) -> str | None:
    try:
        return bytes.fromhex(escapes.replace("%", "")).decode()
    except UnicodeDecodeError:
        return None


def _without_escapes(escapes: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), escapes)


def checked_label(text: str) -> str:
    """A label in composed characters (NFC). Raises SampleError when it has an invisible one."""
    if text.isascii() and text.isprintable():  # most labels are
        return text
    label = normalise(text)
    invisible = [character for character in label if not is_visible(character)]
    if invisible:
        raise SampleError(f"the label has invisible characters: {', '.join(map(ascii, invisible))}")
    return label


def check_serial(name: str) -> None:
    """Raise SampleError when serial number or suffix in a file name have a character that a terminal would obey.

    Such a name forges lines wherever it is printed by other programs, such as `ls`.
    """
    serial = name.rpartition("_")[2]
    obeyed = [] if serial.isprintable() else [character for character in serial if is_obeyed(character)]
    if obeyed:
        raise SampleError(f"the serial number has invisible characters: {', '.join(map(ascii, obeyed))}")


def plain_suffix(suffix: str) -> str:
    """A file suffix in lower case and without its dot, `jpg` for every suffix of a JPEG."""
    plain = suffix.lower().removeprefix(".")
    return _SUFFIX_ALIASES.get(plain, plain)


def suffix_in(name: str) -> str:
    """The suffix of a file name with its dot, as `Path` gives it: for a million names, a path each takes seconds."""
    start = name.rfind(".")
    return name[start:] if 0 < start < len(name) - 1 else ""


def stem_in(name: str) -> str:
    """A file name without its suffix, as `Path` gives it."""
    return name[: len(name) - len(suffix_in(name))]


def has_suffix(path: PurePath | str, suffix: str) -> bool:
    """Whether a file has this suffix, or another suffix of the same format. `ANY_SUFFIX` is that of any picture."""
    plain = plain_suffix(suffix_in(path if isinstance(path, str) else path.name))
    return plain in PICTURE_SUFFIXES if suffix == ANY_SUFFIX else plain == plain_suffix(suffix)


def pictures_of(suffix: str) -> str:
    """What a message calls the pictures of a config's `image_suffix`."""
    return "pictures" if suffix == ANY_SUFFIX else f".{suffix} pictures"


def file_name(label: str, serial: str | int, suffix: str) -> str:
    """`label_serial.suffix`, with reserved characters of the label escaped for `label_of`."""
    escaped = _RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", label)
    return f"{escaped}_{serial}.{suffix}"
