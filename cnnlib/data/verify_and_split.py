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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import decode_picture, describe_empty, is_coloured, is_empty, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import has_suffix, list_entries

TEST_SHARE = 0.05  # 19:1


@dataclass(frozen=True)
class Sample:
    """A file of a sample folder. `fault` says why it can't be used."""

    path: Path
    label: str | None = None
    size: tuple[int, int] | None = None  # width, height in pixels
    coloured: bool = False
    fault: str | None = None


def check_folder(folder: Path, config: SampleConfig, progress: Callable[..., Any] | None = None) -> list[Sample]:
    """Every file of `folder`, fully decoded and checked against the config, sorted by name.

    `progress` wraps the iterator and takes its length as `total`, as tqdm does.
    """
    entries = list_entries(folder)
    samples = on_all_cores(lambda path: check_file(path, config), entries)
    return list(progress(samples, total=len(entries)) if progress else samples)


def check_file(path: Path, config: SampleConfig) -> Sample:
    """The sample in one file: all that can be read from it, and the first fault."""
    if path.is_symlink():
        return Sample(path, fault="A link, not a file")  # after a move it could point nowhere
    if not path.is_file():
        return Sample(path, fault="Not a file")
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
            faults.append(describe_empty(picture))
    except SampleError as error:
        faults.append(f"Cannot be opened: {error}")
    faults += _misfits(label, size, config)
    return Sample(path, label, size, coloured, faults[0] if faults else None)


def _misfits(label: str | None, size: tuple[int, int] | None, config: SampleConfig) -> Iterator[str]:
    """Reasons why a label or a size does not fit the config."""
    width, height = config.image_width, config.image_height
    if size is not None and size != (width, height) and not config.resize:
        yield f"Wrong size: expected {width}x{height} pixels; got {size[0]}x{size[1]}"
    for fault in config.alphabet.faults_in(label or "", config.max_captcha):
        yield f"Label '{label}': {fault}"


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
    """Find files by their content. A file is read only when another of the same size is looked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._unread: defaultdict[int, list[Path]] = defaultdict(list)  # by size in bytes
        self._read: defaultdict[bytes, list[Path]] = defaultdict(list)  # by digest
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Add a file. Links and folders are ignored."""
        if path.is_file() and not path.is_symlink():
            self._unread[path.stat().st_size].append(path)

    def find(self, path: Path) -> list[Path]:
        """The other files with the same bytes, including hard links.

        The file itself is left out, also under another spelling of its name: it must not count as its own duplicate.
        """
        for candidate in self._unread.pop(path.stat().st_size, ()):
            self._read[_digest(candidate)].append(candidate)
        has_hard_links = path.stat().st_nlink > 1
        matches = self._read.get(_digest(path), ())
        return [match for match in matches if has_hard_links or not match.samefile(path)]


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


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
        copies = known.find(sample.path) if sample.size else []
        if any(_has_label(copy, sample.label) for copy in copies):
            duplicates.append(sample.path)
            continue
        unique.append(replace(sample, fault=sample.fault or _clash(sample, copies, targets)))
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
        return f"Same picture, another label: {copies[0].name if same_folder else display_path(copies[0])}"
    for target in targets:
        if os.path.lexists(target / sample.path.name):
            return f"Name taken: {display_path(target)} already has a picture of this name"
    return None


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
    shutil.copystat(path, target)
    path.unlink()
