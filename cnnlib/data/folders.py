"""List, lock and fill folders of labelled pictures."""

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import Timeout

from cnnlib.codec.filenames import ANY_SUFFIX, file_name, has_suffix, label_of, pictures_of
from cnnlib.codec.images import suffix_of
from cnnlib.core.errors import SampleError
from cnnlib.core.files import check_place, is_temporary, make_folder, take_lock, write_new
from cnnlib.core.paths import display_path
from cnnlib.core.printable import printable

Name = TypeVar("Name", str, Path)  # of a file of a folder

TEST_SHARE, FEW_SHARE = 0.05, 0.1  # of the pictures, and of few: the accuracy on ten says next to nothing
ENOUGH = 50  # pictures, for which the share of few is taken at most
LOCK_WAIT_S = 10
LOCK_NAME = ".lock"  # a file in each locked folder
FILLED = "verify_and_split_data.py puts them there"
OR_NAMED = f"{FILLED}; or name a picture, such as captcha.png"  # to users of scripts that take one
SYSTEM_NAMES = {  # of files and folders that file managers and tools leave, in lower case
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r", "$recycle.bin"),
    *("__macosx", ".ds_store", ".localized", ".directory", ".gitkeep", ".gitignore", ".gitattributes"),
    "system volume information",
}


def list_entries(folder: Path) -> list[Path]:
    """Files and folders in a sample folder, sorted by name, without our own files and those of `is_system_file`.

    A missing folder has none. Raises NotADirectoryError as `check_place` does.
    """
    return [folder / name for name in list_names(folder)]


def list_names(folder: Path) -> list[str]:
    """The names of `list_entries`, which take a fifth of the memory of paths."""
    return in_order(entry.name for entry in scan(folder))


def in_order(names: Iterable[Name]) -> list[Name]:
    """Names or paths of one folder, sorted as paths are."""
    return sorted(names, key=os.path.normcase)


def scan(folder: Path) -> Iterator[os.DirEntry[str]]:
    """The entries of `list_entries` in no order, one at a time: a folder of a million files takes no memory."""
    check_place(folder)
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if not _is_passed_over(entry.name))


def _is_passed_over(name: str) -> bool:
    if not name.startswith("."):
        return name.lower() in SYSTEM_NAMES
    return name == LOCK_NAME or is_temporary(Path(name)) or is_system_file(Path(name))


def is_system_file(path: Path) -> bool:
    """Whether a file manager or another tool made this file, or it is a hidden picture, such as `._2e8j_1.png`."""
    hidden = path.name.startswith(".") and has_suffix(path, ANY_SUFFIX)
    return hidden or path.name.startswith("._") or path.name.lower() in SYSTEM_NAMES


