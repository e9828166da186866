"""Labels in file names of other shapes than `label_serial`: serial number first, label alone, marks of copies."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

FEW = 5  # names; with fewer, a column of numbers may be chance
MANY = 8  # names; that many with the same word say that it is no label
LONGEST_PART = 16  # characters of a part that may be a label beside a serial number
MOSTLY = 0.9  # of the names

_COPY_WORDS = r"copy|kopie|copie|copia|cópia|kopia|kópia|копия|копія|kopya|副本|コピー|복사본|拷贝"
_MARKS = [  # of file managers and browsers, at the end of a name
    re.compile(r"\s?[(（]\d{1,4}[)）]$"),
    re.compile(rf"\s?\((?:(?:another|\d+(?:st|nd|rd|th)) )?(?:{_COPY_WORDS})(?: \d+)?\)$", re.IGNORECASE),
    re.compile(rf"(?:\s[-–—]|[\s_-]|(?<=.)(?=[^\x00-\x7f]))\s?(?:的|の)?(?:{_COPY_WORDS})(?:\s?\d+)?$", re.IGNORECASE),
]
_NUMBERED = re.compile(r"\s\d{1,2}$")  # macOS and iCloud: `2e8j 2`
_CAMERA = (
    r"img|image|imagen|bild|dsc[nf]?|pxl|mvimg|vid|win|p|pic|pict|picture|photo|foto|scan|screenshot|screen ?shot|"
    r"bildschirmfoto|capture|captura|download|unnamed|unknown|untitled|frame|file|clipboard|snip|snipaste|"
    r"微信图片|微信截图|截图|屏幕截图|图片|下载"
)
_PROGRAM = r"captcha|kaptcha|vcode|verify|verifycode|verification|code|checkcode|authcode|sample|test|train|验证码"
_CAMERA_WORD = re.compile(rf"(?:{_CAMERA})s?", re.IGNORECASE)
_WORD = re.compile(rf"(?:{_CAMERA}|{_PROGRAM})s?", re.IGNORECASE)
_NAMED_BY_PROGRAM = re.compile(
    rf"(?:(?:{_CAMERA})s?[ -]?[(（]?\d*[)）]?|(?:{_PROGRAM})s?[ -]?[(（]?\d+[)）]?|"
    r"(?:screen ?shot|screenshot|bildschirmfoto|屏幕截图|截图)\W.*)",
    re.IGNORECASE,
)
_LONG_SERIAL = re.compile(  # long number, date, hash, UUID
    r"\d{9,}|(?:19|20)\d{6}|(?=.*\d)[0-9a-f]{12,}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)

_SIGNS = r"-‐–—.\s\[\](){}#~～,，、;；:：!！$@&^'`|·•"
_OTHER_SIGNS = re.compile(rf"[{_SIGNS}]+")
_ALSO_OF_SUMS = re.compile(rf"[{_SIGNS}+=]+")

Origin = Literal["name", "serial first"]


@dataclass(frozen=True, slots=True)
class NamedLabel:
    """The label in a name, not yet checked, and where it stands. Without a label, `cause` says why."""

    label: str | None = None
    origin: Origin = "name"
    cause: str = ""


_BY_PROGRAM = NamedLabel(cause="the name is that of a camera or program")


def strip_copy_mark(stem: str) -> str:
    """The name without what file managers and browsers add to that of a copy: ` (1)`, ` - Copy`, ` copy 2`."""
    for mark in _MARKS:
        shorter = mark.sub("", stem)
        if shorter and shorter != stem:
            return strip_copy_mark(shorter)
    return stem


def is_serial(part: str) -> bool:
    """Whether a part of a name can't be a label: a long number, a date, a hash or a UUID."""
    return bool(_LONG_SERIAL.fullmatch(part))


def is_running(parts: Sequence[str]) -> bool:
    """Whether parts of names are serial numbers: all different, and most of them next to each other."""
    if len(parts) < 3 or len(set(parts)) < len(parts) or not all(part.isdecimal() and len(part) < 19 for part in parts):
        return False
    numbers = sorted(map(int, parts))
    tenth = len(numbers) // 10
    middle = numbers[tenth : len(numbers) - tenth]  # a few others do not count
    return middle[-1] - middle[0] + 1 <= 2 * len(middle)


