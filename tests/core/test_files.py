import errno
import os
import re
from pathlib import Path

import pytest

from cnnlib.core.errors import ConfigError
from cnnlib.core.files import is_temporary, read_json_object, temporary_path, write_atomically


def test_failed_write_leaves_the_older_file_and_names_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.json"
    write_atomically(path, b"older")

    def disk_full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match=r"No space left on device: '.*a\.json'"):
        write_atomically(path, b"newer")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.json", b"older")]


def test_temporary_files_are_known_by_their_names(tmp_path: Path) -> None:
    assert is_temporary(temporary_path(tmp_path / "01_1.png"))
    assert not any(map(is_temporary, (tmp_path / "01_1.png", tmp_path / ".01_1.png", tmp_path / "01_1.part")))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1,\n "b" 2}', "line 2, column 6: not JSON"),
        ('{"count": 1, "count": 2}', "key 'count': expected once; got it 2 times"),
        ("[" * 100_000, "nested too deep"),
        ("[1]", "expected an object of keys and values"),
        (r'{"\ud800": 1}', "surrogates not allowed"),
        (r'{"train_image_dir": "\ud800"}', "surrogates not allowed"),
        (b"\xff\xfe", "expected UTF-8; got the byte 0xff"),
    ],
)
def test_broken_json_is_one_line_with_its_place(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        read_json_object(path)
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.json: can't be read: No such file"):
        read_json_object(tmp_path / "none.json")
