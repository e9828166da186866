"""Tables of labels beside pictures: CSV, TSV, `rec_gt.txt`, JSON lines, and a text file for each picture.

Which column names the files is found by what the pictures are called, so a header and the order do not matter.
"""

import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from cnnlib.data.name_shapes import is_running

TABLE_SUFFIXES = {".csv", ".tsv", ".txt", ".tab", ".list", ".lst", ".jsonl", ".json"}
LABEL_HEADERS = {
    *(
        "label",
        "labels",
        "text",
        "captcha",
        "code",
        "value",
        "answer",
        "solution",
        "ground_truth",
        "gt",
        "word",
        "words",
    ),
    *("transcription", "target", "result", "string", "captcha_text", "标签", "验证码", "答案", "内容"),
}
DELIMITERS = ("\t", ",", ";", "|", " ")
Table = dict[PurePosixPath, str]  # picture -> label
Rows = list[list[str]]


class PictureIndex:
    """Find pictures by what a table calls them: a path, a name, or a name without its suffix."""

    def __init__(self, names: Iterable[PurePosixPath]) -> None:
        self._by_key: defaultdict[str, list[PurePosixPath]] = defaultdict(list)
        for name in names:
            keys = {str(PurePosixPath(*name.parts[start:])).lower() for start in range(len(name.parts))}
            keys |= {key[: -len(name.suffix)] for key in set(keys) if name.suffix}
            for key in keys:
                self._by_key[key].append(name)

    def find(self, text: str, folder: PurePosixPath) -> PurePosixPath | None:
        """The picture that a cell of a table in `folder` names, or None. One below the folder goes first."""
        parts = [part for part in re.split(r"[\\/]+", text.strip().lower()) if part not in ("", ".", "..")]
        for start in range(len(parts)):  # the table may have been written elsewhere
            matches = self._by_key.get("/".join(parts[start:]), [])
            inside = [match for match in matches if match.is_relative_to(folder)]
            exact = [match for match in inside if str(match.relative_to(folder)).lower() == "/".join(parts[start:])]
            for candidates in (exact, inside, matches):
                if len(candidates) == 1:
                    return candidates[0]
        return None


def read_table(data: bytes, name: PurePosixPath, pictures: PictureIndex) -> tuple[Table, int] | None:
    """The labels that a table gives to pictures, and how many rows name no picture. None if it is no such table."""
    text = _decode(data)
    if text is None:
        return None
    best: tuple[Table, int] | None = None
    for rows in _readings(text, name.suffix.lower()):
        found = _match(rows, name.parent, pictures)
        if found and (best is None or len(found[0]) > len(best[0])):
            best = found
    return best


def single_label(data: bytes) -> str | None:
    """The text of a file that holds one short line, or None."""
    lines = [line.strip() for line in (_decode(data) or "").splitlines() if line.strip()]
    return lines[0] if len(lines) == 1 and len(lines[0]) <= 64 else None


def _decode(data: bytes) -> str | None:
    encodings = ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return None if "\0" in text else text
    return None


def _readings(text: str, suffix: str) -> Iterable[Rows]:
    """The rows of a table by each way to read it."""
    if suffix in (".json", ".jsonl"):
        yield from _json_rows(text)
        return
    lines = [line for line in text.splitlines() if line.strip()]
    for delimiter in DELIMITERS:
        if not any(delimiter in line for line in lines):
            continue
        if delimiter in "\t ":
            pairs = [re.split(r"\s+" if delimiter == " " else "\t", line.strip()) for line in lines]
            yield pairs
            if delimiter == " ":  # a name or a label with blanks
                yield [line.strip().split(None, 1) for line in lines]
                yield [line.strip().rsplit(None, 1) for line in lines]
        else:
            try:
                yield [row for row in csv.reader(io.StringIO(text), delimiter=delimiter, skipinitialspace=True) if row]
            except csv.Error:
                continue


def _json_rows(text: str) -> Iterable[Rows]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        try:
            content = [json.loads(line) for line in text.splitlines() if line.strip()]
        except (ValueError, RecursionError):
            return
    if isinstance(content, dict):
        yield [[str(key), str(value)] for key, value in content.items() if isinstance(value, str | int)]
    elif isinstance(content, list) and all(isinstance(row, dict) for row in content):
        header = list(dict.fromkeys(key for row in content for key in row))
        yield [header, *([str(row.get(key, "")) for key in header] for row in content)]
    elif isinstance(content, list) and all(isinstance(row, list) for row in content):
        yield [[str(cell) for cell in row] for row in content]


def _match(rows: Rows, folder: PurePosixPath, pictures: PictureIndex) -> tuple[Table, int] | None:
    """The labels in rows, where one column names pictures."""
    width = max(map(len, rows), default=0)
    if width < 2:
        return None
    named = [
        [pictures.find(row[place], folder) if place < len(row) and row[place].strip() else None for row in rows]
        for place in range(width)
    ]
    counts = [len(set(column) - {None}) for column in named]
    place = counts.index(max(counts))
    label_place = _label_column(rows, place, named[place]) if counts[place] else None
    if label_place is None:
        return None
    table: Table = {}
    for row, picture in zip(rows, named[place], strict=True):
        if picture and label_place < len(row):
            table.setdefault(picture, row[label_place].strip(" \t\r\n"))
    header = named[place][0] is None
    return table, sum(picture is None for picture in named[place]) - header


def _label_column(rows: Rows, place: int, named: Sequence[PurePosixPath | None]) -> int | None:
    """The column of the labels: the one that the header calls so, or the only one that can be."""
    header = rows[0] if named[0] is None else []
    for index, cell in enumerate(header):
        if cell.strip().strip('"').lower() in LABEL_HEADERS and index != place:
            return index
    body = [row for row, picture in zip(rows, named, strict=True) if picture]
    width = max(map(len, body))
    columns = {index: [row[index] for row in body if index < len(row)] for index in range(width) if index != place}
    possible = [index for index, cells in columns.items() if len(cells) == len(body) and not is_running(cells)]
    if len(possible) > 1:
        possible = [index for index in possible if len(set(columns[index])) > 1 or len(body) < 3]
    if len(possible) > 1 and place + 1 in possible:
        return place + 1
    return possible[0] if possible else next(iter(columns), None)