def scan_pictures(folder: Path, suffix: str) -> Iterator[os.DirEntry[str]]:
    """The files of a folder that have this suffix, in no order."""
    return (entry for entry in scan(folder) if has_suffix(entry.name, suffix) and _is_file(entry))


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Whether this is a file or a link to one. Only links cost a call of the system, and may lead round in circles."""
    return Path(entry.path).is_file() if entry.is_symlink() else entry.is_file()


def list_labelled(folder: Path, suffix: str) -> list[tuple[str, str]]:
    """Names and labels of the pictures of a folder that have this suffix, sorted by name.

    Raises SampleError when a name has no label.
    """
    names = in_order(entry.name for entry in scan_pictures(folder, suffix))
    return [(name, read_label(folder, name)) for name in names]


def labels_in(folder: Path, suffix: str) -> list[str]:
    """Labels of the pictures in any sample folder by name, without hidden files and names that have no label."""
    names = in_order(entry.name for entry in scan_pictures(folder, suffix))
    return [label for name in names for label in _labels(name)]


def scan_labels(folder: Path, suffix: str) -> Iterator[str]:
    """The labels of `labels_in` in no order, one at a time."""
    return (label for entry in scan_pictures(folder, suffix) for label in _labels(entry.name))


def _labels(name: str) -> Iterator[str]:
    """The label of a picture in any sample folder, if it has one."""
    if not name.startswith("."):
        with suppress(SampleError):
            yield label_of(name)


def pictures_at(path: Path) -> list[Path]:
    """The file itself, or the files of a folder that are not hidden, sorted by name.

    Raises SampleError when there is none.
    """
    entries = [path] if path.is_file() else [entry for entry in list_entries(path) if not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.is_file()]
    if not files:
        raise SampleError(f"{display_path(path)}: expected a picture or a folder of pictures; got none")
    return files


def first_test_picture(folder: Path, suffix: str, way_out: str = FILLED) -> Path:
    """The first picture of the test folder by name. Raises SampleError with the `way_out` when it has none."""
    path = first_picture(folder, suffix)
    if path is None:
        raise SampleError(f"{display_path(folder)}: expected {pictures_of(suffix)}; got none; {way_out}")
    return path


def first_picture(folder: Path, suffix: str = ANY_SUFFIX) -> Path | None:
    """The first picture of a folder by name that has this suffix, or None."""
    name = min((entry.name for entry in scan_pictures(folder, suffix)), key=os.path.normcase, default=None)
    return None if name is None else folder / name


def read_label(folder: Path, name: str) -> str:
    """The label in the name of a training or test picture. Raises SampleError, with the way out, when it has none."""
    try:
        return label_of(name)
    except SampleError as error:
        way_out = "rename it, or move it out of this folder, which verify_and_split_data.py fills"
        raise SampleError(f"{display_path(folder / name)}: {error}; {way_out}") from error


@contextmanager
def locked(*folders: Path) -> Iterator[None]:
    """Lock the folders against other runs, create missing ones, and delete temporary files of killed runs.

    Raises SampleError when another run holds one for longer than `LOCK_WAIT_S`, and NotADirectoryError as `check_place`
    does.
    """
    with ExitStack() as stack:
        for folder in sorted(set(folders)):  # in the same order in all runs, so that no two wait for each other
            make_folder(folder)
            try:
                stack.enter_context(take_lock(folder / LOCK_NAME, LOCK_WAIT_S))
            except Timeout as error:
                message = "another run is writing or moving pictures here; try again later"
                raise SampleError(f"{display_path(folder)}: {message}") from error
            _delete_leftovers(folder)
        yield


def _delete_leftovers(folder: Path) -> None:
    """Delete the temporary files of runs that were killed. Those of writers without the lock may go too."""
    for path in filter(is_temporary, folder.iterdir()):
        with suppress(OSError):  # it is gone, or open on Windows
            path.unlink()


def share_held_out(pictures: int) -> float:
    """The share of so many pictures that a network does not train on but is measured with, 0.05 to 0.1."""
    return max(TEST_SHARE, min(FEW_SHARE, ENOUGH / max(1, pictures)))


def save_picture(folder: Path, text: str, suffix: str, data: bytes) -> Path:
    """Write a picture as `text_serial.suffix` and return its path. The serial number is the time in nanoseconds.

    `ANY_SUFFIX` gives the suffix of its content. No file is overwritten.
    Raises OSError when the folder can't be created or written, or the name is too long, and UnicodeError when the file
    system's encoding lacks a character.
    """
    make_folder(folder)
    suffix = suffix_of(data) if suffix == ANY_SUFFIX else suffix
    serial = time.time_ns()
    while not write_new(path := folder / file_name(text, serial, suffix), data):
        serial += 1  # the clock may tick more slowly than pictures arrive
    return path


def not_saved(error: OSError | UnicodeError) -> str:
    """What to print when `save_picture` has failed."""
    if isinstance(error, OSError):
        return printable(f"not saved in {error.filename}: {error.strerror}")
    return printable(f"not saved: {error}")
