"""CSV files that a spreadsheet opens as they are meant: characters of any script, and no cell that it computes."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

from cnnlib.core.errors import naming_file

ENCODING = "utf-8-sig"  # without the byte order mark, Excel reads it in the code page of the machine
ERRORS = "backslashreplace"  # bytes of a name that are not UTF-8 are written in hexadecimal
FORMULA_STARTS = "=+-@|%＝＋－＠"  # a spreadsheet computes what follows, or asks another program to
GUARD = "'"  # in front of a text that would be a formula; spreadsheets take it for a text then


class Number(str):
    """A number as text: it may begin with a minus."""

    __slots__ = ()


class Writer(Protocol):
    """Writes rows of a table."""

    def __call__(self, *rows: Sequence[object]) -> None: ...


def number(value: float, digits: int) -> Number:
    """A number with so many digits after the point."""
    return Number(f"{value:.{digits}f}")


@contextmanager
def open_table(path: Path, header: Sequence[str]) -> Iterator[Writer]:
    """Write a CSV file row by row. Raises OSError that names it when it can't be written."""
    with _closed(path, path.open("w", newline="", encoding=ENCODING, errors=ERRORS)) as file:
        writer = csv.writer(file)

        def write(*rows: Sequence[object]) -> None:
            with naming_file(path):
                writer.writerows(map(_harmless, rows))

        write(header)
        yield write


@contextmanager
def _closed(path: Path, file: TextIO) -> Iterator[TextIO]:
    """Close a file after the block. It is then that a full disk shows; the error names the path."""
    try:
        yield file
    finally:
        with naming_file(path):
            file.close()


def table_bytes(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The bytes of a CSV file."""
    text = io.StringIO()
    csv.writer(text).writerows(map(_harmless, (header, *rows)))
    return text.getvalue().encode(ENCODING, ERRORS)


def _harmless(row: Sequence[object]) -> list[object]:
    return [_guarded(cell) if isinstance(cell, str) and not isinstance(cell, Number) else cell for cell in row]


def plain_cell(text: str) -> str:
    """The text that a cell was made from."""
    unguarded = text.removeprefix(GUARD)
    return unguarded if _guarded(unguarded) == text else text


def _guarded(text: str) -> str:
    """The text, with a guard when a spreadsheet would take it for a formula, blanks and controls in front or not."""
    start = text.lstrip("".join(map(chr, range(33))) + "\u00a0\u3000\ufeff")
    formula = start[:1] and start[0] in FORMULA_STARTS
    return GUARD + text if formula or text[:1] in ("\t", "\r", "\n") else text
