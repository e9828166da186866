"""Folders as people have them become labelled pictures under sound names, each once, and stay as they are."""

import csv
import json
import os
import random
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from cnnlib.codec.filenames import file_name, label_of
from cnnlib.codec.images import suffix_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.data import importing, sources
from cnnlib.data.folders import list_entries
from tests.helpers import draw, write_config

LETTERS = "abcdefgh23456789"
Drawn = list[tuple[str, bytes]]  # label and bytes of each picture


class Desk:
    """Draws pictures of random labels, no two with the same bytes, and remembers them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.drawn, self._chance = folder, Counter[tuple[str, bytes]](), random.Random(5)

    def draw(self, name: str, label: str | None = None) -> str:
        """Draw a picture under a name that may hold `{label}`."""
        label = label or "".join(self._chance.choices(LETTERS, k=4))
        number = self.drawn.total()
        name = name.format(label=label)
        path = draw(label, self.folder / re.sub(r"(?<=png)[.]\d+$", "", name), size=(60, 20), seed=number)
        path = path.rename(self.folder / name)
        self.drawn[label, path.read_bytes()] += 1
        return label

    def draw_many(self, count: int, name: str) -> list[str]:
        return [self.draw(name.replace("{n}", str(n)).replace("{n4}", f"{n:04d}")) for n in range(count)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "source")


def silent(items: Iterable[Any], **_: Any) -> Iterable[Any]:
    return items


def run(source: Path, config: SampleConfig, **options: Any) -> tuple[importing.Found, importing.Copied]:
    found = importing.find(source, config, silent, **options)
    return found, importing.copy(found, config, silent)


def imported(config: SampleConfig) -> Counter[tuple[str, bytes]]:
    paths = list_entries(config.origin_image_dir)
    for path in paths:
        assert path.suffix == f".{suffix_of(path.read_bytes())}"
        assert path.stem.count("_") == 1
    return Counter((label_of(path.name), path.read_bytes()) for path in paths)


def write_table(path: Path, rows: Iterable[tuple[str, ...]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)


NAMES = [
    "{label}_{n}.png",
    "{label}.png",
    "{label}_{n}.JPG",
    "{label}.jpeg",
    "{label} ({n}).jpg",
    "{label}({n}).png",
    "{label} - Copy.png",
    "{label} - Copy ({n}).png",
    "{label} copy {n}.jpg",
    "{label} - 副本.png",
    "{label}_{n} (1).png",
    "{n4}_{label}.png",
    "{n}_{label}.png",
    "captcha_{label}_{n}.png",
    "captcha_{n4}_{label}.png",
    "{label}-{n}.png",
    "{n4}-{label}.png",
    "{n}. {label}.png",
    "[{n}]{label}.png",
    "captcha-{label}.png",
    "{label}_{n}_more.png",
    "{label}.png.{n}",
    "captchas/{label}_{n}.png",
    "train/{label}.png",
]


@pytest.mark.parametrize("name", NAMES)
def test_labels_in_names_of_any_usual_shape_are_taken(desk: Desk, config: SampleConfig, name: str) -> None:
    desk.draw_many(30, name)
    found, copied = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert (copied.new, copied.present, found.skipped, copied.skipped) == (30, 0, [], [])


def test_mixed_shapes_are_told_apart_and_their_labels_counted(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(20, "{label}_{n}.JPG")
    desk.draw_many(20, "{label}.png")
    desk.draw_many(20, "sub/{n4}_{label}.png")
    for number in range(6):
        label = desk.draw(f"labels/{{label}}/{number}.png")
        desk.draw(f"labels/{label}/x.png", label)
    names = [f"{number}.png" for number in range(20)]
    write_table(
        desk.folder / "other" / "labels.csv", [("file", "text"), *((n, desk.draw(f"other/{n}")) for n in names)]
    )
    before = {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()}
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.summary == (
        f"{desk.folder.as_posix()}/: 40 labels from names, 20 from labels.csv, "
        "20 from names with the serial number first, 12 from folders"
    )
    assert {path: path.read_bytes() for path in desk.folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("names", [["{n}.png"], ["{m}.png"], ["img_{n}.png", "img_{m}.png"], ["a.png", "b.png"]])
def test_folder_names_are_labels_where_pictures_are_only_numbered(
    desk: Desk, config: SampleConfig, names: list[str]
) -> None:
    for number in range(12):
        folder = "".join(random.Random(number).choices(LETTERS, k=4))
        for name in names:
            place = name.replace("{n}", "7").replace("{m}", f"{number:05d}")
            desk.draw(f"{folder}/{place}", folder)
    run(desk.folder, config)
    assert imported(config) == desk.drawn


TABLES: dict[str, Callable[[Path, list[tuple[str, str]]], None]] = {
    "csv": lambda folder, rows: write_table(folder / "labels.csv", [("filename", "label"), *rows]),
    "label first": lambda folder, rows: write_table(folder / "labels.csv", [(b, a) for a, b in rows]),
    "semicolons": lambda folder, rows: write_table(folder / "a.csv", rows, ";"),
    "tsv with an index": lambda folder, rows: write_table(
        folder / "a.tsv", [("", "file_name", "text"), *((str(n), *row) for n, row in enumerate(rows))], "\t"
    ),
    "PaddleOCR": lambda folder, rows: write_table(folder / "rec_gt.txt", rows, "\t"),
    "blanks": lambda folder, rows: write_table(folder / "labels.txt", rows, " "),
    "other folder": lambda folder, rows: write_table(
        folder / "a.csv", [(rf"C:\data\pictures\{a}", b) for a, b in rows]
    ),
    "no suffix": lambda folder, rows: write_table(folder / "a.csv", [(a.removesuffix(".png"), b) for a, b in rows]),
    "UTF-16": lambda folder, rows: (folder / "a.csv").write_text(
        "".join(f"{a},{b}\n" for a, b in rows), encoding="utf-16"
    ),
    "JSON lines": lambda folder, rows: (folder / "metadata.jsonl").write_text(
        "".join(json.dumps({"file_name": a, "text": b}) + "\n" for a, b in rows)
    ),
    "JSON": lambda folder, rows: (folder / "labels.json").write_text(json.dumps(dict(rows))),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_beside_numbered_pictures_are_read(desk: Desk, config: SampleConfig, kind: str) -> None:
    rows = [(f"{number:03d}.png", desk.draw(f"pictures/{number:03d}.png")) for number in range(20)]
    TABLES[kind](desk.folder / "pictures", rows)
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert len({picture.origin for picture in found.pictures}) == 1


def test_text_file_of_each_picture_is_its_label(desk: Desk, config: SampleConfig) -> None:
    for number in range(12):
        (desk.folder / f"{number}.gt.txt").parent.mkdir(exist_ok=True)
        label = desk.draw(f"{number}.png")
        (desk.folder / f"{number}{'.gt' if number % 2 else ''}.txt").write_text(f"{label}\n")
    run(desk.folder, config)
    assert imported(config) == desk.drawn


def test_table_alone_takes_only_the_pictures_that_it_names(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"p/{number}.png", desk.draw(f"p/{number}.png")) for number in range(12)]
    table = desk.folder / "labels.csv"
    write_table(table, [*rows, ("p/gone.png", "abcd")])
    draw("zzzz", desk.folder / "zzzz_1.png", size=(60, 20))
    found, _ = run(table, config)
    assert imported(config) == desk.drawn
    assert found.skipped == [("labels.csv", "rows that name no picture: 1")]


def hashed(desk: Desk, count: int, folder: str = "") -> list[tuple[str, str]]:
    """Names that look like labels and are none, and the labels of the pictures that were drawn under them."""
    chance = random.Random(f"hashed {folder}")
    names = [f"{''.join(chance.choices('0123456789abcdef', k=8))}.png" for _ in range(count)]
    return [(name, desk.draw(f"{folder}{name}")) for name in names]


def reasons_in(found: importing.Found) -> Counter[str]:
    return Counter(reason for _, reason in found.skipped)


def labels_in(found: importing.Found) -> list[str]:
    return sorted(picture.label for picture in found.pictures)


def test_pictures_without_a_row_get_no_label_from_their_names(desk: Desk, config: SampleConfig) -> None:
    rows = hashed(desk, 30)
    write_table(desk.folder / "labels.csv", [("file", "label"), *rows[:20]])
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for _, label in rows[:20])
    assert reasons_in(found) == {"no row in labels.csv": 10}
    assert found.summary.endswith("/: 20 labels from labels.csv, 10 skipped")


@pytest.mark.parametrize("change", [str, str.upper])
def test_names_that_say_what_the_table_says_count_beside_it(
    desk: Desk, config: SampleConfig, change: Callable[[str], str]
) -> None:
    labels = desk.draw_many(30, "{label}_{n}.png")
    rows = [(f"{label}_{number}.png", change(label)) for number, label in enumerate(labels)]
    write_table(desk.folder / "labels.csv", rows[:20])
    found = importing.find(desk.folder, config, silent, accept_labels=True)
    assert labels_in(found) == sorted([*(label for _, label in rows[:20]), *labels[20:]])
    assert found.skipped == []


def test_table_in_one_folder_leaves_others_to_their_names_unless_names_lie(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{number}.png", desk.draw(f"numbered/{number}.png")) for number in range(12)]
    write_table(desk.folder / "numbered" / "labels.csv", rows)
    desk.draw_many(12, "other/{label}_{n}.png")
    run(desk.folder, config)
    assert imported(config) == desk.drawn
    lying = hashed(desk, 12, "hashed/")
    write_table(desk.folder / "hashed" / "table.csv", lying[:6])
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for _, label in (*rows, *lying[:6]))
    assert reasons_in(found) == {"no row in table.csv": 18}


def test_table_beside_the_folders_of_pictures_speaks_for_what_holds_them_all(desk: Desk, config: SampleConfig) -> None:
    rows = hashed(desk, 12, "pictures/train/")
    hashed(desk, 6, "pictures/test/")
    write_table(desk.folder / "labels" / "train.csv", rows)
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for _, label in rows)
    assert reasons_in(found) == {"no row in train.csv": 6}


def test_folder_that_a_table_does_not_reach_is_read_by_names(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{number}.png", desk.draw(f"pictures/train/{number}.png")) for number in range(12)]
    write_table(desk.folder / "pictures" / "labels" / "train.csv", rows)
    near = desk.draw_many(6, "pictures/other/{label}_{n}.png")
    far = desk.draw_many(6, "far/{label}_{n}.png")
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted([*far, *(label for _, label in rows)])
    assert sorted(name for name, _ in found.skipped) == sorted(
        f"pictures/other/{label}_{number}.png" for number, label in enumerate(near)
    )


UNUSABLE = {
    "comma at the end": ("labels.json", lambda rows: json.dumps(dict(rows))[:-1] + ",}", "not JSON: line 1, column "),
    "quotes that are none": ("labels.csv", lambda rows: "".join(f"'{a}','{b}'\n" for a, b in rows), "the text names "),
    "two columns": ("labels.csv", lambda rows: "".join(f"{a},{b},{b[::-1]}x\n" for a, b in rows), "it is not clear "),
    "sizes alone": ("sizes.csv", lambda rows: "".join(f"{a},60,20\n" for a, _ in rows), "no labels seem to be in "),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_names_are_no_labels_beside_a_table_that_cannot_be_used(desk: Desk, config: SampleConfig, kind: str) -> None:
    name, write, cause = UNUSABLE[kind]
    rows = hashed(desk, 30)
    (desk.folder / name).write_text(write(rows[:20]))
    with pytest.raises(SampleError, match="got none") as error:
        importing.find(desk.folder, config, silent)
    assert f"Skipped {name}: {cause}" in str(error.value)
    assert f"Skipped 20: no label in {name}, such as " in str(error.value)
    assert f"Skipped 10: no row in {name}, such as " in str(error.value)


def test_table_that_cannot_be_opened_keeps_its_folder_from_being_read_by_names(
    desk: Desk, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed(desk, 12)
    (desk.folder / "labels.csv").write_bytes(b"x" * 20_000)
    monkeypatch.setattr(sources, "FILE_LIMIT_BYTES", 10_000)
    with pytest.raises(SampleError, match=r"labels\.csv: expected a file of at most 10000 bytes; got more") as error:
        importing.find(desk.folder, config, silent)
    assert "Skipped 12: no label in labels.csv, such as " in str(error.value)


def test_broken_lines_cost_their_own_pictures_and_are_named(desk: Desk, config: SampleConfig) -> None:
    rows = hashed(desk, 30)
    lines = [f"{name},{label}" for name, label in rows]
    lines[5] = lines[5].replace(",", ',"')
    (desk.folder / "labels.csv").write_text("\n".join(lines))
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for name, label in rows if name != rows[5][0])
    assert found.skipped == [
        ("labels.csv line 6", "can't be read: a quote is not closed"),
        (rows[5][0], "no row in labels.csv"),
    ]


def test_text_file_that_holds_no_label_skips_its_picture(desk: Desk, config: SampleConfig) -> None:
    texts = ["", "2e8j\n7xkq\n", "x" * 65, None]
    rows = hashed(desk, 20)
    for (name, label), text in zip(rows, [*texts, *[""] * 16], strict=True):
        if text is not None:
            (desk.folder / name).with_suffix(".txt").write_text(text or label)
    (desk.folder / rows[0][0]).with_suffix(".txt").write_text("")
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for _, label in rows[4:])
    assert dict(found.skipped) == {
        rows[0][0]: "its text file is empty",
        rows[1][0]: "its text file has 2 lines instead of one",
        rows[2][0]: "its text file has more than 64 characters",
        rows[3][0]: "no text file beside it",
    }


def test_two_text_files_of_one_picture_and_one_of_two_are_no_label(desk: Desk, config: SampleConfig) -> None:
    label = desk.draw("a.png")
    (desk.folder / "a.txt").write_text(label)
    (desk.folder / "a.gt.txt").write_text("zzzz")
    desk.draw("b.png")
    desk.draw("b.jpg")
    (desk.folder / "b.txt").write_text("2e8j")
    sure = desk.draw("c.png")
    (desk.folder / "c.txt").write_text(sure)
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == [sure]
    assert dict(found.skipped) == {
        "a.png": f"its text files give it different labels: 'zzzz', '{label}'",
        "b.png": "its text file is beside 2 pictures",
        "b.jpg": "its text file is beside 2 pictures",
    }


def test_text_files_in_another_folder_are_not_passed_over(desk: Desk, config: SampleConfig) -> None:
    (desk.folder / "labels").mkdir(parents=True)
    for name, label in hashed(desk, 12, "pictures/"):
        (desk.folder / "labels" / name).with_suffix(".txt").write_text(label)
    with pytest.raises(SampleError, match="Skipped 12: its text file is in another folder, such as pictures/"):
        importing.find(desk.folder, config, silent)


def test_texts_that_are_no_tables_leave_names_their_labels(desk: Desk, config: SampleConfig) -> None:
    labels = desk.draw_many(30, "{label}_{n}.png")
    (desk.folder / "README.txt").write_text(f"Pictures of 2024.\nNames such as {labels[0]}_0.png hold the label.\n")
    (desk.folder / "train.txt").write_text("".join(f"{label}_{n}.png\n" for n, label in enumerate(labels)))
    (desk.folder / "config.json").write_text('{"width": 100}')
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert dict(found.skipped) == {
        "README.txt": "the text names pictures, but no row does",
        "train.txt": "a list of names without labels",
        "config.json": "no row names a picture",
    }


def test_row_that_names_two_pictures_leaves_both_without_a_label(desk: Desk, config: SampleConfig) -> None:
    for number in range(12):
        desk.draw(f"a/{number:04d}.png")
        desk.draw(f"b/{number:04d}.png")
    write_table(desk.folder / "l.csv", [(f"{number:04d}.png", "2e8j") for number in range(12)])
    with pytest.raises(SampleError, match="got none") as error:
        importing.find(desk.folder, config, silent)
    assert "Skipped 24: a row of l.csv names 2 pictures, such as a/0000.png" in str(error.value)
    assert "Skipped l.csv: each row names several pictures: a/0000.png, b/0000.png" in str(error.value)


def test_names_that_differ_in_case_or_composition_have_their_own_rows(desk: Desk, config: SampleConfig) -> None:
    composed = [unicodedata.normalize("NFC", f"é{number:04d}.png") for number in range(12)]
    rows = [(name, desk.draw(unicodedata.normalize("NFD", name))) for name in composed]
    rows += [(name, desk.draw(name)) for name in ("aBcDe.png", "abcde.png")]
    write_table(desk.folder / "labels.csv", rows)
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.skipped == []


def test_tables_that_contradict_themselves_or_each_other_label_nothing(desk: Desk, config: SampleConfig) -> None:
    rows = hashed(desk, 20)
    write_table(desk.folder / "a.csv", [*rows, (rows[0][0], "zzzz")])
    write_table(desk.folder / "b.csv", [(rows[1][0], "yyyy"), rows[2]])
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == sorted(label for _, label in rows[2:])
    assert dict(found.skipped) == {
        rows[0][0]: f"a.csv gives it different labels: '{rows[0][1]}', 'zzzz'",
        rows[1][0]: f"tables give it different labels: '{rows[1][1]}', 'yyyy'",
    }


def test_label_of_very_many_pictures_is_doubted_whatever_gave_it(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(200, "{label}.png")
    sure = desk.drawn.copy()
    for number in range(12):
        desk.draw(f"getCode ({number}).png", "getCode")
    for number in range(30):
        desk.draw(f"sites/bank/{number:04d}.png", "bank")
        desk.draw(f"sites/forum/{number:04d}.png", "forum")
    rows = [(f"{number}.png", desk.draw(f"table/{number}.png", "unknown")) for number in range(30)]
    write_table(desk.folder / "table" / "labels.csv", rows)
    found, _ = run(desk.folder, config)
    assert imported(config) == sure
    cause = "of 302 different pictures have it: likely a program or folder"
    assert reasons_in(found) == {
        f"Doubtful label 'getCode': 12 {cause}": 12,
        f"Doubtful label 'bank': 30 {cause}": 30,
        f"Doubtful label 'forum': 30 {cause}": 30,
        f"Doubtful label 'unknown': 30 {cause}": 30,
    }
    run(desk.folder, config, accept_labels=True)
    assert imported(config) == desk.drawn


def test_labels_of_several_pictures_each_are_in_no_doubt(desk: Desk, config: SampleConfig) -> None:
    for folder in range(20):
        label = "".join(random.Random(folder).choices(LETTERS, k=4))
        for number in range(5 if folder else 9):
            desk.draw(f"{label}/{number}.png", label)
    for number in range(15):
        desk.draw(f"01/{number}.png", "01")  # labels of one or two characters repeat
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.skipped == []


def test_copies_of_one_picture_do_not_make_its_label_doubtful(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(20, "{label}.png")
    picture = next(desk.folder.iterdir())
    for number in range(1, 12):
        (desk.folder / f"{picture.stem} ({number}).png").write_bytes(picture.read_bytes())
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert {reason.split(": ")[0] for _, reason in found.skipped} == {"the same picture is there twice"}


def test_files_of_other_kinds_are_named_with_the_way_out(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{number}.png", desk.draw(f"{number}.png")) for number in range(12)]
    others = {
        "a.tif": ".tif files are not read: convert them to PNG",
        "b.HEIC": ".heic files are not read: convert them to PNG",
        "c.rar": ".rar files are not read: unpack them, and import the folder",
        "d.xlsx": ".xlsx files are not read: save the table as CSV",
        "e.xml": ".xml files are no pictures",
        "LICENSE": "not a picture",
    }
    for name in others:
        (desk.folder / name).write_bytes(b"x")
    write_table(desk.folder / "labels.csv", [*rows, ("a.tif", "2e8j")])
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert dict(found.skipped) == others | {"labels.csv": "rows that name no picture: 1"}
    alone = importing.find(desk.folder / "labels.csv", config, silent)
    assert [name for name, _ in alone.skipped] == ["a.tif", "labels.csv"], "only what the table names"
    with pytest.raises(SampleError, match=r"got none\nSkipped c\.rar: \.rar files are not read: unpack"):
        importing.find(desk.folder / "c.rar", config, silent)


def test_damaged_members_of_an_archive_are_skipped(desk: Desk, config: SampleConfig, tmp_path: Path) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    paths = sorted(desk.folder.iterdir())
    archive_path = tmp_path / "a.zip"
    with zipfile.ZipFile(archive_path, "w", zipfile.ZIP_LZMA) as archive:
        for path in paths:
            archive.write(path, path.name)
    data = bytearray(archive_path.read_bytes())
    start = 30 + len(paths[0].name)  # behind the header of the first member
    data[start + 4] ^= 0xAA
    archive_path.write_bytes(data)
    found = importing.find(archive_path, config, silent)
    assert len(found.pictures) == 11
    assert found.skipped == [
        (f"a.zip/{paths[0].name}", "Cannot be opened: can't be unpacked: Invalid or unsupported options")
    ]


def test_zip_archives_are_read_also_inside_each_other(desk: Desk, config: SampleConfig, tmp_path: Path) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    inner, outer = tmp_path / "inner.zip", tmp_path / "outer.ZIP"
    paths = sorted(desk.folder.iterdir())
    with zipfile.ZipFile(inner, "w") as archive:
        for path in paths[:6]:
            archive.write(path, f"in/{path.name}")
    with zipfile.ZipFile(outer, "w") as archive:
        archive.write(inner, "more/inner.zip")
        for path in paths[6:]:
            archive.write(path, path.name)
            archive.writestr(f"__MACOSX/._{path.name}", b"x")
    with pytest.raises(SampleError, match="there is none"):
        run(tmp_path / "none.zip", config)
    found, _ = run(outer, config)
    assert imported(config) == desk.drawn
    assert found.skipped == []


def test_archive_writes_nowhere_else_and_unpacks_to_no_flood(
    desk: Desk, config: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    attack = tmp_path / "attack.zip"
    link = zipfile.ZipInfo("0000_1.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(attack, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(desk.folder.iterdir()):
            archive.write(path, f"../../../../{tmp_path.name}/evil/{path.name}")
        archive.writestr(link, "/etc/passwd")
        archive.writestr("big_1.png", bytes(sources.FILE_LIMIT_BYTES + 1))
    before = set(tmp_path.rglob("*"))
    found, _ = run(attack, config)
    assert imported(config) == desk.drawn
    assert set(tmp_path.rglob("*")) - before == {tmp_path / "sample", *(tmp_path / "sample").rglob("*")}
    assert sorted(reason.split(";")[0] for _, reason in found.skipped) == [
        "Cannot be opened: expected a file of at most 67108864 bytes",
        "a link inside an archive",
    ]
    monkeypatch.setattr(sources, "SMALL_ARCHIVE_BYTES", 1000)
    monkeypatch.setattr(sources, "ARCHIVE_RATIO", 20)
    with pytest.raises(SampleError, match="would unpack to"):
        run(attack, config)


def test_archive_that_is_broken_or_locked_is_named(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    (desk.folder / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    with zipfile.ZipFile(desk.folder / "locked.zip", "w") as archive:
        archive.writestr("abcd_1.png", b"x")
    data = bytearray((desk.folder / "locked.zip").read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (desk.folder / "locked.zip").write_bytes(data)
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    reasons = dict(found.skipped)
    assert reasons["broken.zip"].startswith("the archive can't be opened: ")
    assert reasons["locked.zip/abcd_1.png"] == "it needs a password: unpack the archive first"


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_names_in_archives_of_chinese_windows_are_read(config: SampleConfig, tmp_path: Path, encoding: str) -> None:
    label = "验证码"
    picture = draw("abc", tmp_path / "a.png", size=(60, 20)).read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x" * len(f"{label}_1.png".encode(encoding)), picture)
    data = (tmp_path / "a.zip").read_bytes()
    name = f"{label}_1.png".encode(encoding)
    (tmp_path / "a.zip").write_bytes(data.replace(b"x" * len(name), name))
    run(tmp_path / "a.zip", config)
    assert [label_of(path.name) for path in list_entries(config.origin_image_dir)] == [label]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_are_read_through_and_those_that_lead_nowhere_are_named(
    desk: Desk, config: SampleConfig, tmp_path: Path
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    linked = tmp_path / "snapshot"
    (linked / "train").mkdir(parents=True)
    for path in desk.folder.iterdir():
        (linked / "train" / path.name).symlink_to(path)
    (linked / "again").symlink_to(linked, target_is_directory=True)
    (linked / "lost_1.png").symlink_to(tmp_path / "nowhere")
    found, _ = run(linked, config)
    assert imported(config) == desk.drawn
    assert not any(path.is_symlink() for path in config.origin_image_dir.iterdir())
    assert found.skipped == [("lost_1.png", f"a link to a file that is missing: {tmp_path / 'nowhere'}")]
    assert len(list(desk.folder.iterdir())) == 12


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("stored", ["store", "source"])
def test_linked_pictures_of_the_sets_are_there_already_unless_they_lead_into_the_source(
    desk: Desk, config: SampleConfig, tmp_path: Path, stored: str
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    store = shutil.copytree(desk.folder, tmp_path / "store") if stored == "store" else desk.folder
    for number, path in enumerate(sorted(store.iterdir())):
        folder = config.test_image_dir if number < 2 else config.train_image_dir
        folder.mkdir(exist_ok=True, parents=True)
        (folder / path.name).symlink_to(path)
    _, copied = run(desk.folder, config)
    assert (copied.new, copied.present) == ((0, 12) if stored == "store" else (12, 0))


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_of_the_original_set_which_are_never_moved_are_not_there_already(
    desk: Desk, config: SampleConfig
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    config.origin_image_dir.mkdir(parents=True)
    for path in desk.folder.iterdir():
        (config.origin_image_dir / path.name).symlink_to(path)
    assert run(desk.folder, config)[1].new == 12


def test_files_that_are_no_pictures_are_passed_over(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._abcd_1.png", ".git/abcd_1.png", "__MACOSX/abcd_1.png"):
        (desk.folder / name).parent.mkdir(exist_ok=True)
        (desk.folder / name).write_bytes(b"x")
    (desk.folder / "abcd_2.png").write_bytes(b"no picture")
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    reason = 'Cannot be opened: not a PNG, JPEG, GIF, BMP or WebP picture; got a text, "no picture"'
    assert found.skipped == [("abcd_2.png", reason)]


def test_picture_under_two_labels_is_left_out_and_both_are_named(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    picture = draw("abcd", desk.folder / "abcd_x.png", size=(60, 20), seed=900)
    (desk.folder / "abcc_x.png").write_bytes(picture.read_bytes())
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    reason = "the same picture has two labels: 'abcc' and 'abcd'"
    assert found.skipped == [("abcc_x.png", reason), ("abcd_x.png", reason)]


def test_numbered_and_camera_names_without_a_table_hold_no_label(desk: Desk, config: SampleConfig) -> None:
    for number in range(12):
        draw("abcd", desk.folder / "a" / f"{number}.png", size=(60, 20), seed=number)
        draw("abcd", desk.folder / "b" / f"IMG_{number:04d}.png", size=(60, 20), seed=number)
    with pytest.raises(SampleError, match="expected pictures with labels in their names, in a table, or"):
        run(desk.folder, config)


def test_doubtful_labels_are_left_out_unless_they_are_accepted(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(40, "{label}_{n}.png")
    sure = desk.drawn.copy()
    desk.draw("Screenshot from 2024-05-06 at noon_1.png", "Screenshot from 2024-05-06 at noon")
    found, _ = run(desk.folder, config)
    assert imported(config) == sure
    assert found.skipped[0][1].startswith("Doubtful label 'Screenshot from 2024-05-06 at noon': ")
    run(desk.folder, config, accept_labels=True)
    assert imported(config) == desk.drawn


def test_repeated_import_copies_only_what_is_new(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    run(desk.folder, config)
    config.train_image_dir.mkdir(parents=True)
    for path in list_entries(config.origin_image_dir)[:5]:
        path.rename(config.train_image_dir / path.name)
    desk.draw_many(3, "new/{label}_{n}.png")
    _, copied = run(desk.folder, config)
    assert (copied.new, copied.present) == (3, 12)
    assert len(list_entries(config.origin_image_dir)) == 10


@pytest.mark.parametrize("by", ["another picture", "no picture", "a link", "a folder", "a broken link"])
def test_picture_that_was_edited_since_is_kept_and_the_others_are_copied(
    desk: Desk, config: SampleConfig, tmp_path: Path, by: str
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    run(desk.folder, config)
    edited, *others = list_entries(config.origin_image_dir)
    for path in (edited, *others[:3]):
        path.unlink()
    mine = draw(label_of(edited.name), tmp_path / "mine.png", size=(60, 20), seed=500)
    changes: dict[str, Callable[[], object]] = {
        "another picture": lambda: shutil.copy(mine, edited),
        "no picture": lambda: edited.write_bytes(b"8BPS of another program"),
        "a link": lambda: edited.symlink_to(mine),
        "a folder": edited.mkdir,
        "a broken link": lambda: edited.symlink_to("nothing.png"),
    }
    changes[by]()
    before = edited.lstat(), mine.read_bytes()
    _, copied = run(desk.folder, config)
    kind = "was edited since it was imported" if by in ("another picture", "no picture") else "is no picture"
    assert [reason for _, reason in copied.skipped] == [
        f"what has its name here {kind}, and is kept: {display_path(edited)}"
    ]
    assert (copied.new, copied.present) == (3, 8)
    assert (edited.lstat(), mine.read_bytes()) == before


@pytest.mark.parametrize("left", [0, 40])
@pytest.mark.parametrize("zeros", [0, 100])
def test_copy_that_a_power_cut_left_is_made_again(desk: Desk, config: SampleConfig, left: int, zeros: int) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    run(desk.folder, config)
    torn = list_entries(config.origin_image_dir)[0]
    torn.write_bytes(torn.read_bytes()[:left] + bytes(zeros))
    _, copied = run(desk.folder, config)
    assert (copied.new, copied.skipped) == (1, [])
    assert imported(config) == desk.drawn


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_drawn_and_decoded_pictures_are_no_source(configure: Callable[..., SampleConfig], tmp_path: Path) -> None:
    """The imported folder has the whole project in it, and a link to a part of the cache."""
    top = tmp_path / "project"
    desk = Desk(top / "pictures")
    config = configure(cache_dir=str(top / "cache"), log_dir=str(top / "logs"), model_save_dir=str(top / "model"))
    desk.draw_many(12, "{label}_{n}.png")
    others = Desk(top)
    others.drawn["", b""] = 100  # so that it draws other pictures
    for folder in ("cache/captchas-0123/training-0", "logs/run", "model/report"):
        others.draw_many(5, f"{folder}/{{label}}_{{n}}.png")
    (top / "a link").symlink_to(top / "cache" / "captchas-0123", target_is_directory=True)
    run(top, config)
    assert imported(config) == desk.drawn
    run(config.cache_dir / "captchas-0123", config)
    assert len(imported(config)) == 17, "a folder that is named is a source"


def test_folder_of_the_suite_is_no_source_and_a_folder_inside_is(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    config.origin_image_dir.mkdir(parents=True)
    inside = desk.folder.rename(config.origin_image_dir / "captchas")
    with pytest.raises(SampleError, match="this one is a folder of"):
        run(config.origin_image_dir, config)
    run(inside, config)
    pictures = [path for path in list_entries(config.origin_image_dir) if path.is_file()]
    assert len(pictures) == 12
    with pytest.raises(SampleError, match="got none"):  # folders of the suite are left out
        run(config.origin_image_dir.parent, config)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_import_that_is_killed_and_repeated_makes_no_doubles(desk: Desk, tmp_path: Path) -> None:
    desk.draw_many(150, "{label} ({n}).png")
    config_path = write_config(tmp_path)
    code = (
        f"import sys, time; sys.path.insert(0, {str(PROJECT_ROOT)!r}); import verify_and_split_data\n"
        "from cnnlib.data import importing; write = importing._write\n"
        "def slow(*a): print('writing', flush=True); time.sleep(0.002); write(*a)\n"
        "importing._write = slow; verify_and_split_data.main(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "--import", str(desk.folder), str(config_path)]
    chance, counts = random.Random(3), []
    for _ in range(4):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout
        assert b"writing\n" in iter(process.stdout.readline, b"")
        time.sleep(chance.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts.append(len(list_entries(tmp_path / "sample" / "origin")))
    assert 0 < counts[0] < 150
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    paths = list_entries(tmp_path / "sample" / "origin")
    assert Counter((label_of(path.name), path.read_bytes()) for path in paths) == desk.drawn
    assert not list((tmp_path / "sample" / "origin").glob("*.part"))


def test_labels_of_spreadsheets_are_unwrapped_and_that_is_said(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{number}.png", desk.draw(f"{number}.png")) for number in range(20)]
    write_table(desk.folder / "labels.csv", [("file", "label"), *((name, f'="{label}"') for name, label in rows)])
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.summary.splitlines()[1:] == ["labels.csv: left off '=' and quotes around labels"]


def test_quotes_in_text_files_of_pictures_are_left_off(desk: Desk, config: SampleConfig) -> None:
    for number in range(12):
        label = desk.draw(f"{number}.png")
        (desk.folder / f"{number}.txt").write_text(f'"{label}"\n')
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.notes == ["text files: left off quotes around labels"]


@pytest.mark.parametrize("is_sidecar", [False, True], ids=["table", "text files"])
def test_names_that_contradict_the_table_leave_their_pictures_out(
    desk: Desk, config: SampleConfig, is_sidecar: bool
) -> None:
    labels = [desk.draw(f"{number:04d}_{number}.png", f"{number:04d}") for number in range(975, 1275, 3)]
    rows = [(f"{label}_{int(label)}.png", str(int(label))) for label in labels]
    if is_sidecar:
        for name, label in rows:
            (desk.folder / name).with_suffix(".txt").write_text(label)
    else:
        write_table(desk.folder / "labels.csv", rows)
    found = importing.find(desk.folder, config, silent)
    assert labels_in(found) == [label for label in labels if not label.startswith("0")]
    origin = "its text file" if is_sidecar else "labels.csv"
    assert dict(found.skipped)["0975_975.png"] == f"its name and {origin} give it different labels: '0975', '975'"
    assert len(found.skipped) == 9


def test_table_that_is_named_itself_overrules_names(desk: Desk, config: SampleConfig) -> None:
    labels = desk.draw_many(30, "{label}_{n}.png")
    rows = [(f"{label}_{n}.png", "zzzz" if n < 2 else label) for n, label in enumerate(labels)]
    write_table(desk.folder / "labels.csv", rows)
    found = importing.find(desk.folder / "labels.csv", config, silent, accept_labels=True)
    assert labels_in(found) == sorted(["zzzz", "zzzz", *labels[2:]])


def test_names_that_wget_escaped_are_decoded(desk: Desk, config: SampleConfig) -> None:
    labels = ["天地", "地é", "a/b", "a%b", "%E5%A4%A9", "50%"]
    for number, label in enumerate(labels[:3]):
        desk.draw(f"{quote(label, safe='')}_{number}.png", label)
    for number, label in enumerate(labels[3:]):
        desk.draw(file_name(label, number, "png"), label)
    run(desk.folder, config, accept_labels=True)
    assert imported(config) == desk.drawn
    again = config.model_copy(update={"origin_image_dir": desk.folder.parent / "again"})
    run(config.origin_dirs[0], again, accept_labels=True)
    assert imported(again) == desk.drawn, "what the suite has written"


def test_names_with_escapes_of_another_code_page_are_no_labels(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    draw("x", desk.folder / "%B5%D8%CC%EC_1.png", size=(60, 20))
    found = importing.find(desk.folder, config, silent)
    assert found.skipped == [("%B5%D8%CC%EC_1.png", "its label has escapes such as %E9 that are no UTF-8")]


CODE_PAGES = {
    "cp1251": "абвгдежзиклмнопр",
    "shift_jis": "あいうえおかきくけこ",
    "big5": "天地玄黃宇宙洪荒",
    "euc_kr": "가나다라마바사아자차카타파하",
}


@pytest.mark.parametrize("is_sidecar", [False, True], ids=["table", "text files"])
@pytest.mark.parametrize("encoding", CODE_PAGES)
def test_labels_in_another_code_page_are_not_read_as_chinese(
    desk: Desk, config: SampleConfig, encoding: str, is_sidecar: bool
) -> None:
    chance = random.Random(4)
    labels = ["".join(chance.choices(CODE_PAGES[encoding], k=4)) for _ in range(30)]
    for number, label in enumerate(labels):
        desk.draw(f"{number}.png", label)
        if is_sidecar:
            (desk.folder / f"{number}.txt").write_bytes(label.encode(encoding))
    table = "".join(f"{number}.png,{label}\n" for number, label in enumerate(labels))
    if not is_sidecar:
        (desk.folder / "labels.csv").write_bytes(f"file,label\n{table}".encode(encoding))
    with pytest.raises(SampleError, match="got none") as error:
        importing.find(desk.folder, config, silent)
    assert "file is neither UTF-8 nor Chinese in GB 18030" in str(error.value)
    assert str(error.value).endswith(": save it as UTF-8")


def test_chinese_tables_are_read_and_that_is_said(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{n}.png", desk.draw(f"{n}.png", label)) for n, label in enumerate(["天地", "玄黄", "宇宙", "洪荒"])]
    text = "".join(f"{name},{label}\n" for name, label in [("文件名", "标签"), *rows])
    (desk.folder / "labels.csv").write_bytes(text.encode("gb18030"))
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.notes == ["labels.csv: no UTF-8, and read as Chinese in GB 18030"]


def test_headers_in_any_code_page_leave_plain_labels_as_they_are(desk: Desk, config: SampleConfig) -> None:
    rows = [(f"{number}.png", desk.draw(f"{number}.png")) for number in range(12)]
    text = "".join(f"{name};{label}\n" for name, label in [("файл", "текста"), *rows])
    (desk.folder / "labels.csv").write_bytes(text.encode("cp1251"))
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.notes == []


def test_pictures_that_are_there_under_labels_in_capitals_are_no_others_where_case_is_ignored(
    desk: Desk, configure: Callable[..., SampleConfig]
) -> None:
    config = configure(ignore_case=True, char_set=LETTERS.lower(), max_captcha=4)
    labels = desk.draw_many(30, "{label}_{n}.png")
    config.train_image_dir.mkdir(parents=True)
    for number, label in enumerate(labels):
        shutil.copy(desk.folder / f"{label}_{number}.png", config.train_image_dir / f"{label.upper()}_{number}.png")
    found, copied = run(desk.folder, config, accept_labels=True)
    assert (copied.new, copied.present, found.skipped, copied.skipped) == (0, 30, [], [])


@pytest.mark.parametrize("name", ["{n4}.png", "IMG_{n4}.png"])
@pytest.mark.parametrize("copied", [False, True])
def test_pictures_that_lie_unlabelled_in_a_set_are_imported(
    desk: Desk, config: SampleConfig, name: str, copied: bool
) -> None:
    desk.draw_many(30, name)
    names = [name.replace("{n4}", f"{number:04d}") for number in range(30)]
    labels = [label for label, _ in desk.drawn]
    write_table(desk.folder / "labels.csv", [("file", "label"), *zip(names, labels, strict=True)])
    shutil.copytree(desk.folder, config.origin_image_dir)
    source = (desk.folder if copied else config.origin_image_dir) / "labels.csv"
    for new in (30, 0):
        _, done = run(source, config)
        assert (done.new, done.present, done.skipped) == (new, 30 - new, [])
    kept = {path.name for path in list_entries(config.origin_image_dir)} - {*names, "labels.csv"}
    assert sorted(map(label_of, kept)) == sorted(labels)


def test_picture_that_is_there_under_two_names_counts_by_the_one_with_a_label(desk: Desk, config: SampleConfig) -> None:
    label = desk.draw("{label}_1.png")
    for name in ("0000.png", "zz_9.png"):
        draw("x", config.origin_image_dir / name).write_bytes((desk.folder / f"{label}_1.png").read_bytes())
    _, copied = run(desk.folder, config, accept_labels=True)
    (_, reason), *others = copied.skipped
    assert (copied.new, copied.present, others) == (0, 0, [])
    assert reason.endswith("/zz_9.png")
    (config.origin_image_dir / "zz_9.png").rename(config.origin_image_dir / f"{label}_9.png")
    _, copied = run(desk.folder, config, accept_labels=True)
    assert (copied.new, copied.present, copied.skipped) == (0, 1, [])


def test_with_a_table_only_files_that_it_can_mean_are_looked_into(
    desk: Desk, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number}.png" for number in range(9)] + ["download", "my picture.dat", "图片.bin", "x.dat"]
    rows = [(name, desk.draw(f"{name.partition('.')[0]}.png")) for name in names]
    for name in names[9:]:
        (desk.folder / f"{name.partition('.')[0]}.png").rename(desk.folder / name)
    rows[-1] = ("X", rows[-1][1])  # without its suffix, in another case
    (desk.folder / "labels.json").write_text(json.dumps(dict(rows)))
    others = [desk.folder / name for name in ("other.json", "film.avi", "notes.md", "sub/deep.dat")]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"RIFF1234AVI ")
    looked_into: list[str] = []
    read, head = sources._read_file, sources._read_head
    monkeypatch.setattr(sources, "_read_file", lambda *args: (looked_into.append(str(args[1])), read(*args))[1])
    monkeypatch.setattr(sources, "_read_head", lambda *args: (looked_into.append(str(args[1])), head(*args))[1])
    found = importing.find(desk.folder / "labels.json", config, silent)
    assert labels_in(found) == sorted(label for label, _ in desk.drawn)
    assert {*looked_into} == {"labels.json", *names}


def test_file_that_begins_like_no_picture_is_not_read_further(
    desk: Desk, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    (desk.folder / "film.avi").write_bytes(b"RIFF1234AVI ")
    with zipfile.ZipFile(desk.folder / "a.zip", "w") as archive:
        archive.writestr("notes.md", "text" * 1000)
    read: list[str] = []
    for name in ("_read_file", "_unpacked"):
        whole = getattr(sources, name)
        monkeypatch.setattr(sources, name, lambda *args, whole=whole: (read.append(args[-1].name), whole(*args))[1])
    found = importing.find(desk.folder, config, silent)
    assert len(found.pictures) == 12
    assert not {"film.avi", "notes.md"} & {*read}
