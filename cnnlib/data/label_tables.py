"""Tables of labels beside pictures: CSV, TSV, `rec_gt.txt`, JSON lines, and a text file for each picture.

Which column names the files is found by what the pictures are called, so a header and the order do not matter.
"""

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from cnnlib.codec.characters import escape_odd, normalise
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.core.json_faults import json_fault
from cnnlib.data.name_shapes import MANY, MOSTLY, is_serial_column

PROSE_SUFFIXES = {".txt", ".tab", ".list", ".lst"}  # such files may be no tables at all
TABLE_SUFFIXES = {".csv", ".tsv", ".jsonl", ".json", *PROSE_SUFFIXES}
LABEL_HEADERS = {
    *("label", "labels", "text", "captcha", "code", "value", "answer", "solution", "ground_truth", "truth", "gt"),
    *("word", "words", "transcription", "target", "result", "string", "captcha_text"),
    *("标签", "验证码", "答案", "内容"),
}
OTHER_HEADERS = {  # words beside one of those: `label_length`, `captcha_id`
    *("id", "ids", "index", "idx", "no", "number", "length", "len", "count", "size", "width", "height", "file"),
    *("filename", "name", "path", "url", "type", "time", "date", "timestamp", "status", "source", "hash", "by"),
    *("confidence", "score", "prob", "probability", "color", "colour", "font", "language", "lang"),
}
COUNTER_HEADERS = {"", "#", "no", "no.", "nr", "nr.", "n", "num", "number", "row", "index", "idx", "id", "序号"}
DELIMITERS = ("\t", ",", ";", "|", " ", ":", "=")
FEW_SHARE, FEW_VALUES = 1 / 10, 20  # different cells of a column: for each row, and at most; so few are no labels
SHOWN = 3  # names in a message
JSON_COLUMNS = 64  # different keys of records; what has more is a mapping of names
JSON_DEPTH = 8  # objects in objects that are looked through
NO_TEXT = "is no text in UTF-8, UTF-16 or GB 18030: save it as UTF-8"
_CALLED_NAMES = re.compile(
    r"file|image|img|picture|photo|\bpic|name|path|url|文件|图片|图像|路径|(?<![^\W_])ids?(?![^\W_])", re.IGNORECASE
)
_FORMULA = re.compile(r'="(.+)"')  # for spreadsheets: ="0080" keeps its zeros
_WRAPPINGS = {  # what programs put around labels
    "'=' and quotes around labels": _FORMULA,
    "'.0' after labels (leading zeros may be lost)": re.compile(r"(-?\d+)\.0+"),
    "a comma or semicolon after labels": re.compile(r"(.+)[,;]"),
    "quotes around labels": re.compile(r"""b?(?:"(.+)"|'(.+)'|`(.+)`|“(.+)”|‘(.+)’|«(.+)»)"""),
    "an apostrophe before labels": re.compile(r"'(.*[^'])"),
    "brackets around labels": re.compile(r"""\[(['"].+['"])\]"""),
}
_NUMBER = re.compile(r"[-+]?(?:0|[1-9]\d*)(?:\.\d+)?%?")  # not 0042
_ADDRESS = re.compile(r"\w+://[^\s,;|]+")  # on the web
_DIVIDED = re.compile(r"[,;|=\t]|:(?![\\/])")  # more than a name
_PLAIN_WORD = re.compile(r"[\w.+~@%-]*[\w+~@%-]", re.ASCII)  # a table writes it in one way, whatever its kind
_TIME = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?.*|\d\d?:\d\d.*")

Row = list[str]
Rows = list[Row]


class Match(NamedTuple):
    """The pictures that a cell may mean, and how many folders in it these do not lie in."""

    pictures: tuple[PurePosixPath, ...] = ()
    foreign: int = 0


@dataclass(frozen=True)
class Reading:
    """A text that was read in one way: rows, the header if it is known, and lines that can't be read, with causes."""

    rows: Rows
    header: Row = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)


