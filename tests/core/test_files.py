import errno
import os
import re
import stat
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from filelock import Timeout

from cnnlib.core.errors import ConfigError
from cnnlib.core.files import (
    check_replaceable,
    check_writable,
    is_temporary,
    make_folder,
    optional_removal,
    read_json,
    read_json_object,
    sync_disk,
    sync_folder,
    take_lock,
    temporary_path,
    write_atomically,
    write_by,
    write_new,
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")


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


def test_error_names_the_file_and_not_its_temporary_one(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.mkdir()
    for path in (tmp_path / "none" / "a.json", target):  # the temporary file can't be opened, or not be renamed
        with pytest.raises(OSError, match=r"a\.json'$") as caught:
            write_atomically(path, b"newer")
        assert (caught.value.filename, caught.value.filename2) == (str(path), None)
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("link", ["real/a.json", "other"], ids=["to the file", "to a link"])
def test_link_stays_and_its_file_is_replaced(tmp_path: Path, link: str) -> None:
    real, path = tmp_path / "real" / "a.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_bytes(b"older")
    (tmp_path / "other").symlink_to("real/a.json")
    path.symlink_to(link)
    write_atomically(path, b"newer")
    assert (path.is_symlink(), real.is_symlink(), real.read_bytes()) == (True, False, b"newer")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.json", "link.json", "other", "real"]


def test_failed_write_through_a_link_names_the_link_and_leaves_the_older_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, path = tmp_path / "real" / "a.json", tmp_path / "link.json"
    real.parent.mkdir()
    real.write_bytes(b"older")
    path.symlink_to(real)

    def disk_full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OSError, match=r"No space left on device: '.*link\.json'"):
        write_atomically(path, b"newer")
    assert ([each.name for each in real.parent.iterdir()], real.read_bytes()) == (["a.json"], b"older")


@pytest.mark.parametrize(("target", "kind"), [("none", "no file"), ("a.json", "no file"), ("folder", "a folder")])
def test_link_that_leads_to_no_file_is_refused(tmp_path: Path, target: str, kind: str) -> None:
    (tmp_path / "folder").mkdir()
    path = tmp_path / "a.json"
    path.symlink_to(target)
    message = re.escape(f"expected a file; got a link to {kind}: {target}: '{path}'")
    with pytest.raises(OSError, match=message):
        write_atomically(path, b"newer")
    assert sorted(each.name for each in tmp_path.rglob("*")) == ["a.json", "folder"]
    assert path.is_symlink()


@POSIX
def test_link_to_a_file_that_nobody_writes_is_replaced(tmp_path: Path) -> None:
    kept, path = tmp_path / "cache" / "1f", tmp_path / "a.json"
    kept.parent.mkdir()
    kept.write_bytes(b"older")
    kept.chmod(0o444)
    path.symlink_to(kept)
    write_atomically(path, b"newer")
    assert (kept.read_bytes(), path.read_bytes(), path.is_symlink()) == (b"older", b"newer", False)
    assert path.stat().st_mode & stat.S_IWUSR


@POSIX
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o400])
def test_rights_of_the_older_file_are_kept_from_the_first_byte_on(tmp_path: Path, mode: int) -> None:
    path, modes = tmp_path / "a.json", []
    path.write_bytes(b"older")
    path.chmod(mode)

    def write(file: BinaryIO) -> None:
        modes.append(stat.S_IMODE(os.fstat(file.fileno()).st_mode))
        file.write(b"newer")

    for _ in range(2):
        write_by(path, write)
    assert modes == [mode | stat.S_IWUSR] * 2, "a file left by a kill can be written again"
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"newer", mode)
    other = tmp_path / "b.json"
    write_by(other, write, like=path)
    assert stat.S_IMODE(other.stat().st_mode) == mode


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only the administrator may give files away")
def test_owner_of_the_older_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"older")
    path.chmod(0o600)
    os.chown(path, 1234, 4321)
    write_atomically(path, b"newer")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (1234, 4321, 0o600)


def test_usual_file_costs_no_operation_for_its_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("chmod", "fchmod", "chown", "fchown"):
        monkeypatch.setattr(os, name, unexpected, raising=False)
    for content in (b"first", b"second"):
        write_atomically(tmp_path / "a.json", content)


def test_folder_that_can_not_be_made_is_named_with_what_is_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "linked").symlink_to("file")
    (tmp_path / "lost").symlink_to("/mnt/none")
    (tmp_path / "round").symlink_to("round")
    lost = "a link to nothing: /mnt/none; is its disk mounted?"
    for name, got in (
        *(("file", "a file"), ("linked", "a file"), ("lost", lost)),
        ("round", "a link to nothing: round; is its disk mounted?"),
    ):
        for folder in (tmp_path / name, tmp_path / name / "a" / "b"):
            with pytest.raises(
                NotADirectoryError, match=re.escape(f"expected a folder; got {got}: '{tmp_path / name}'")
            ):
                make_folder(folder)
    make_folder(tmp_path / "new" / "folder")
    (tmp_path / "good").symlink_to("new")
    make_folder(tmp_path / "good" / "folder")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["folder"]


def test_new_file_replaces_none_and_none_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "01_1.png"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"first"]
    other = tmp_path / "01_2.png"
    temporary_path(other).write_bytes(b"of another process")
    assert not write_new(other, b"second")
    assert temporary_path(other).read_bytes() == b"of another process"


