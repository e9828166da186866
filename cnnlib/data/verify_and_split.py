"""Folders of labelled pictures: check, split and move them.

No picture is ever lost, whenever the program is killed: a picture is renamed, or, to another device, copied under a
temporary name, renamed and only then deleted where it was; if not by this run, then as a double by the next.
"""

import errno
import hashlib
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import decode_picture, is_coloured, is_empty, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import has_suffix, list_entries

TEST_SHARE = 0.05  # 19:1


@dataclass(frozen=True)
class Sample:
    """A file of a sample folder as it was found; `fault` says why it can't be used, if it can't."""

    path: Path
    label: str | None = None
    size: tuple[int, int] | None = None  # width, height in pixels
    coloured: bool = False
    fault: str | None = None


def check_folder(folder: Path, config: SampleConfig, progress: Callable[..., Any] | None = None) -> list[Sample]:
    """Every file of `folder`, decoded fully and held against the config, sorted by name.

    `progress` wraps the iterator, given its length as `total`, as tqdm does.
    """
    entries = list_entries(folder)
    checked = on_all_cores(lambda path: check_file(path, config), entries)
    return list(progress(checked, total=len(entries)) if progress else checked)


def check_file(path: Path, config: SampleConfig) -> Sample:
    """One file held against the config; all that could be found out, and the first fault."""
    if path.is_symlink() or not path.is_file():  # a link, moved, may point nowhere
        return Sample(path, fault="A link, no file" if path.is_symlink() else "Not a file")
    label, size, coloured, faults = None, None, False, []
    if not has_suffix(path, config.image_suffix):
        faults.append("File extension is incorrect")
    try:
        label = label_of(path.name)
    except SampleError as error:
        faults.append(f"Bad name: {error}")
    try:
        picture = decode_picture(read_picture(path))
        size, coloured = picture.size, is_coloured(picture)
        if is_empty(picture):
            faults.append("Nothing to see: one colour throughout, on white where it is transparent")
    except SampleError as error:
        faults.append(f"Cannot be opened: {error}")
    faults += _misfits(label, size, config)
    return Sample(path, label, size, coloured, faults[0] if faults else None)


def _misfits(label: str | None, size: tuple[int, int] | None, config: SampleConfig) -> Iterator[str]:
    width, height = config.image_width, config.image_height
    if size is not None and size != (width, height) and not config.resize:
        yield f"Wrong size: expected {width}x{height} pixels; got {size[0]}x{size[1]}"
    for fault in config.alphabet.faults_in(label or "", config.max_captcha):
        yield f"Label '{label}': {fault}"


@dataclass
class SetSizes:
    """How many pictures the training and the test set have, those that would have been moved there among them."""

    trained: int = 0
    tested: int = 0

    def draw_test(self, paths: Sequence[Path], seed: int) -> set[Path]:
        """Which of a folder's files go to the test, drawn by `seed`: 5% of them, at most, and of all together.

        One of two pictures or more is for the test. All `paths` belong to the sets then.
        """
        everything = len(paths) + self.trained + self.tested
        wanted = _share(everything) if everything > 1 else 0
        count = max(0, min(wanted - self.tested, _share(len(paths)), len(paths)))
        self.trained, self.tested = self.trained + len(paths) - count, self.tested + count
        return set(random.Random(seed).sample(sorted(paths), count))


def _share(pictures: int) -> int:
    return max(1, int(pictures * TEST_SHARE + 0.5))


class FilesByContent:
    """Files by their bytes, links and folders left out; one is read only when another of its size is looked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._unread: defaultdict[int, list[Path]] = defaultdict(list)  # by size in bytes
        self._read: defaultdict[bytes, list[Path]] = defaultdict(list)  # by digest
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Let `path` be found from now on."""
        if path.is_file() and not path.is_symlink():
            self._unread[path.stat().st_size].append(path)

    def find(self, path: Path) -> list[Path]:
        """The others of the same bytes, hard links among them.

        The file itself is none of them, under whatever other name a system gives it: it may have to stay.
        """
        for rival in self._unread.pop(path.stat().st_size, ()):
            self._read[_digest(rival)].append(rival)
        linked = path.stat().st_nlink > 1
        return [one for one in self._read.get(_digest(path), ()) if linked or not one.samefile(path)]


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def find_taken(
    samples: Sequence[Sample], targets: Sequence[Path], suffix: str, earlier: Iterable[Path] = ()
) -> tuple[list[Sample], list[Path]]:
    """The samples, those marked that a move would clash with; and the files that are there already.

    The latter have the bytes and the label of a picture in a target, `earlier` or before them among the samples: left
    by a move that was killed half-way, put in twice, or a test picture that came back. They are no samples any more.
    Clashes are a name that a target has, and the same bytes under another label.
    """
    there = (path for target in targets for path in list_entries(target) if has_suffix(path, suffix))
    known = FilesByContent((*there, *earlier))
    others, twins = [], []
    for sample in samples:
        same = known.find(sample.path) if sample.size else []
        if any(_has_label(one, sample.label) for one in same):
            twins.append(sample.path)
            continue
        others.append(replace(sample, fault=sample.fault or _clash(sample, same, targets)))
        if not others[-1].fault:
            known.add(sample.path)
    return others, twins


def _has_label(path: Path, label: str | None) -> bool:
    try:
        return label_of(path.name) == label
    except SampleError:
        return False


def _clash(sample: Sample, same: Sequence[Path], targets: Sequence[Path]) -> str | None:
    """Why a sample can't be moved into a target folder, None when it can; `same` are those of its bytes."""
    if same:
        moves = same[0].parent == sample.path.parent  # and is elsewhere when this is read
        return f"Same picture, another label: {same[0].name if moves else display_path(same[0])}"
    for target in targets:
        if os.path.lexists(target / sample.path.name):
            return f"Name taken: {display_path(target)} holds a picture of this name already"
    return None


def move(path: Path, folder: Path) -> None:
    """Move a file into a folder that the caller has locked, across devices too.

    Raises SampleError when the folder holds the name already; the file then stays where it is.
    """
    target = folder / path.name
    if target.exists():
        raise SampleError(f"{display_path(target)}: exists already, {display_path(path)} stays where it is")
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across_devices(path, target)


def _move_across_devices(path: Path, target: Path) -> None:
    write_atomically(target, path.read_bytes())
    shutil.copystat(path, target)
    path.unlink()
