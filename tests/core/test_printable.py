"""Whatever others wrote is printed as text: no terminal obeys it, and one line stays one."""

import io
import logging
import unicodedata

import pytest
from tqdm import tqdm

from cnnlib.core.errors import ModelError
from cnnlib.core.printable import OBEYED, PrintableFormatter, PrintableStream, excerpt, printable

CLEAR = "\x1b[2J"
HARMLESS = (
    "2e8j",
    "天气预报",
    "ÄÖÜß",
    "кот",
    "日本語テスト",
    "ไทย",
    "עברית",
    "عربي",
    "a b",
    "$^\\_{}",
    "①½",
    "e\u0301",
    "😀",
)
HARMFUL = {
    "escape sequence": ("a\x1b[2Jb", r"a\x1b[2Jb"),
    "C1 sequence": ("a\x9b2Jb", r"a\x9b2Jb"),
    "delete and backspace": ("a\x7f\b", r"a\x7f\x08"),
    "carriage return": ("good\rbad", r"good\rbad"),
    "line end": ("a\nPicture accuracy: 100%", r"a\nPicture accuracy: 100%"),
    "next line, line separator": ("a\x85b\u2028c\u2029", r"a\x85b\u2028c\u2029"),
    "right-to-left": ("a\u202egnp.exe", r"a\u202egnp.exe"),
    "isolate": ("\u2066a\u2069", r"\u2066a\u2069"),
    "zero width": ("a\u200bb\ufeff\u200d", r"a\u200bb\ufeff\u200d"),
    "tag": ("a\U000e0041", r"a\U000e0041"),
    "lone surrogate": ("a\udcd6", r"a\udcd6"),
    "NUL, bell, tab": ("\0\a\t", r"\x00\x07\t"),
}


@pytest.mark.parametrize("text", HARMLESS)
def test_letters_of_all_scripts_stay(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("kind", HARMFUL)
def test_what_a_terminal_obeys_is_an_escape(kind: str) -> None:
    text, escaped = HARMFUL[kind]
    assert printable(text) == escaped
    assert printable(escaped) == escaped


def test_no_character_of_unicode_slips_through() -> None:
    everything = "".join(map(chr, range(0x110000)))
    assert not {unicodedata.category(character) for character in printable(everything)} & {*OBEYED}


def test_long_text_is_cut() -> None:
    assert excerpt("x" * 10**6) == "x" * 200 + "…"
    assert excerpt(CLEAR) == r"\x1b[2J"


def test_message_of_an_error_keeps_its_lines_alone() -> None:
    assert str(ModelError(f"a: wrong\nb: {CLEAR}wrong")) == "a: wrong\nb: \\x1b[2Jwrong"


def test_stream_writes_lines_and_progress_bars_but_nothing_that_is_obeyed() -> None:
    console = io.StringIO()
    stream = PrintableStream(console)
    print("a\tb", f"{CLEAR}\x9b\u202e", file=stream)
    stream.writelines(["c\n", "d\rforged\n"])
    assert console.getvalue() == "a\tb \\x1b[2J\\x9b\\u202e\nc\nd\\rforged\n"
    console.seek(0)
    for _ in tqdm(range(3), file=stream, mininterval=0, desc="pictures"):
        pass
    shown = console.getvalue()
    assert "\rpictures: 100%" in shown
    assert "\\r" not in shown.split("forged")[-1]


def test_log_line_is_one_line() -> None:
    record = logging.LogRecord("x", logging.WARNING, "", 1, "%s", (f"a\n2026 INFO forged{CLEAR}",), None)
    assert PrintableFormatter("%(levelname)s %(message)s").format(record) == r"WARNING a\n2026 INFO forged\x1b[2J"
    try:
        raise ValueError(CLEAR)
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    assert PrintableFormatter("%(message)s").format(record).endswith("\nValueError: \\x1b[2J")
