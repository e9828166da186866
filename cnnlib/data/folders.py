"""What lies in folders of labelled pictures."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from cnnlib.codec.filenames import file_name, label_of, plain_suffix
from cnnlib.codec.images import FORMATS
from cnnlib.core.errors import SampleError
from cnnlib.core.files import is_temporary, name_file_in_errors
from cnnlib.core.paths import display_path

LOCK_WAIT_S = 10
LOCK = ".lock"  # in a folder that a run holds


def list_entries(folder: Path) -> list[Path]:
    """Files and folders in a sample folder, sorted by name, our own lock and temporary files left out.

    A missing folder has none.
    """
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.name != LOCK and not is_temporary(path)]


def list_labelled(folder: Path, suffix: str) -> list[tuple[Path, str]]:
    """Pictures of a folder with their labels, sorted by name; what has another suffix is left out.

    Raises SampleError when a name holds no label.
    """
    return [(path, _label(path)) for path in list_entries(folder) if has_suffix(path, suffix) and path.is_file()]


def labels_in(folder: Path, suffix: str) -> list[str]:
    """Labels of the pictures in any sample folder; names without one are left out, and hidden files."""
    labels = []
    for path in list_entries(folder):
        if has_suffix(path, suffix) and path.is_file() and not path.name.startswith("."):
            with suppress(SampleError):
                labels.append(label_of(path.name))
    return labels


def pictures_at(path: Path) -> list[Path]:
    """The file itself, or the files of a folder, sorted by name, hidden ones left out.

    Raises SampleError when there is none.
    """
    shown = [one for one in list_entries(path) if not one.name.startswith(".")] if path.is_dir() else [path]
    found = [one for one in shown if one.is_file()]
    if not found:
        raise SampleError(f"{display_path(path)}: expected a picture or a folder of pictures; found none")
    return found


def first_test_picture(folder: Path, suffix: str) -> Path:
    """The first picture of the test folder by name. Raises SampleError when it has none."""
    first = first_picture(folder, [suffix])
    if first is None:
        raise SampleError(
            f"{display_path(folder)}: expected .{suffix} pictures; got none; verify_and_split_data.py puts them there"
        )
    return first


def first_picture(folder: Path, suffixes: Sequence[str] = FORMATS) -> Path | None:
    """The first picture of a folder by name, None when it has none with one of these suffixes."""
    found = (path for path in list_entries(folder) if any(has_suffix(path, one) for one in suffixes))
    return next((path for path in found if path.is_file()), None)


def _label(path: Path) -> str:
    try:
        return label_of(path.name)
    except SampleError as error:
        raise SampleError(
            f"{display_path(path)}: {error}; let verify_and_split_data.py alone fill this folder"
        ) from error


def has_suffix(path: Path, suffix: str) -> bool:
    """Whether a file's suffix is this one, or another of the same format."""
    return plain_suffix(path.suffix) == plain_suffix(suffix)


@contextmanager
def locked(*folders: Path) -> Iterator[None]:
    """Hold the folders, made where they are missing, against other runs, and clear what a killed copy left.

    Raises SampleError when another run holds one for longer than `LOCK_WAIT_S`.
    """
    with ExitStack() as stack:
        for folder in sorted(set(folders)):  # one order for all runs, so that no two wait for each other
            folder.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(FileLock(folder / LOCK, timeout=LOCK_WAIT_S))
            except Timeout as error:
                shown = display_path(folder)
                raise SampleError(
                    f"{shown}: another run is writing or moving pictures here; try again later"
                ) from error
            for path in folder.iterdir():
                if is_temporary(path) and path.is_file():
                    path.unlink()
        yield


def save_picture(folder: Path, text: str, suffix: str, data: bytes) -> Path:
    """Write a picture as `text_serial.suffix`, the serial number made of the time, over no other; returns its path.

    Raises OSError where the folder can't be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    serial = time.time_ns()
    while True:
        path = folder / file_name(text, serial, suffix)
        try:
            file = path.open("xb")
        except FileExistsError:
            serial += 1  # clocks may tick slowly
            continue
        try:
            with name_file_in_errors(path), file:
                file.write(data)
        except OSError:  # the disk is full: no half a picture stays
            path.unlink(missing_ok=True)
            raise
        return path
