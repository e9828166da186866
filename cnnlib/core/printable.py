"""Make the text of others safe to print: file names, labels, config keys, answers of servers, messages of libraries.

A terminal obeys control characters. Raw, they clear the screen, move the cursor, forge a line or turn text around.
"""

import logging
import re
import unicodedata
from collections.abc import Iterable
from typing import Any, TextIO

EXCERPT_LIMIT = 200  # characters of a text that may have any length
# Control characters, formats such as those that turn text around or take no room, unpaired surrogates, line separators.
OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")  # categories of Unicode


def printable(text: str, keep: str = "") -> str:
    """The text with every character that a terminal could obey as an escape, such as `\\x1b`, but for those to `keep`.

    Letters, signs and blanks of all scripts stay. A line end is an escape too, so what is printed stays one line.
    """
    if text.isprintable():  # most texts are, and this is a hundred times faster
        return text
    return "".join(_escaped(c) if is_obeyed(c) and c not in keep else c for c in text)


def is_obeyed(character: str) -> bool:
    """Whether a terminal could obey a character instead of showing it."""
    return unicodedata.category(character) in OBEYED


def excerpt(text: object, limit: int = EXCERPT_LIMIT) -> str:
    """The start of a text that may have any length, printable."""
    whole = str(text)
    return printable(whole[:limit]) + ("…" if len(whole) > limit else "")


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


class PrintableStream:
    """A console stream that writes no control character but line end and tab: the last guard behind all that prints.

    A carriage return passes at the start of a write, where progress bars have it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        start = re.match("\r?", text).end()  # type: ignore[union-attr]
        self._stream.write(text[:start] + printable(text[start:], keep="\n\t"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class PrintableFormatter(logging.Formatter):
    """A log format that keeps each message on one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name of the base class)
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return printable(super().formatException(ei), keep="\n")