def is_serial_column(parts: Sequence[str]) -> bool:
    """Whether these parts of names are serial numbers of any kind."""
    return is_running(parts) or _share([is_serial(part) for part in parts]) >= MOSTLY


def read_names(stems: Sequence[str]) -> list[NamedLabel]:
    """The labels in the names, without their suffixes, of the pictures of one folder."""
    plain = _without_numbers_of_copies([strip_copy_mark(stem) for stem in stems])
    groups = _groups(plain)
    for underscores, first in list(groups):
        if first == "0" and not is_serial_column([plain[index].split("_")[0] for index in groups[underscores, first]]):
            groups[underscores, ""] += groups.pop((underscores, first))  # labels of digits
    labels = [NamedLabel()] * len(stems)
    programs = _programs(stems, plain)
    for (underscores, _), indices in groups.items():
        names = [plain[index] for index in indices]
        found = _read_parts(_columns(names, underscores + 1)) if underscores else _read_alone(names)
        for index, label in zip(indices, found, strict=True):
            labels[index] = _BY_PROGRAM if plain[index].lower() in programs else label
    return labels


def _programs(stems: Sequence[str], plain: Sequence[str]) -> set[str]:
    """The words of programs that marks of copies number, in lower case: `captcha`, `captcha (1)`, `captcha (2)`."""
    marked = Counter(short.lower() for stem, short in zip(stems, plain, strict=True) if short != stem)
    return {word for word, count in marked.items() if count >= 2 and _WORD.fullmatch(word)}


def _without_numbers_of_copies(stems: list[str]) -> list[str]:
    known = set(stems)
    return [short if (short := _NUMBERED.sub("", stem)) in known else stem for stem in stems]


def _groups(stems: Sequence[str]) -> defaultdict[tuple[int, str], list[int]]:
    """The places of names by their underscores and by the word that they begin with, "0" for a number."""
    groups: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    first_words = Counter(stem.split("_")[0].lower() for stem in stems)
    for index, stem in enumerate(stems):
        first, *others = stem.split("_")
        is_word = bool(_WORD.fullmatch(first)) and first_words[first.lower()] >= 3
        groups[len(others), first.lower() if is_word else "0" if first.isdecimal() else ""].append(index)
    return groups


def _columns(names: Sequence[str], count: int) -> list[list[str]]:
    """The first parts of all names, their second ones and so on. A list for each name takes more memory."""
    columns: list[list[str]] = [[] for _ in range(count)]
    for name in names:
        for column, part in zip(columns, name.split("_"), strict=True):
            column.append(part)
    return columns


def _read_alone(names: Sequence[str]) -> list[NamedLabel]:
    """Labels of names without an underscore. Other signs divide them too, if one of the parts is a serial number."""
    numbered = is_running(names)
    divided = _divide(names, _ALSO_OF_SUMS, _read_counted) | _divide(names, _OTHER_SIGNS, _read_divided)
    return [divided.get(place) or _alone(name, numbered) for place, name in enumerate(names)]


def _divide(
    names: Sequence[str], signs: re.Pattern[str], read: Callable[[Sequence[list[str]]], list[NamedLabel] | None]
) -> dict[int, NamedLabel]:
    """Labels of the names that signs divide into as many parts as enough others, by their places."""
    rows = [[part for part in signs.split(name) if part] for name in names]
    found: dict[int, NamedLabel] = {}
    for count, share in Counter(map(len, rows)).items():
        if count < 2 or share < FEW:
            continue
        places = [place for place, row in enumerate(rows) if len(row) == count]
        found |= zip(places, read([rows[place] for place in places]) or [], strict=False)
    return found


