"""A file of a sample folder: what it holds, what doesn't fit the config, and whether its label is likely wrong."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import ANY_SUFFIX, check_serial, checked_label, has_suffix, label_of, stem_in
from cnnlib.codec.images import decode_picture, describe_empty, is_coloured, is_empty, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.data import plausibility
from cnnlib.data.folders import in_order, list_names, scan_pictures
from cnnlib.data.name_shapes import NamedLabel, read_names

A_LINK, NO_FILE = "A link, not a file", "Not a file"
DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class Sample:
    """A file of a sample folder. There may be a million, so it has no more than is asked for later, and no path."""

    folder: Path
    name: str
    label: str | None = None
    size: tuple[int, int] | None = None  # width, height in pixels
    coloured: bool = False
    defects: tuple[str, ...] = ()  # why no config can use it
    misfits: tuple[str, ...] = ()  # why a config can't
    doubt: str | None = None  # why its label is likely wrong
    digest: bytes = b""  # of its bytes, if it is a picture

    @property
    def path(self) -> Path:
        return self.folder / self.name

    @property
    def fault(self) -> str | None:
        """All reasons why it can't be used, or None."""
        doubts = () if self.doubt is None else (plausibility.reason(self.label or "", self.doubt),)
        return "; ".join((*self.misfits, *self.defects, *doubts)) or None

    @property
    def faults(self) -> tuple[str, ...]:
        """The kinds of its reasons, without what differs from picture to picture."""
        doubts = () if self.doubt is None else (plausibility.DOUBTFUL,)
        return (*map(_kind, (*self.misfits, *self.defects)), *doubts)


def _kind(reason: str) -> str:
    if reason.startswith("Label '"):
        return "Label not in the alphabet" if ": not in the alphabet: " in reason else "Label too long"
    return reason.partition(": ")[0]


def inspect_folder(
    folder: Path, progress: Callable[..., Any] | None = None, *, following: bool = False
) -> list[Sample]:
    """Every file of `folder`, fully decoded, sorted by name.

    `progress` wraps the iterator and takes its length as `total`, as tqdm does. A link counts only when `following`:
    for those who move nothing.
    """
    names = list_names(folder)
    samples = on_all_cores(partial(_inspect, folder, following=following), names)
    return list(progress(samples, total=len(names)) if progress else samples)


def digest_of(content: bytes) -> bytes:
    """What tells the contents of files apart: half of their SHA-256."""
    return hashlib.sha256(content).digest()[:DIGEST_BYTES]


def inspect(path: Path) -> Sample:
    """The sample in one file or behind a link: all that can be read from it, and its defects."""
    return _inspect(path.parent, path.name, following=True)


def _inspect(folder: Path, name: str, *, following: bool) -> Sample:
    path = folder / name
    if path.is_symlink() and not following:
        return Sample(folder, name, defects=(A_LINK,))  # after a move it could point nowhere
    if not path.is_file():
        return Sample(folder, name, defects=(NO_FILE,))
    label, size, coloured, digest, defects = None, None, False, b"", []
    try:
        label = label_of(name)
        check_serial(name)
    except SampleError as error:
        defects.append(f"Bad name: {error}")
    try:
        data = read_picture(path)
        picture = decode_picture(data)
        size, coloured, digest = _one_of_equals(picture.size), is_coloured(picture), digest_of(data)
        if is_empty(picture):
            defects.append(describe_empty(picture))
    except SampleError as error:
        defects.append(f"Cannot be opened: {error}")
    return Sample(folder, name, label, size, coloured, tuple(defects), digest=digest)


@lru_cache
def _one_of_equals(size: tuple[int, int]) -> tuple[int, int]:
    """The same size for all pictures of it: one in memory."""
    return size


def named_samples(folder: Path, config: SampleConfig, progress: Callable[..., Any]) -> list[Sample]:
    """The labelled pictures of a folder by their names alone, unopened, with the labels as the config takes them."""
    names = (entry.name for entry in scan_pictures(folder, config.image_suffix))
    return [
        Sample(folder, name, config.label(label_of(name))) for name in in_order(progress(names)) if _has_label(name)
    ]


def _has_label(name: str) -> bool:
    try:
        return bool(label_of(name))
    except SampleError:
        return False


