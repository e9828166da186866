"""Writes of files and folders that are whole or not there, locks, files that nothing depends on, and JSON files."""

import ctypes
import errno
import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from filelock import AcquireReturnProxy, FileLock

from cnnlib.core.errors import ConfigError, naming_file
from cnnlib.core.json_faults import json_fault
from cnnlib.core.paths import display_path
from cnnlib.core.printable import excerpt, printable

_TEMPORARY_SUFFIX = ".part"
_JSON_LIMIT_BYTES = 2**26  # of a config or a list of labels; a device may have no end
_LONG_NAME_BYTES = 128  # file systems allow 143 or 255 bytes, and the temporary name adds some
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of renameat2
_NO_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES, errno.EPERM)  # of disks that can't sync a folder


def temporary_path(path: Path) -> Path:
    """The path that a file is written to before it is renamed to `path`. A long name is replaced by its hash."""
    name = os.fsencode(path.name)
    stem = hashlib.sha256(name).hexdigest() if len(name) > _LONG_NAME_BYTES else path.name
    return path.with_name(f".{stem}{_TEMPORARY_SUFFIX}")


def is_temporary(path: Path) -> bool:
    """Whether this is a `temporary_path`: of a file being written, or left by a killed run."""
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY_SUFFIX)


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is never half-written, even when this process is killed.

    A file that is there keeps its owner and its rights. A link stays, and its file is replaced, unless that file is
    read-only, as in the caches of DVC and git-annex: then the link is replaced.
    `durable`: wait for the disk, so that all this also holds for a power cut.
    Raises OSError that names `path`, also for a device, a pipe, and a link that leads to no file.
    """
    write_by(path, lambda file: file.write(content), durable=durable)


def write_by(
    path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True, like: Path | None = None
) -> None:
    """Write a file as `write_atomically` does; `write` fills it. It gets owner and rights of `like`, if any."""
    target, older = _file_to_replace(path)
    rights = like.stat() if like else older
    temporary = temporary_path(target)
    with naming_file(path, temporary), _removed_on_failure(temporary):
        with temporary.open("wb") as file:
            _take_rights(temporary, rights)  # before there is anything to read
            write(file)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(target)
        if rights and not rights.st_mode & stat.S_IWUSR:  # a temporary one could not be written again after a kill
            target.chmod(stat.S_IMODE(rights.st_mode))
        if durable:
            sync_folder(target.parent)


def _file_to_replace(path: Path) -> tuple[Path, os.stat_result | None]:
    """The file to replace when `path` is written, and its status, None where there is none.

    Raises OSError that names `path` when it is a device, a pipe or a socket, or a link that leads to no file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return path, None
    if not stat.S_ISLNK(status.st_mode):
        _refuse_device(path, status)
        return path, status
    if not path.is_file():
        kind, number = ("a folder", errno.EISDIR) if path.is_dir() else ("no file", errno.ENOENT)
        message = f"expected a file; got a link to {kind}: {printable(str(path.readlink()))}"
        raise OSError(number, message, str(path))
    status = path.stat()
    return (Path(os.path.realpath(path)), status) if status.st_mode & stat.S_IWUSR else (path, None)


def check_replaceable(path: Path) -> None:
    """Raise OSError that names `path` when `write_by` could not replace what is there, such as a device or a pipe."""
    _file_to_replace(path)


def _refuse_device(path: Path, status: os.stat_result) -> None:
    """Raise OSError for what a file must not replace, and what may be read without end. A folder refuses by itself."""
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise OSError(errno.EINVAL, "expected a file, or a new name; got a device, a pipe or a socket", str(path))


def _take_rights(temporary: Path, rights: os.stat_result | None) -> None:
    """Give a file that is being written the owner and the rights of another one, and its owner the right to write."""
    if rights is None:
        return
    own = temporary.stat()
    _give_to_owner(temporary, own, rights)
    if (mode := stat.S_IMODE(rights.st_mode) | stat.S_IWUSR) != stat.S_IMODE(own.st_mode):
        temporary.chmod(mode)


