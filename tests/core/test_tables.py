"""CSV files as spreadsheets open them."""

import csv
import io
import os
from pathlib import Path

import pytest

from cnnlib.core.tables import number, open_table, table_bytes

STARTS = ["=", "+", "-", "@", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20"]  # the last four are full-width ones
HARMFUL = [f"{start}1+1" for start in STARTS] + [
    "=cmd|' /C calc'!A0",
    "-12",
    "+49",
    "@SUM(1)",
    " =1+1",
    "\t=1",
    "\r=1",
    "\n=1",
    "\u00a0=1",
    "\u3000=1",
    "\ufeff=1",
    "\0=1",
    "\x1b=1",
]


def rows_of(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize("text", HARMFUL)
def test_no_cell_is_a_formula(text: str, tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with open_table(path, ("picture", text)) as write:
        write((text, 1), ("plain", text))
    for data in (path.read_bytes(), table_bytes(("picture", text), [(text, 1), ("plain", text)])):
        cells = [cell for row in rows_of(data) for cell in row]
        assert cells == ["picture", f"'{text}", f"'{text}", "1", "plain", f"'{text}"]


def test_other_texts_and_numbers_stay_as_they_are() -> None:
    row = ("a=b", "2e8j", "天", "a,b", 'a"b', "", number(-0.5, 3), -7, number(0.25, 6))
    assert rows_of(table_bytes(("x",), [row]))[1] == [
        "a=b",
        "2e8j",
        "天",
        "a,b",
        'a"b',
        "",
        "-0.500",
        "-7",
        "0.250000",
    ]


def test_table_begins_with_a_byte_order_mark(tmp_path: Path) -> None:
    with open_table(tmp_path / "table.csv", ("天",)) as write:
        write(("地",))
    expected = b"\xef\xbb\xbf" + "天\r\n地\r\n".encode()
    assert (tmp_path / "table.csv").read_bytes() == expected == table_bytes(("天",), [("地",)])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_table_on_a_full_disk_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"), open_table(Path("/dev/full"), ["a"]):
        pass


def test_bytes_of_a_name_that_are_no_utf_8_are_hexadecimal() -> None:
    assert table_bytes(("x",), [(os.fsdecode(b"\xd6_1.png"),)]).endswith(b"\r\n\\udcd6_1.png\r\n")


def test_every_csv_file_is_written_by_one_module() -> None:
    from cnnlib.core.paths import PROJECT_ROOT

    folders = ("cnnlib", "gen_image", "tools", ".")
    paths = {
        path for folder in folders for path in (PROJECT_ROOT / folder).glob("**/*.py" if folder != "." else "*.py")
    }
    writing = [path.name for path in paths if "csv.writer" in path.read_text(encoding="utf-8")]
    assert writing == ["tables.py"]