def judge(sample: Sample, config: SampleConfig) -> Sample:
    """The sample with all that doesn't fit the config, and with its label as the config takes it.

    A file that is no picture by its name has only this fault.
    """
    if sample.defects[:1] in ((A_LINK,), (NO_FILE,)):
        return sample
    if sample.size is None and not has_suffix(sample.name, ANY_SUFFIX):
        return replace(sample, defects=(), misfits=("File extension is incorrect",))
    label = sample.label and config.label(sample.label)
    misfits = tuple(_misfits(sample, label or "", config))
    is_as_before = (misfits, label) == (sample.misfits, sample.label)
    return sample if is_as_before else replace(sample, misfits=misfits, label=label)


def _misfits(sample: Sample, label: str, config: SampleConfig) -> Iterator[str]:
    width, height = config.image_width, config.image_height
    if not has_suffix(sample.name, config.image_suffix):
        yield "File extension is incorrect"
    if sample.size is not None and sample.size != (width, height) and not config.resize:
        yield f"Wrong size: expected {width}x{height} pixels; got {sample.size[0]}x{sample.size[1]}"
    for fault in config.alphabet.faults_in(config.spelled(label), config.max_captcha):
        yield f"Label '{escape_odd(label)}': {fault}"


def doubt_labels(
    samples: Sequence[Sample], known: Sequence[str], accepted: str = "", *, opened: bool = True
) -> list[Sample]:
    """The samples with a doubt at each label that is likely wrong.

    If they were `opened`, only those are looked at that are pictures.

    `known` labels belong to pictures that were moved earlier. Characters of the `accepted` alphabet are in no doubt.
    All labels are compared as they are: those of the samples are as a config takes them once it has judged them.
    """
    places = [place for place, sample in enumerate(samples) if _is_in_question(sample, opened)]
    doubts = _doubts(zip(places, name_doubts([samples[place] for place in places], accepted), strict=True))
    certain = [place for place in places if place not in doubts]
    labels = [str(samples[place].label) for place in certain]
    doubts |= _doubts(zip(certain, plausibility.causes(labels, known, accepted), strict=True))
    return [_with_doubt(sample, doubts.get(place)) for place, sample in enumerate(samples)]


def doubt_looks(
    samples: Sequence[Sample], known: Sequence[str], config: SampleConfig, accepted: str = "", *, opened: bool = True
) -> list[Sample]:
    """The samples with doubts, as of `doubt_labels`, which are in the order of their folders.

    A folder of one of several looks is judged by itself from ten labels on: what is rare among all may be usual in it.
    The others are compared with `known` too.
    """
    if not config.has_looks:
        return doubt_labels(samples, known, accepted, opened=opened)
    doubted = []
    for folder, group in groupby(samples, lambda sample: sample.folder):
        look = [*group]
        count = sum(_is_in_question(sample, opened) for sample in look)
        is_alone = folder in config.origin_dirs and count >= plausibility.ENOUGH
        doubted += doubt_labels(look, () if is_alone else known, accepted, opened=opened)
    return doubted


def _is_in_question(sample: Sample, opened: bool) -> bool:
    return bool(sample.label and (sample.size or not opened) and not sample.defects)


def _doubts(causes: Iterable[tuple[int, str | None]]) -> dict[int, str]:
    """The causes by place, for the places that have one."""
    return {place: cause for place, cause in causes if cause is not None}


def _with_doubt(sample: Sample, doubt: str | None) -> Sample:
    return sample if doubt == sample.doubt else replace(sample, doubt=doubt)


def name_doubts(samples: Sequence[Sample], accepted: str = "") -> list[str | None]:
    """For each sample, why another part of its name is likely its label, or None."""
    folders: defaultdict[Path, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        folders[sample.folder].append(place)
    doubts: list[str | None] = [None] * len(samples)
    for places in folders.values():
        named = read_names([stem_in(samples[place].name) for place in places])
        for place, name in zip(places, named, strict=True):
            doubts[place] = _name_doubt(samples[place], name, accepted)
    return doubts


def _name_doubt(sample: Sample, named: NamedLabel, accepted: str) -> str | None:
    if "_" in str(sample.label) and "_" in accepted:
        return None
    if named.label is None:
        return named.cause
    try:
        label = checked_label(named.label)
    except SampleError:
        return None
    if named.origin == "serial first":
        return f"a serial number seems to come first, so that the label is '{escape_odd(label)}'"
    is_other = label != label_of(sample.name) and "%" not in named.label
    return f"the label seems to be '{escape_odd(label)}'" if is_other else None
