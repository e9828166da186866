"""Check, split and move folders of labelled pictures.

No picture is lost, even when the program is killed. A picture is renamed. On another device it is copied under a
temporary name, the copy is renamed, and the original is deleted last. If a kill leaves both, the next run finds the
original as a duplicate.
"""

import errno
import math
import os
import random
import shutil
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import SERIAL_DIGITS, file_name, has_suffix, label_of, suffix_in
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import are_one_file, write_by
from cnnlib.core.paths import display_path
from cnnlib.core.printable import printable
from cnnlib.data.folders import TEST_SHARE, Name, in_order, labels_in, list_names, scan_labels, share_held_out
from cnnlib.data.samples import Sample, digest_of, inspect_folder, judge

NAME_TAKEN = "Name taken"
LEAST_LOOK = 10  # pictures of a look, from which on the test set has one of them
Progress = Callable[..., Any]  # wraps an iterator and takes its length as `total`, as tqdm does


def check_folder(folder: Path, config: SampleConfig, progress: Callable[..., Any] | None = None) -> list[Sample]:
    """Every file of `folder`, fully decoded and checked against the config, sorted by name.

    `progress` wraps the iterator and takes its length as `total`, as tqdm does.
    """
    return [judge(sample, config) for sample in inspect_folder(folder, progress)]


@dataclass
class SetSizes:
    """Number of pictures in the training and the test set. In a dry run those that would be moved are counted too.

    Without `drawing`, no more become test pictures.
    """

    training: int = 0
    test: int = 0
    drawing: bool = True

    def test_share(self, more: int, later: int | None = None) -> float:
        """The share of the test set when so many pictures more are moved. Of a look: of its own pictures."""
        total = self.training + self.test + more
        if not self.drawing:
            return self.test / max(1, total)
        if later is not None and more:
            return self._count_for_test(more, later) / more
        return count_for_test(total) / total if total > 1 else TEST_SHARE

    def draw_test(self, names: Sequence[Name], seed: int, later: int | None = None) -> set[Name]:
        """Draw the files of a folder that become test pictures, and count all `names` as moved.

        The test set receives its share of all pictures so far, even when you add a few at a time, but at most that
        share of this folder. From two pictures on it has at least one.
        The folder of one of several looks knows how many pictures, about, come `later`, and gives as large a part.
        Whatever the test set has of other looks, it gives its share, and from ten pictures on at least one.
        """
        count = self._count_for_test(len(names), later)
        self.training, self.test = self.training + len(names) - count, self.test + count
        return set(random.Random(seed).sample(in_order(names), count))

    def _count_for_test(self, pictures: int, later: int | None) -> int:
        """How many of so many pictures of a folder become test pictures; see `draw_test`."""
        if not (self.drawing and pictures):
            return 0
        total = pictures + self.training + self.test + (later or 0)
        lacking = (count_for_test(total) if total > 1 else 0) - self.test
        least = 0
        if later is not None:
            lacking = math.ceil(lacking * pictures / (pictures + later) - 0.5)
            least = max(int(pictures >= LEAST_LOOK), int(pictures * share_held_out(total)))
        return max(0, min(max(lacking, least), count_for_test(pictures), pictures))


def count_later(folder: Path, config: SampleConfig) -> int | None:
    """How many pictures, by their names, lie in the folders that are split after that of a look. None for no look."""
    if not (config.has_looks and folder in config.origin_dirs):
        return None
    others = config.dirs_to_split[config.origin_dirs.index(folder) + 1 :]
    return sum(1 for other in others for _ in scan_labels(other, config.image_suffix))


def count_for_test(pictures: int) -> int:
    """How many of so many pictures are for the test: 10% of up to 500, 50 of up to 1,000, and 5% of more."""
    return max(1, int(pictures * share_held_out(pictures) + 0.5))


def moved_labels(config: SampleConfig) -> list[str]:
    """The labels of the pictures in training and test set, as they are learned."""
    folders = (config.train_image_dir, config.test_image_dir)
    return [config.spelled(label) for folder in folders for label in labels_in(folder, config.image_suffix)]


def set_sizes(config: SampleConfig) -> SetSizes:
    """The numbers of pictures in training and test set."""
    folders = (config.train_image_dir, config.test_image_dir)
    training, test = (sum(1 for _ in scan_labels(folder, config.image_suffix)) for folder in folders)
    return SetSizes(training, test)


