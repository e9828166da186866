"""What `--import` prints about sources that it takes in part or not at all."""

from pathlib import Path

import pytest

import verify_and_split_data
from tests.helpers import fill, write_config


def test_pictures_without_a_row_are_one_line_with_examples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = fill(tmp_path / "downloads", 30, "abcd", 4)
    names = [f"{number:04x}f{number:03d}.png" for number in range(30)]
    for path, name in zip(paths, names, strict=True):
        path.rename(path.with_name(name))
    rows = "".join(f"{name},{path.name[:4]}\n" for name, path in zip(names[:20], paths[:20], strict=True))
    (tmp_path / "downloads" / "labels.csv").write_text(rows)
    (tmp_path / "downloads" / "more.rar").write_bytes(b"Rar!")
    assert verify_and_split_data.main(["--import", str(tmp_path / "downloads"), str(write_config(tmp_path))]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[:3] == [
        f"{(tmp_path / 'downloads').as_posix()}/: 20 labels from labels.csv, 11 skipped",
        f"Skipped 10: no row in labels.csv, such as {', '.join(names[20:23])}",
        "Skipped more.rar: .rar files are not read: unpack them, and import the folder",
    ]


def test_source_without_pictures_is_status_two_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "only.rar"
    source.write_bytes(b"Rar!")
    assert verify_and_split_data.main(["--import", str(source), str(write_config(tmp_path))]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.endswith(
        "got none\nSkipped only.rar: .rar files are not read: unpack them, and import the folder\n"
    )
