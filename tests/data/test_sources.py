"""Files of folders and archives: which are entered, and which can't be taken."""

import os
import zipfile
from pathlib import Path

import pytest

from cnnlib.core.errors import SampleError
from cnnlib.data.sources import Entry, list_source


def names_in(folder: Path) -> list[str]:
    return [str(entry.name) for entry in list_source(folder).entries]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_link_to_a_hidden_folder_is_entered_and_the_folder_itself_is_not(tmp_path: Path) -> None:
    store = tmp_path / "set" / ".store"
    store.mkdir(parents=True)
    (store / "2e8j_1.png").write_bytes(b"x")
    assert names_in(tmp_path / "set") == []
    (tmp_path / "set" / "data").symlink_to(store, target_is_directory=True)
    (tmp_path / "set" / "same").symlink_to(store, target_is_directory=True)
    assert names_in(tmp_path / "set") == ["data/2e8j_1.png"], "once"


COMPRESSIONS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "LZMA": zipfile.ZIP_LZMA}


def outcome(entry: Entry) -> str:
    try:
        return f"{len(entry.read())} bytes"
    except SampleError as error:
        return str(error)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_damage_at_any_byte_of_an_archive_is_one_line_about_one_file(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", COMPRESSIONS[compression]) as archive:
        archive.writestr("2e8j_1.png", bytes(range(100)))
        archive.writestr("7xkq_2.png", b"whole")
    data = path.read_bytes()
    outcomes = []
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xAA]) + data[place + 1 :])
        source = list_source(path)
        outcomes += [outcome(entry) for entry in source.entries] + [reason for _, reason in source.skipped]
    faults = {line for line in outcomes if not line.endswith(" bytes")}
    assert any(line.startswith("can't be unpacked: ") for line in faults)
    assert not any("\n" in line or line.endswith(": ") for line in faults)