class FilesByContent:
    """Find the files of folders by their content. A file is read only when another of the same size is looked for.

    A file that vanishes in the meantime is not found. Folders and links that lead to no file are not either.
    """

    def __init__(self, folders: Iterable[Path], suffix: str | None = None, to_split: Iterable[Path] = ()) -> None:
        """The files that have this suffix; without one, all. Links count, as a training takes them.

        In folders `to_split` they don't: there they stay where they are.
        """
        self._unread: defaultdict[int, list[str]] = defaultdict(list)  # paths by size in bytes
        self._read: defaultdict[bytes, list[str]] = defaultdict(list)  # paths by digest
        looks = [*((folder, os.lstat) for folder in to_split), *((folder, os.stat) for folder in folders)]
        for folder, look in looks:
            for name in list_names(folder):
                if suffix is None or has_suffix(name, suffix):
                    self._add(f"{folder}/{name}", look)

    def _add(self, path: str, look: Callable[[str], os.stat_result]) -> None:
        with suppress(OSError):
            status = look(path)
            if stat.S_ISREG(status.st_mode):
                self._unread[status.st_size].append(path)

    def with_content(self, content: bytes) -> list[Path]:
        """The files with these bytes."""
        return self.with_digest(digest_of(content), len(content))

    def with_digest(self, digest: bytes, size: int) -> list[Path]:
        """The files of this digest and size in bytes, in the order of their folders and names."""
        for candidate in self._unread.pop(size, ()):
            with suppress(OSError):
                self._read[digest_of(Path(candidate).read_bytes())].append(candidate)
        return list(map(Path, self._read.get(digest, ())))


def _is_same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False


def _leads_into(link: Path, folder: Path) -> bool:
    """Whether this is a link to a file that lies in the folder itself."""
    return link.is_symlink() and _is_same(Path(os.path.realpath(link)).parent, folder)


def leads_below(link: Path, folder: Path) -> bool:
    """Whether this is a link to a file of a folder or of one below it."""
    return link.is_symlink() and any(_is_same(place, folder) for place in Path(os.path.realpath(link)).parents)


def _have_same_bytes(path: Path, other: Path) -> bool:
    """Whether two files have the same bytes now. One that can't be read any more has not."""
    with suppress(OSError):
        return path.read_bytes() == other.read_bytes()
    return False


def separate_duplicates(
    samples: Sequence[Sample],
    targets: Sequence[Path],
    suffix: str,
    earlier: Sequence[Sample] = (),
    progress: Progress | None = None,
    renaming: bool = False,
    label: Callable[[str], str] = str,
) -> tuple[list[Sample], list[Sample]]:
    """The samples without duplicates, and the duplicates. Samples that can't be moved have a fault.

    A duplicate has the bytes and the label of a picture in a target, in `earlier`, or before it among the samples. It
    comes from a killed move, or was added twice.
    A sample can't be moved when a target has the same bytes under another label. Nor when a target has its name, or one
    of `earlier` will take it there, and the caller is not `renaming` such samples. Labels are the same if `label` of a
    config makes them so.
    """
    moved = FilesByContent(targets if samples else (), suffix)
    alike = _Alike(earlier, samples)
    names = {} if renaming else {sample.name: sample.folder for sample in earlier}
    unique: list[Sample] = []
    duplicates: list[Sample] = []
    for sample in progress(samples, total=len(samples)) if progress else samples:
        try:
            copies = _copies(sample, moved, alike) if sample.size else []
        except OSError as error:
            unique.append(replace(sample, defects=(f"Cannot be opened: can't be read: {error.strerror}",)))
            continue
        if any(_has_label(copy, sample.label, label) for copy in copies):
            duplicates.append(sample)
            continue
        clash = None if sample.fault else _clash(sample, copies, () if renaming else targets, names)
        unique.append(replace(sample, misfits=(clash,)) if clash else sample)
        if not unique[-1].fault:
            alike.add(sample)
    return unique, duplicates


class _Alike:
    """The samples that had the bytes of others when they were inspected. Most have not, and take no memory here."""

    def __init__(self, earlier: Sequence[Sample], samples: Sequence[Sample]) -> None:
        counts = Counter(sample.digest for sample in (*earlier, *samples) if sample.size)
        self._by_digest: dict[bytes, list[Sample]] = {digest: [] for digest, count in counts.items() if count > 1}
        for sample in earlier:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        if sample.digest in self._by_digest:
            self._by_digest[sample.digest].append(sample)

    def paths(self, sample: Sample) -> list[Path]:
        """Those that were added before, of the same bytes."""
        return [each.path for each in self._by_digest.get(sample.digest, ())]


def _copies(sample: Sample, moved: FilesByContent, alike: _Alike) -> list[Path]:
    """The other files with the same bytes, including hard links. Raises OSError when the sample has vanished.

    The file itself is left out, also under another spelling of its name: it must not count as its own duplicate. Nor
    must a link of a target into the folder of the samples: two of them could be the reason to delete each other's file.
    """
    path = sample.path
    status = path.stat()
    in_sets = (
        copy for copy in moved.with_digest(sample.digest, status.st_size) if not _leads_into(copy, sample.folder)
    )
    found = (*in_sets, *alike.paths(sample))
    copies = [copy for copy in found if status.st_nlink > 1 or not _is_same(copy, path)]
    return [copy for copy in copies if _have_same_bytes(copy, path)]  # a file may have changed since it was inspected