@dataclass
class Table:
    """What a file says about pictures.

    `labels` has more than one label for a picture where rows contradict each other. `unclear` are the pictures that it
    names without a label, each with the reason. They are only `mentioned` where no row could be read. A file that gives
    no label has a `cause`. `broken` are lines that can't be read.
    """

    labels: dict[PurePosixPath, list[str]] = field(default_factory=dict)
    unclear: dict[PurePosixPath, str] = field(default_factory=dict)
    mentioned: bool = False
    strangers: int = 0  # rows that name no picture
    broken: dict[int, str] = field(default_factory=dict)
    cause: str = ""

    @property
    def rank(self) -> tuple[int, bool]:
        """How many pictures it names, and whether it has labels: of several readings, the highest is right."""
        torn = sum("\n" in label for labels in self.labels.values() for label in labels)
        return len(self.labels.keys() | self.unclear.keys()) - torn, bool(self.labels)


class PictureIndex:
    """Find pictures by what a table calls them: a path, a name, or a name without its suffix."""

    def __init__(self, names: Iterable[PurePosixPath]) -> None:
        self._names = list(names)
        self._by_key: defaultdict[str, list[PurePosixPath]] = defaultdict(list)
        for name in self._names:
            keys = {_key("/".join(name.parts[start:])) for start in range(len(name.parts))}
            keys |= {key[: -len(_key(name.suffix))] for key in set(keys) if name.suffix}
            for key in keys:
                self._by_key[key].append(name)

    def find(self, text: str, folder: PurePosixPath) -> Match:
        """The pictures that a cell of a table in `folder` may mean: one, none, or several.

        Those below the folder go first, then those that are spelled the same.
        """
        if _ADDRESS.fullmatch(text):
            text = re.split("[?#]", text)[0]
        parts = [part for part in re.split(r"[\\/]+", text.strip()) if part not in ("", ".", "..")]
        for start in range(len(parts)):  # the table may have been written elsewhere
            tail = "/".join(parts[start:])
            matches = self._by_key.get(_key(tail))
            if matches:
                return Match(_spelled(tail, _closest(len(parts) - start, folder, matches)), start)
        return Match()

    def below(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """The pictures in a folder and in those inside."""
        return [name for name in self._names if name.is_relative_to(folder)]

    def mentioned_in(self, data: bytes) -> set[PurePosixPath]:
        """The pictures whose names stand in a file. Names without suffixes count if half of all pictures are there."""
        words = _words_in(data)
        pictures = {picture for word in words for picture in self._by_key.get(word, ())}
        if 2 * len(pictures) >= len(self._names):
            return pictures
        return {picture for picture in pictures if _key(picture.name) in words}

    def possible_in(self, data: bytes) -> set[PurePosixPath]:
        """The pictures that a file may mean by any cell, and some more: those of names that are no plain words."""
        words = _words_in(data)
        pictures = {picture for word in words for picture in self._by_key.get(word, ())}
        return pictures | {name for name in self._names if not _PLAIN_WORD.fullmatch(name.name)}


def _words_in(data: bytes) -> set[str]:
    """The words and cells of a text that may be names, as keys."""
    text = _key(_decode(data) or data.decode("latin-1"))
    words = re.split(r"[\s,;|:=\"'<>(){}\[\]\\/]+", text)
    return {word.strip(" .") for word in (*words, *_cells_in(text))}


def _key(text: str) -> str:
    return normalise(text).lower()


def _cells_in(text: str) -> list[str]:
    """The texts between the signs of CSV and JSON."""
    return [cell.strip() for cell in re.split(r"[,;|:=\"'<>{}\[\]\\/\t\r\n]+", text)]


def _closest(parts: int, folder: PurePosixPath, pictures: Sequence[PurePosixPath]) -> Sequence[PurePosixPath]:
    """The pictures at a path of so many `parts` in the folder or, if there are none, below it or anywhere."""
    if len(pictures) == 1:
        return pictures
    below = [picture for picture in pictures if picture.is_relative_to(folder)]
    there = [picture for picture in below if len(picture.parts) == len(folder.parts) + parts]
    return there or below or pictures


def _spelled(tail: str, pictures: Sequence[PurePosixPath]) -> tuple[PurePosixPath, ...]:
    """The pictures that are spelled as this end of a path, in the same characters and case if there are such."""
    spellings: tuple[Callable[[str], str], ...] = (str, normalise, _key)
    for spell in spellings if len(pictures) > 1 else ():
        for with_suffix in (True, False):
            names = [str(picture if with_suffix else picture.with_suffix("")) for picture in pictures]
            same = [f"/{spell(name)}".endswith(f"/{spell(tail)}") for name in names]
            if any(same):
                return tuple(picture for picture, is_same in zip(pictures, same, strict=True) if is_same)
    return tuple(pictures)


def read_table(data: bytes, name: PurePosixPath, pictures: PictureIndex) -> Table:
    """What a table of this name says about pictures. A list of names alone says nothing about their labels."""
    text = _decode(data)
    if text is None:
        return _mentioning(data, name, pictures, f"the file {NO_TEXT}")
    if not text.strip():
        return Table(cause="the file is empty")
    best = Table()
    try:
        for reading in _readings(text, name.suffix.lower()):
            if _is_list(reading.rows, name.parent, pictures):
                return Table(cause="a list of names without labels")
            table = _match(reading, name, pictures)
            if table.rank > best.rank:
                best = table
    except SampleError as error:
        return _mentioning(data, name, pictures, str(error))
    return best if best.rank[0] else _mentioning(data, name, pictures)


def _mentioning(data: bytes, name: PurePosixPath, pictures: PictureIndex, cause: str = "") -> Table:
    """A table that gives no labels, which leaves those of the pictures that its text mentions unclear."""
    mentioned = pictures.mentioned_in(data)
    cause = cause or ("the text names pictures, but no row does" if mentioned else "no row names a picture")
    return Table(unclear=dict.fromkeys(mentioned, _no_label(name)), mentioned=True, cause=cause)


def _no_label(table: PurePosixPath) -> str:
    return f"no label in {escape_odd(table.name)}"


def single_label(data: bytes) -> str:
    """The text of a file that holds one short line. Raises SampleError, with what "the file" is or has instead."""
    text = _decode(data)
    if text is None:
        raise SampleError(NO_TEXT)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) != 1:
        raise SampleError(f"has {len(lines)} lines instead of one" if lines else "is empty")
    if len(lines[0]) > LABEL_LIMIT:
        raise SampleError(f"has more than {LABEL_LIMIT} characters")
    return lines[0]