def _give_to_owner(path: Path, own: os.stat_result, other: os.stat_result) -> None:
    """Give a file of this status owner and group of another one, as far as this user may."""
    if (own.st_uid, own.st_gid) == (other.st_uid, other.st_gid):
        return
    for owner in (other.st_uid, -1):  # only the administrator may give files away, a member may give them to the group
        with suppress(OSError):
            os.chown(path, owner, other.st_gid, follow_symlinks=False)
            return


def write_new(path: Path, content: bytes) -> bool:
    """Write a file that is never half-written. False, and nothing is written, when there is one of this name.

    No two processes write the same name: the temporary file is made by one of them, before it looks.
    """
    temporary = temporary_path(path)
    with naming_file(path, temporary):
        try:
            file = temporary.open("xb")
        except FileExistsError:
            return False
        with _removed_on_failure(temporary):
            with file:
                file.write(content)
            is_new = not os.path.lexists(path)
            temporary.rename(path) if is_new else temporary.unlink()
    return is_new


@contextmanager
def _removed_on_failure(temporary: Path) -> Iterator[None]:
    """Remove a file when the block fails: on a full disk it would make the next try fail too."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def are_one_file(path: Path, other: Path) -> bool:
    """Whether two paths name one file that has one name, as names in other case do on a system that ignores case."""
    with suppress(OSError):
        status = path.lstat()  # of a link, not of what it leads to
        return status.st_nlink == 1 and os.path.samestat(status, other.lstat())
    return False


def check_place(folder: Path) -> None:
    """Raise NotADirectoryError when a folder is neither there nor can be made: a file or a link to nothing is there.

    The error names the place, which may be that of a folder above. Missing folders are no fault.
    """
    if folder.is_dir():
        return
    absolute = folder.absolute()
    place = next(each for each in (absolute, *absolute.parents) if os.path.lexists(each))
    if place.is_dir():
        return
    is_lost = place.is_symlink() and not place.exists()
    got = f"a link to nothing: {printable(str(place.readlink()))}; is its disk mounted?" if is_lost else "a file"
    raise NotADirectoryError(errno.ENOTDIR, f"expected a folder; got {got}", str(place))


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises OSError, also as `check_place` does."""
    check_place(folder)
    folder.mkdir(parents=True, exist_ok=True)


def check_writable(folder: Path) -> None:
    """Raise OSError that names a folder where no file can be made. Of a missing one, the folder above is tried.

    Raises it as `check_place` does, too.
    """
    check_place(folder)
    absolute = folder.absolute()
    nearest = next(each for each in (absolute, *absolute.parents) if each.is_dir())
    try:
        tempfile.TemporaryFile(dir=nearest).close()
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(nearest)) from error


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk: a rename is in memory alone before.

    Does nothing where the system or the disk can't. Raises OSError that names the folder.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # on Windows, or of a folder that may be written and not be read
        return
    try:
        with naming_file(folder):
            os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_disk(folder: Path) -> None:
    """Wait until all that was written is on the disk of a folder. For many files it takes less time than one by one.

    Raises OSError that names the folder when the disk has failed.
    """
    try:
        sync = ctypes.CDLL(None, use_errno=True).syncfs  # Linux
    except (AttributeError, OSError, TypeError):
        getattr(os, "sync", lambda: None)()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if sync(descriptor):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(descriptor)


def take_lock(path: Path, wait_s: float) -> AcquireReturnProxy:
    """Lock a file, until the block that uses the result ends. Whoever may write into its folder may lock it, too.

    Raises filelock's Timeout when another process holds it for longer than `wait_s`, and OSError that names the file.
    """
    if not path.parent.is_dir():
        make_folder(path.parent)
    with naming_file(path):
        folder = path.parent.stat()
        lock = FileLock(path, timeout=wait_s, mode=stat.S_IMODE(folder.st_mode) & 0o666).acquire()
    with suppress(OSError):  # it is held, whoever may take it next
        _give_to_owner(path, path.lstat(), folder)
    return lock


def warn(text: str) -> None:
    """Print a line on standard error, if anybody is there to read it."""
    with suppress(OSError, ValueError, AttributeError):  # closed, or missing
        print(text, file=sys.stderr)