def _has_label(path: Path, text: str | None, label: Callable[[str], str]) -> bool:
    """Whether the name of a picture has the same label."""
    try:
        return text is not None and label(label_of(path.name)) == label(text)
    except SampleError:
        return False


def _clash(sample: Sample, copies: Sequence[Path], targets: Sequence[Path], earlier: Mapping[str, Path]) -> str | None:
    """Why a sample can't be moved into the targets, whose names are taken, or None. `copies` have its bytes.

    The names of `earlier`, each with its folder, will be taken.
    """
    if copies:
        same_folder = copies[0].parent == sample.folder  # the copy moves away, so its folder would mislead
        return f"Same picture, another label: {printable(copies[0].name) if same_folder else display_path(copies[0])}"
    for target in targets:
        if os.path.lexists(target / sample.name):
            return f"{NAME_TAKEN}: {display_path(target)} already has a picture of this name"
    if sample.name in earlier:
        return f"{NAME_TAKEN}: a picture of {display_path(earlier[sample.name])} has this name, and comes first"
    return None


def with_taken_names(samples: Sequence[Sample], targets: Sequence[Path], earlier: Sequence[Sample]) -> set[str]:
    """The names of samples without a fault that a target has, or that one of the `earlier` samples will take there."""
    names = {sample.name for sample in earlier}
    return {
        sample.name
        for sample in samples
        if not sample.fault and (sample.name in names or any(os.path.lexists(each / sample.name) for each in targets))
    }


def rename(sample: Sample, moving: bool = True) -> Sample:
    """Rename the file of a sample in its folder, which the caller has locked; returns the sample with the new name.

    Its serial number becomes the hash of its content. So whatever else has that name is the same picture, and the next
    run finds one of them as a duplicate. A sample that can't be renamed has a fault. If it can, and without `moving`,
    it is returned as it is.
    """
    serial, suffix = sample.digest.hex()[:SERIAL_DIGITS], suffix_in(sample.name).removeprefix(".")
    name = file_name(label_of(sample.name), serial, suffix)
    path = sample.folder / name
    if os.path.lexists(path):
        return replace(sample, misfits=(f"{NAME_TAKEN}: so is {printable(name)} here",))
    try:
        sample.path.rename(path) if moving else path.lstat()
    except FileNotFoundError:
        return sample  # before a move it is as it was; in one `move_all` says that it has vanished
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return replace(sample, misfits=(f"{NAME_TAKEN}: with the hash of the content the name is too long",))
    return replace(sample, name=name)


def move_all(
    names: Sequence[Name],
    test: AbstractSet[Name],
    folders: tuple[Path, Path],
    before: SetSizes,
    origin: Path = Path(),
    progress: Progress | None = None,
) -> list[Name]:
    """Move files of `origin` into two folders that the caller has locked, those of the test set into the second.

    They go in the order of `spread`. `before` are the sizes of the sets. Returns the names that have vanished in the
    meantime.
    """
    vanished = []
    ordered = spread(names, test, before)
    for name in progress(ordered, total=len(names)) if progress else ordered:
        path = origin / name
        try:
            move(path, folders[name in test])
        except FileNotFoundError:
            if os.path.lexists(path) or not all(map(os.path.isdir, folders)):
                raise
            vanished.append(name)
    return vanished


def spread(names: Sequence[Name], test: AbstractSet[Name], before: SetSizes) -> Iterator[Name]:
    """The names in an order that gives the test set its share at any time, rounded up.

    A run that is killed on the way so leaves as many test pictures as the next one needs to reach its share.
    """
    drawn = [name for name in names if name in test]
    others = [name for name in names if name not in test]
    moved, tested = before.training + before.test, before.test
    total, goal = moved + len(names), tested + len(drawn)
    drawn, others = drawn[::-1], others[::-1]
    while drawn or others:
        moved += 1
        if drawn and (not others or tested * total < goal * moved):
            tested += 1
            yield drawn.pop()
        else:
            yield others.pop()


def move(path: Path, folder: Path, name: str = "") -> None:
    """Move a file into a folder that the caller has locked, also to another device, perhaps under another name.

    Raises SampleError when another file of the folder has the name. The file then stays where it is.
    """
    target = folder / (name or path.name)
    if os.path.lexists(target) and not are_one_file(path, target):
        raise SampleError(f"{display_path(target)}: already exists; {display_path(path)} stays where it is")
    try:
        path.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across_devices(path, target)


def _move_across_devices(path: Path, target: Path) -> None:
    write_by(target, lambda file: file.write(path.read_bytes()), like=path)
    with suppress(OSError):  # a file system may know no such times
        shutil.copystat(path, target)
    path.unlink()