def unwrap(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The labels without what programs put around all or nearly all of them, and what that was.

    The sign of a formula is left off wherever it stands, as no picture shows one.
    """
    texts, left_off = list(labels), []
    for what, wrapping in [*_WRAPPINGS.items()] * 2:  # quotes in brackets in quotes
        inner = [match and match[match.lastindex or 0] for match in map(wrapping.fullmatch, texts)]
        wrapped, filled = sum(map(bool, inner)), sum(map(bool, texts))
        if wrapped and (wrapping is _FORMULA or wrapped >= MOSTLY * filled):
            texts = [short or text for short, text in zip(inner, texts, strict=True)]
            left_off.append(what)
    return texts, left_off


def _decode(data: bytes) -> str | None:
    """The text in a file, or None if it is none."""
    encodings: tuple[str, ...] = ("utf-8-sig", "gb18030")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ("utf-16",)
    elif b"\0" in data[:2]:
        encodings = ("utf-16-be",) if data[:1] == b"\0" else ("utf-16-le",)
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _readings(text: str, suffix: str) -> Iterator[Reading]:
    """The text by each way to read a table. Raises SampleError when it is broken JSON."""
    if suffix in (".json", ".jsonl"):
        yield from _json_readings(text, suffix)
        return
    lines = text.splitlines()
    if lines and lines[0].lower().startswith("sep="):  # for Excel
        lines[0] = ""
    filled = [line for line in lines if line.strip()]
    yield Reading([[line.strip()] for line in filled])
    for delimiter in DELIMITERS:
        if not any(delimiter in line.strip(" ") for line in filled):
            continue
        if delimiter in ",;|":
            yield from _csv_readings(lines, delimiter)
        elif delimiter == "\t":
            yield Reading([line.split("\t") for line in filled])
        else:
            yield from _divided_once([line.strip() for line in filled], delimiter)


def _divided_once(lines: Sequence[str], delimiter: str) -> Iterator[Reading]:
    """Lines of a name and a label, of which one may have the delimiter in it. Blanks may also divide more columns."""
    sign = None if delimiter == " " else delimiter
    once = [Reading([line.split(sign, 1) for line in lines]), Reading([line.rsplit(sign, 1) for line in lines])]
    words = [line.split() for line in lines]
    if sign or len(set(map(len, words))) > 1:
        yield from once
    elif any(_is_file(word) for row in words for word in row[1:-1]):  # a number, a name, a label
        yield Reading(words)
    elif LABEL_HEADERS.isdisjoint(map(str.lower, words[0])):
        yield from (*once, Reading(words))
    else:
        yield from (Reading(words), *once)


def _csv_readings(lines: Sequence[str], delimiter: str) -> Iterator[Reading]:
    """CSV as a whole, where a quoted cell may hold line ends, and each line alone, so that a stray quote costs one."""
    options: dict[str, Any] = {"delimiter": delimiter, "skipinitialspace": True, "strict": True}
    if any('"' in line for line in lines):
        with suppress(csv.Error):
            rows = list(csv.reader((f"{line}\n" for line in lines), **options))
            yield Reading([row for row in rows if row])
    rows, broken = [], {}
    for number, line in enumerate(lines, 1):
        try:
            rows += csv.reader([line], **options) if line.strip() else []
        except csv.Error as error:
            broken[number] = "a quote is not closed" if "end of data" in str(error) else str(error)
    yield Reading(rows, broken=broken)


class _Object(list[tuple[str, Any]]):
    """The keys and values of a JSON object. A dict would lose a key that is there twice."""


def _json_readings(text: str, suffix: str) -> Iterator[Reading]:
    """Records, names with their labels, and lists of lists in JSON or JSON lines. Raises SampleError."""
    content, broken = _load_json(text, suffix)
    if isinstance(content, list) and all(isinstance(item, str) for item in content):
        yield Reading([[item] for item in content])
        return
    yield from _json_columns(content)
    objects = list(_objects(content))
    keys = [tuple(key for key, _ in members) for _, members in objects]
    header = ["", *dict.fromkeys(key for each in keys for key in each)]
    if len(header) <= JSON_COLUMNS and not any(map(_is_file, header)):
        records = [{"": name, **dict(members)} for name, members in objects]
        yield Reading([[record.get(key, "") for key in header] for record in records], header, broken)
    kinds = Counter(keys)  # records have the same keys, names differ
    mappings = [members for (_, members), each in zip(objects, keys, strict=True) if kinds[each] == 1]
    yield Reading([[key, value] for members in mappings for key, value in members], ["name", "label"], broken)
    if isinstance(content, list):
        yield Reading([row for row in content if _is_plain(row)], broken=broken)


def _json_columns(content: Any) -> Iterator[Reading]:
    """A table by columns, as pandas writes it: `{"file": {"0": …}, "label": {"0": …}}`, also with lists."""
    members = [(key, inner) for key, inner in content if isinstance(inner, list)] if _is_object(content) else []
    names = [key for key, _ in members]
    if len(members) < 2 or any(map(_is_file, names)):
        return
    keys = [[key for key, _ in inner] if _is_object(inner) else [""] * len(inner) for _, inner in members]
    if any(each != keys[0] for each in keys):
        return
    columns = [[value for _, value in inner] if _is_object(inner) else inner for _, inner in members]
    cells = [[value if isinstance(value, str) else "" for value in column] for column in columns]
    yield Reading([list(row) for row in zip(keys[0], *cells, strict=True)], ["", *names])


def _is_object(value: Any) -> bool:
    return isinstance(value, _Object)


def _is_plain(value: Any) -> bool:
    """Whether a JSON value is a list of texts and numbers."""
    is_list = isinstance(value, list) and not isinstance(value, _Object)
    return is_list and all(isinstance(item, str) for item in value)


def _load_json(text: str, suffix: str) -> tuple[Any, dict[int, str]]:
    """The value of a JSON text, or those of its lines with the causes of broken ones. Raises SampleError."""
    try:
        return _parse(text), {}
    except (ValueError, RecursionError) as error:
        whole = error
    values, broken = [], {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            values += [_parse(line)] if line.strip() else []
        except (ValueError, RecursionError) as error:
            broken[number] = _json_cause(error)
    if not any(isinstance(value, list) for value in values) or (suffix == ".json" and len(values) < len(broken)):
        place = f"line {whole.lineno}, column {whole.colno}: " if isinstance(whole, json.JSONDecodeError) else ""
        raise SampleError(f"not JSON: {place}{_json_cause(whole)}") from whole
    return values, broken


def _parse(text: str) -> Any:
    """A JSON value, with numbers as they are written: 007 would be no number, but 1.50 is a label."""
    return json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=str)


def _json_cause(error: Exception) -> str:
    return json_fault(error) if isinstance(error, json.JSONDecodeError) else str(error)


def _objects(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The texts and numbers of each object in a JSON value by their keys, and the key under which the object stands."""
    members = [(key, inner) for key, inner in value if isinstance(inner, str)] if isinstance(value, _Object) else []
    if members:
        yield name, members
    if depth == JSON_DEPTH or not isinstance(value, list):
        return
    for key, inner in value if isinstance(value, _Object) else ((name, inner) for inner in value):
        if not (members and isinstance(inner, _Object)):  # it says more of the same record
            yield from _objects(inner, key, depth + 1)


def _is_list(rows: Rows, folder: PurePosixPath, pictures: PictureIndex) -> bool:
    """Whether these rows of one cell are names of pictures, but for a header. Some pictures may be missing."""
    if not rows or any(len(row) != 1 for row in rows):
        return False
    matches = [Match() if _DIVIDED.search(cell) else pictures.find(cell, folder) for (cell,) in rows]
    names = sum(_is_name_alone(cell, match) for (cell,), match in zip(rows, matches, strict=True))
    return any(match.pictures for match in matches) and len(rows) - names <= max(1, (1 - MOSTLY) * len(rows))


def _is_name_alone(cell: str, match: Match) -> bool:
    """Whether a line is the name of a picture. A blank in it may also divide a label and a path."""
    if " " in cell:
        return bool(match.pictures) and match.foreign == 0
    return bool(match.pictures) or _is_file(cell)


def _match(reading: Reading, name: PurePosixPath, pictures: PictureIndex) -> Table:
    """What rows say, where one column names pictures. A table without a column of labels says why."""
    rows, header = reading.rows, reading.header
    columns = [
        [pictures.find(_cell(row, place), name.parent) for row in rows]
        for place in range(max(map(len, rows), default=0))
    ]
    if len(columns) < 2:
        return Table()
    try:
        place = _place_of_names(rows, columns, header)
    except SampleError as error:
        named = {picture for column in columns for match in column for picture in match.pictures}
        is_prose = name.suffix.lower() in PROSE_SUFFIXES and 2 * len(named) < len(rows)
        return Table() if is_prose else Table(unclear=dict.fromkeys(named, _no_label(name)), cause=str(error))
    matches = columns[place]
    like_names = [bool(match.pictures) or _is_file(_cell(row, place)) for match, row in zip(matches, rows, strict=True)]
    if name.suffix.lower() in PROSE_SUFFIXES and 2 * sum(like_names) < len(rows):
        return Table()
    if not header and not like_names[0]:
        header, rows, matches = rows[0], rows[1:], matches[1:]
    return replace(_table(rows, header, matches, place, name), broken=reading.broken)


def _place_of_names(rows: Rows, columns: Sequence[Sequence[Match]], header: Row) -> int:
    """The column that names the most pictures. Of several, the one with suffixes, or that the header calls so.

    Numbers of rows and labels may be names without suffixes too. Raises SampleError when several columns are left.
    """
    counts = [len({match.pictures for match in column} - {()}) for column in columns]
    places = [place for place, count in enumerate(counts) if count >= MOSTLY * max(counts)]
    places.sort(key=lambda place: -counts[place])
    cells = {place: [_cell(row, place) for row in rows] for place in places}
    if not header and not any(columns[place][0].pictures or _is_file(cells[place][0]) for place in places):
        header, cells = rows[0], {place: column[1:] for place, column in cells.items()}
    places = _preferred(places, lambda place: any(map(_is_file, cells[place])))
    places = _preferred(places, lambda place: not _is_called_label(_cell(header, place)))
    places = _preferred(places, lambda place: bool(_CALLED_NAMES.search(_cell(header, place))))
    if len(columns) > 2:  # of two, the other one would have the labels
        places = _preferred(places, lambda place: not _counts_rows(_cell(header, place), cells[place]))
    others = [place for place in places if _differ(columns[places[0]], columns[place])]
    if others:
        which = _which(header, cells, [places[0], *others], "file")
        raise SampleError(f"it is not clear which column names the pictures, {which}")
    return places[0]


def _preferred(places: list[int], is_better: Callable[[int], bool]) -> list[int]:
    """The places that are better, or all if none is."""
    return [place for place in places if is_better(place)] or places


def _counts_rows(header: str, cells: Sequence[str]) -> bool:
    """Whether a column is called as numbers of rows are, and counts them from 0 or 1."""
    plain = _plain_header(header)
    is_called_so = plain in COUNTER_HEADERS or plain.startswith("unnamed") or plain.isdecimal()
    numbers = [str(number) for number in range(len(cells) + 1)]
    return is_called_so and list(cells) in (numbers[:-1], numbers[1:])


def _differ(column: Sequence[Match], other: Sequence[Match]) -> bool:
    """Whether two columns name different pictures in a row."""
    pairs = zip(column, other, strict=True)
    return any(one.pictures and two.pictures and one.pictures != two.pictures for one, two in pairs)


def _is_file(cell: str) -> bool:
    return has_suffix(cell, ANY_SUFFIX)


def _cell(row: Row, place: int) -> str:
    return row[place].strip() if place < len(row) else ""


def _table(rows: Rows, header: Row, matches: Sequence[Match], place: int, name: PurePosixPath) -> Table:
    """What rows say about the pictures that their cells at `place` name."""
    table = Table(strangers=sum(not match.pictures for match in matches))
    for match in matches:
        if len(match.pictures) > 1:
            table.unclear |= dict.fromkeys(match.pictures, _several(match, name))
    named = [(row, match) for row, match in zip(rows, matches, strict=True) if len(match.pictures) == 1]
    if not named:
        names = next(iter(table.unclear.values()), "").partition(": ")[2]
        table.cause = f"each row names several pictures: {names}"
        return table
    width = max(len(row) for row, _ in named)
    columns = {index: [_cell(row, index) for row, _ in named] for index in range(width) if index != place}
    try:
        _give_labels(table, [match for _, match in named], columns[_label_column(header, columns)])
    except SampleError as error:
        table.cause = str(error)
        table.unclear |= {match.pictures[0]: _no_label(name) for _, match in named}
    return table


def _several(match: Match, table: PurePosixPath) -> str:
    names = ", ".join(escape_odd(str(picture)) for picture in match.pictures[:SHOWN])
    return f"a row of {escape_odd(table.name)} names {len(match.pictures)} pictures: {names}"


def _give_labels(table: Table, matches: Sequence[Match], labels: Sequence[str]) -> None:
    """Add the labels to the table. A row whose path fits less than that of another row names another picture."""
    closest: dict[PurePosixPath, int] = {}
    for (picture,), foreign in matches:
        closest[picture] = min(foreign, closest.get(picture, foreign))
    for ((picture,), foreign), label in zip(matches, map(normalise, labels), strict=True):
        if foreign > closest[picture]:
            table.strangers += 1
        elif label not in table.labels.setdefault(picture, []):
            table.labels[picture].append(label)
    table.unclear = {picture: reason for picture, reason in table.unclear.items() if picture not in table.labels}


def _label_column(header: Row, columns: dict[int, list[str]]) -> int:
    """The column of the labels: one that the header calls so, or the only one that may have them.

    Raises SampleError when several may, or none.
    """
    named = [index for index in columns if _is_called_label(_cell(header, index))]
    exact = [index for index in named if _plain_header(_cell(header, index)) in LABEL_HEADERS]
    for indices, is_likely in ((exact, _varies), (named, _varies), (list(columns), _may_be_labels)):
        likely = _without_numbers({index: columns[index] for index in indices if is_likely(columns[index])})
        if len({tuple(columns[index]) for index in likely}) > 1:
            raise SampleError(f"it is not clear whether the labels are in {_which(header, columns, likely)}")
        if likely:
            return likely[0]
    single = exact or named or list(columns)
    if len(single) == 1:
        return single[0]
    raise SampleError(f"no labels seem to be in {_which(header, columns, list(columns))}")


def _which(header: Row, columns: dict[int, list[str]], indices: Sequence[int], word: str = "label") -> str:
    """The columns in a message, with the way out: the word that it should be called."""
    names = [
        f"'{escape_odd(name)}'"
        if (name := _cell(header, index))
        else f"column {index + 1} ('{escape_odd(columns[index][0])}')"
        for index in indices
    ]
    return f"{' or '.join(names[: SHOWN + 1])}: call the right column or key '{word}'"


def _plain_header(cell: str) -> str:
    return cell.strip("\"' ").lower()


def _is_called_label(cell: str) -> bool:
    """Whether a header calls its column so, also within a word: `captcha_solution`, `ocrText`."""
    plain = _plain_header(cell)
    if plain in LABEL_HEADERS:
        return True
    words = set(re.split(r"[\W\d_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cell).lower()))
    if words & OTHER_HEADERS:
        return False
    return bool(words & LABEL_HEADERS) or any(not word.isascii() and word in plain for word in LABEL_HEADERS)


def _varies(cells: Sequence[str]) -> bool:
    return len(set(cells)) > 1 or len(cells) < 3


def _may_be_labels(cells: Sequence[str]) -> bool:
    """Whether cells may be labels: no serial numbers, times, file names or long texts, and not the same few texts."""
    filled = [cell for cell in cells if cell]
    if 2 * len(filled) < len(cells) or is_serial_column(filled) or not _varies(filled):
        return False
    if max(map(len, filled)) > LABEL_LIMIT or any(map(_is_file, filled)):
        return False
    return not _are_few(filled) and not all(map(_TIME.fullmatch, filled))


def _are_few(cells: Sequence[str]) -> bool:
    """Whether many cells hold the same few texts. Labels of one or two characters may be few."""
    values = set(cells)
    is_short = max(map(len, values)) < 3 <= len(values)
    return len(cells) >= MANY and len(values) <= max(2, min(FEW_VALUES, FEW_SHARE * len(cells))) and not is_short


def _without_numbers(columns: dict[int, list[str]]) -> list[int]:
    """The columns without those of plain numbers, if there are others."""
    numbers = [index for index, cells in columns.items() if all(_NUMBER.fullmatch(cell) for cell in cells if cell)]
    return [index for index in columns if index not in numbers] or numbers