@contextmanager
def optional_output(path: Path, say: Callable[[str], None] = warn) -> Iterator[None]:
    """Go on, and say so, when the block can't make a file that nothing depends on, such as a picture of a curve."""
    try:
        yield
    except Exception as error:  # of any kind: what draws it is large, and the work beside it is worth more
        say(f"[Warning] {display_path(path)} is not written: {reason(error)}")


def reason(error: Exception) -> str:
    """Why something failed, in a line, without the name of a file."""
    text = error.strerror if isinstance(error, OSError) else str(error)
    no_space = os.strerror(errno.ENOSPC)  # TensorFlow puts names and origins around it
    return no_space if no_space in str(error) else (text or type(error).__name__).splitlines()[0]


def replace_folder(new: Path, target: Path) -> None:
    """Put the folder `new` in the place of `target`, which may be missing. Both are on one disk.

    Killed at any moment, or at a power cut, `target` is the older folder or the new one. Where the system can't
    exchange two folders, it may be missing then; `restore_folder` brings the older one back.
    """
    older = _set_aside(target)
    shutil.rmtree(older, ignore_errors=True)
    _sync_tree(new)
    if not target.exists():
        new.rename(target)
    elif _exchange(new, target):
        new.rename(older)
    else:
        target.rename(older)
        new.rename(target)
    sync_folder(target.parent)
    with optional_removal(older):
        shutil.rmtree(older)


def _sync_tree(folder: Path) -> None:
    """Wait until the files of a folder, and of those in it, are on the disk."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        else:
            with naming_file(path), path.open("rb+") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


@contextmanager
def optional_removal(path: Path) -> Iterator[None]:
    """Go on, and say so, when the block can't delete what nothing depends on any more."""
    try:
        yield
    except FileNotFoundError:
        return
    except OSError as error:
        warn(f"[Warning] {display_path(path)} is not deleted: {reason(error)}")


def restore_folder(target: Path) -> None:
    """Bring back the older folder if a killed `replace_folder` left none."""
    older = _set_aside(target)
    if older.exists() and not target.exists():
        older.rename(target)


def _set_aside(target: Path) -> Path:
    """Where the older folder is while it is replaced. Servers pass over hidden folders."""
    return target.with_name(f".{target.name}.older")


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two folders in one step. False where the system or the disk can't."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2  # Linux
    except (AttributeError, OSError, TypeError):
        return False
    return int(rename(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE)) == 0


def read_json(path: Path, remedy: str = "") -> Any:
    """The content of a JSON file.

    Raises ConfigError when the file can't be read, with `remedy` at its end, or is not JSON, with line and column.
    """
    name = display_path(path)
    try:
        content = json.loads(_text_of(path), object_pairs_hook=_dict_of_unique_keys)
        json.dumps(content, ensure_ascii=False).encode()  # raises ValueError for an unpaired surrogate
    except OSError as error:
        raise ConfigError(f"{name}: can't be read: {error.strerror}{remedy and f'; {remedy}'}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: expected UTF-8; got the byte 0x{error.object[error.start]:02x} at {error.start}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: can't be read: the JSON is nested too deep") from error
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{name}: line {error.lineno}, column {error.colno}: not JSON: {json_fault(error)}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
    return content


def _text_of(path: Path) -> str:
    """The text of a file or a pipe, its lines ended as this system's are. Raises ValueError for an endless one."""
    with path.open("rb") as file:
        content = file.read(_JSON_LIMIT_BYTES + 1)
    if len(content) > _JSON_LIMIT_BYTES:
        raise ValueError(f"expected at most {_JSON_LIMIT_BYTES} bytes; got more; is this the file that you mean?")
    return io.StringIO(content.decode("utf-8-sig"), newline=None).read()


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ConfigError as `read_json` does, and when the file holds anything else."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{display_path(path)}: expected an object of keys and values, {{…}}; got {json.dumps(content)[:60]}"
        )
    return content


def _dict_of_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise ValueError(f"key '{excerpt(key)}': expected once; got it {count} times")
    return dict(pairs)
