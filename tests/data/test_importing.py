"""Folders as people have them become labelled pictures under sound names, each once, and stay as they are."""

import csv
import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import suffix_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import PROJECT_ROOT
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


def test_files_that_are_no_pictures_are_passed_over(desk: Desk, config: SampleConfig) -> None:
    desk.draw_many(12, "{label}_{n}.png")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._abcd_1.png", ".git/abcd_1.png", "__MACOSX/abcd_1.png"):
        (desk.folder / name).parent.mkdir(exist_ok=True)
        (desk.folder / name).write_bytes(b"x")
    (desk.folder / "abcd_2.png").write_bytes(b"no picture")
    found, _ = run(desk.folder, config)
    assert imported(config) == desk.drawn
    assert found.skipped == [("abcd_2.png", "Cannot be opened: not a PNG, JPEG, GIF, BMP or WebP picture")]


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