def test_new_file_of_many_writers_is_that_of_one(tmp_path: Path) -> None:
    path = tmp_path / "01_1.png"
    for _ in range(50):
        with ThreadPoolExecutor(8) as pool:
            written = [*pool.map(lambda number: write_new(path, bytes([number]) * 1000), range(8))]
        assert sum(written) == 1
        assert path.read_bytes() == bytes([written.index(True)]) * 1000
        path.unlink()
    assert not [*tmp_path.iterdir()]


def test_write_waits_for_the_file_and_then_for_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, sync = [], os.fsync

    def noted(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synced.append(("folder" if is_folder else "file", sorted(each.name for each in tmp_path.iterdir())))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_atomically(tmp_path / "a", b"content")
    assert synced == [("file", [".a.part"]), ("folder", ["a"])]
    write_atomically(tmp_path / "b", b"content", durable=False)
    assert len(synced) == 2


def test_disk_that_knows_no_wait_for_a_folder_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(number: int) -> Callable[[int], None]:
        def fsync(_: int) -> None:
            raise OSError(number, os.strerror(number))

        return fsync

    monkeypatch.setattr(os, "fsync", fails(errno.EINVAL))
    sync_folder(tmp_path)
    sync_folder(tmp_path / "none")
    monkeypatch.setattr(os, "fsync", fails(errno.EIO))
    with pytest.raises(OSError, match=re.escape(f"error: '{tmp_path}'")):
        sync_folder(tmp_path)


def test_wait_for_a_disk_names_the_folder_that_is_not_there(tmp_path: Path) -> None:
    sync_disk(tmp_path)
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "none"))):
        sync_disk(tmp_path / "none")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
@pytest.mark.parametrize(("folder", "lock"), [(0o755, 0o644), (0o2775, 0o664), (0o700, 0o600), (0o1777, 0o666)])
def test_lock_can_be_taken_by_all_who_may_write_into_its_folder(tmp_path: Path, folder: int, lock: int) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(folder)
    for _ in range(2):
        with take_lock(shared / ".lock", 0):
            pass
    assert (shared / ".lock").stat().st_mode & 0o777 == lock


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the administrator gives files away")
def test_lock_and_file_of_the_administrator_belong_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 1234, 2345)
    with take_lock(shared / ".lock", 0):
        pass
    status = (shared / ".lock").stat()
    assert (status.st_uid, status.st_gid) == (1234, 2345)


def test_lock_makes_its_folder(tmp_path: Path) -> None:
    with take_lock(tmp_path / "new" / "folder" / ".lock", 0):
        assert (tmp_path / "new" / "folder").is_dir()


def test_lock_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with take_lock(tmp_path / ".lock", 0), pytest.raises(Timeout), take_lock(tmp_path / ".lock", 0):
        pass
    monkeypatch.setattr(os, "ftruncate", disk_full)
    with pytest.raises(OSError, match=r"No space left on device: '.*\.lock'"):
        take_lock(tmp_path / ".lock", 0)


def test_what_cannot_be_deleted_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with optional_removal(tmp_path / "gone"):
        (tmp_path / "gone").unlink()
    assert not capsys.readouterr().err
    with optional_removal(tmp_path / "older"):
        raise OSError(errno.EIO, "Input/output error", "a part of it")
    assert capsys.readouterr().err == f"[Warning] {tmp_path / 'older'}/ is not deleted: Input/output error\n"


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


@POSIX
def test_pipe_or_device_is_neither_replaced_nor_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    os.mkfifo(path)
    message = re.escape(f"expected a file, or a new name; got a device, a pipe or a socket: '{path}'")
    for use in (check_replaceable, lambda path: write_atomically(path, b"newer")):
        with pytest.raises(OSError, match=message):
            use(path)
    assert stat.S_ISFIFO(path.lstat().st_mode)
    path.unlink()
    path.write_bytes(b"older")
    real = Path.lstat

    def as_device(self: Path) -> os.stat_result:
        status = real(self)
        return os.stat_result((status.st_mode ^ stat.S_IFREG | stat.S_IFCHR, *status[1:])) if self == path else status

    monkeypatch.setattr(Path, "lstat", as_device)
    with pytest.raises(OSError, match=message):
        write_atomically(path, b"newer")
    assert path.read_bytes() == b"older"


@POSIX
def test_json_comes_from_a_pipe_too_and_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    os.mkfifo(path)
    for content in (b'\xef\xbb\xbf{"a":\r\n1}', b" " * 200):
        writer = threading.Thread(target=path.write_bytes, args=(content,))
        writer.start()
        monkeypatch.setattr("cnnlib.core.files._JSON_LIMIT_BYTES", 100)
        if b"{" in content:
            assert read_json(path) == {"a": 1}
        else:
            with pytest.raises(ConfigError, match="expected at most 100 bytes; got more"):
                read_json(path)
        writer.join()


def test_folder_that_can_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "none" / "deep")
    assert list(tmp_path.iterdir()) == []

    def read_only(**_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "/somewhere")

    monkeypatch.setattr("tempfile.TemporaryFile", read_only)
    with pytest.raises(OSError, match=re.escape(f"Read-only file system: '{tmp_path}'")):
        check_writable(tmp_path / "none")