def _read_counted(rows: Sequence[list[str]]) -> list[NamedLabel] | None:
    """Labels of names that `+` or `=` divides, or None where these may be signs of a sum: if no part counts on."""
    columns = list(zip(*rows, strict=True))
    counted = [column for column in columns if is_running(column)]
    others = [column for column in columns if column not in counted and not _is_word(column)]
    may_be_sums = any(max(map(len, column)) < 3 and all(map(str.isdecimal, column)) for column in others)
    enough = len(rows) >= (4 * FEW if may_be_sums else FEW)
    return _read_parts(columns) if counted and others and enough else None


def _read_divided(rows: Sequence[list[str]]) -> list[NamedLabel] | None:
    """Labels of names that other signs than an underscore divide, or None if no part is a serial number or a word."""
    columns = list(zip(*rows, strict=True))
    serials = [is_serial_column(column) for column in columns]
    if any(serials) or any(map(_is_word, columns)):
        return _read_parts(columns)
    numbers = [all(map(str.isdecimal, column)) for column in columns]
    if len(columns) == 2 and sum(numbers) == 1:
        return [NamedLabel(row[numbers.index(False)]) for row in rows]
    if len(columns) == 2 and all(numbers) and _are_labels_beside_numbers(*columns):
        return [NamedLabel(row[0]) for row in rows]
    return None


def _are_labels_beside_numbers(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether parts that are all digits are labels and small numbers. Labels have one length, and numbers seldom do."""
    same_length = len(set(map(len, first))) == 1 and len(set(first)) > 1
    return same_length and len(first[0]) >= 3 and max(map(int, second)) <= 2 * len(second)


def _alone(name: str, numbered: bool) -> NamedLabel:
    if numbered or is_serial(name):
        return NamedLabel(cause="the name is a serial number")
    if _NAMED_BY_PROGRAM.fullmatch(name):
        return _BY_PROGRAM
    return NamedLabel(name)


def _read_parts(columns: Sequence[Sequence[str]]) -> list[NamedLabel]:
    """Labels of names that an underscore divides into the same number of parts, given by `_columns`."""
    words = [_is_word(column) for column in columns]
    serials = [is_serial_column(column) for column in columns]
    if len(columns) == 2 and not any(words):
        first, second = columns
        return _read_two(first, second, serials)
    places = [place for place in range(len(columns)) if not words[place] and not serials[place]]
    numbers = [all(map(str.isdecimal, column)) for column in columns]
    if len(places) > 1 and places[0] == words.index(False):  # the label is first, as is usual
        others = places[1:]
        if serials[places[0] + 1] or (not numbers[places[0]] and all(numbers[place] for place in others)):
            places = places[:1]
    if words[0] and _CAMERA_WORD.fullmatch(columns[0][0]):
        places = [place for place in places if not numbers[place]]
    if not places:
        return [
            NamedLabel(cause=f"all such names begin with '{word}', which is likely no label") for word in columns[0]
        ]
    if len(places) > 1:
        return [NamedLabel(cause="two underscores: it is not clear which part is the label")] * len(columns[0])
    return list(map(NamedLabel, columns[places[0]]))


def _read_two(first: Sequence[str], second: Sequence[str], serials: Sequence[bool]) -> list[NamedLabel]:
    """Labels of names of two parts: the first one, or the second if the first ones are serial numbers."""
    short = _share([0 < len(part) <= LONGEST_PART for part in second]) >= MOSTLY
    is_clear = len(set(map(len, first))) == 1 and len(first[0]) > 2  # such as 0001
    enough = len(first) >= (FEW if is_clear or not all(map(str.isdecimal, second)) else 4 * FEW)
    if serials[0] and not serials[1] and short and enough and len(set(second)) > 1:
        return [NamedLabel(part, "serial first") for part in second]
    none = NamedLabel(cause="the name has no label before the underscore")
    return [NamedLabel(part) if part else none for part in first]


def _is_word(column: Sequence[str]) -> bool:
    """Whether all names have the same word here, which a camera or program writes."""
    if len(column) < 3 or len(set(map(str.lower, column))) > 1:
        return False
    return bool(_WORD.fullmatch(column[0])) or (len(column) >= MANY and not column[0].isdecimal())


def _share(holds: Sequence[bool]) -> float:
    return sum(holds) / len(holds) if holds else 0.0
