"""Check, split and move folders of labelled pictures.

No picture is lost, even when the program is killed. A picture is renamed. On another device it is copied under a
temporary name, the copy is renamed, and the original is deleted last. If a kill leaves both, the next run finds the
original as a duplicate.
"""

import errno
import hashlib
import os
import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import has_suffix, label_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path
from cnnlib.core.printable import printable
from cnnlib.data.folders import list_entries
from cnnlib.data.samples import Sample, inspect_folder, judge

TEST_SHARE = 0.05  # 19:1


def check_folder(folder: Path, config: SampleConfig, progress: Callable[..., Any] | None = None) -> list[Sample]:
    """Every file of `folder`, fully decoded and checked against the config, sorted by name.

    `progress` wraps the iterator and takes its length as `total`, as tqdm does.
    """
    return [judge(sample, config) for sample in inspect_folder(folder, progress)]


@dataclass
class SetSizes:
    """Number of pictures in the training and the test set. In a dry run those that would be moved are counted too."""

    training: int = 0
    test: int = 0

    def draw_test(self, paths: Sequence[Path], seed: int) -> set[Path]:
        """Draw the files of a folder that become test pictures, and count all `paths` as moved.

        The test set receives 5% of all pictures so far, even when you add a few at a time, but at most 5% of this
        folder. From two pictures on it has at least one.
        """
        total = len(paths) + self.training + self.test
        goal = _test_count(total) if total > 1 else 0
        count = max(0, min(goal - self.test, _test_count(len(paths)), len(paths)))
        self.training, self.test = self.training + len(paths) - count, self.test + count
        return set(random.Random(seed).sample(sorted(paths), count))


def _test_count(pictures: int) -> int:
    return max(1, int(pictures * TEST_SHARE + 0.5))


class FilesByContent:
    """Find files by their content. A file is read only when another of the same size is looked for.

    A file that vanishes in the meantime is not found.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self._unread: defaultdict[int, list[Path]] = defaultdict(list)  # by size in bytes
        self._read: defaultdict[bytes, list[Path]] = defaultdict(list)  # by digest
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Add a file. Links and folders are ignored."""
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                self._unread[path.stat().st_size].append(path)

    def find(self, path: Path) -> list[Path]:
        """The other files with the same bytes, including hard links.

        The file itself is left out, also under another spelling of its name: it must not count as its own duplicate.
        """
        matches = self.with_content(path.read_bytes())
        has_hard_links = path.stat().st_nlink > 1
        return [match for match in matches if has_hard_links or not _is_same(match, path)]

    def with_content(self, content: bytes) -> list[Path]:
        """The files with these bytes."""
        for candidate in self._unread.pop(len(content), ()):
            with suppress(OSError):
                self._read[_digest(candidate.read_bytes())].append(candidate)
        return list(self._read.get(_digest(content), ()))


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def separate_duplicates(
    samples: Sequence[Sample], targets: Sequence[Path], suffix: str, earlier: Iterable[Path] = ()
) -> tuple[list[Sample], list[Path]]:
    """The samples without duplicates, and the duplicates. Samples that can't be moved have a fault.

    A duplicate has the bytes and the label of a picture in a target, in `earlier`, or before it among the samples. It
    comes from a killed move, or was added twice.
    A sample can't be moved when a target has its name, or the same bytes under another label.
    """
    moved = (path for target in targets for path in list_entries(target) if has_suffix(path, suffix))
    known = FilesByContent((*moved, *earlier))
    unique, duplicates = [], []
    for sample in samples:
        try:
            copies = known.find(sample.path) if sample.size else []
        except OSError as error:
            unique.append(replace(sample, defects=(f"Cannot be opened: can't be read: {error.strerror}",)))
            continue
        if any(_has_label(copy, sample.label) for copy in copies):
            duplicates.append(sample.path)
            continue
        clash = None if sample.fault else _clash(sample, copies, targets)
        unique.append(replace(sample, misfits=(clash,)) if clash else sample)
        if not unique[-1].fault:
            known.add(sample.path)
    return unique, duplicates


def _has_label(path: Path, label: str | None) -> bool:
    try:
        return label_of(path.name) == label
    except SampleError:
        return False


def _clash(sample: Sample, copies: Sequence[Path], targets: Sequence[Path]) -> str | None:
    """Why a sample can't be moved into the targets, or None. `copies` have its bytes."""
    if copies:
        same_folder = copies[0].parent == sample.path.parent  # the copy moves away, so its folder would mislead
        return f"Same picture, another label: {printable(copies[0].name) if same_folder else display_path(copies[0])}"
    for target in targets:
        if os.path.lexists(target / sample.path.name):
            return f"Name taken: {display_path(target)} already has a picture of this name"
    return None


def move_all(
    paths: Sequence[Path], test: AbstractSet[Path], folders: tuple[Path, Path], before: SetSizes
) -> list[Path]:
    """Move the paths into two folders that the caller has locked, those of the test set into the second.

    They go in the order of `spread`. `before` are the sizes of the sets. Returns the paths that have vanished in the
    meantime.
    """
    vanished = []
    for path in spread(paths, test, before):
        try:
            move(path, folders[path in test])
        except FileNotFoundError:
            if os.path.lexists(path) or not all(map(os.path.isdir, folders)):
                raise
            vanished.append(path)
    return vanished


def spread(paths: Sequence[Path], test: AbstractSet[Path], before: SetSizes) -> Iterator[Path]:
    """The paths in an order that gives the test set its share at any time, rounded up.

    A run that is killed on the way so leaves as many test pictures as the next one needs to reach 5%.
    """
    drawn = [path for path in paths if path in test]
    others = [path for path in paths if path not in test]
    moved, tested = before.training + before.test, before.test
    total, goal = moved + len(paths), tested + len(drawn)
    drawn, others = drawn[::-1], others[::-1]
    while drawn or others:
        moved += 1
        if drawn and (not others or tested * total < goal * moved):
            tested += 1
            yield drawn.pop()
        else:
            yield others.pop()


def move(path: Path, folder: Path) -> None:
    """Move a file into a folder that the caller has locked, also to another device.

    Raises SampleError when the folder already has the name. The file then stays where it is.
    """
    target = folder / path.name
    if target.exists():
        raise SampleError(f"{display_path(target)}: already exists; {display_path(path)} stays where it is")
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across_devices(path, target)


def _move_across_devices(path: Path, target: Path) -> None:
    write_atomically(target, path.read_bytes())
    with suppress(OSError):  # a file system may know no such times or rights
        shutil.copystat(path, target)
    path.unlink()
