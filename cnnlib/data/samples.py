"""A file of a sample folder: what it holds, what doesn't fit the config, and whether its label is likely wrong."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import ANY_SUFFIX, check_serial, checked_label, has_suffix, label_of
from cnnlib.codec.images import decode_picture, describe_empty, is_coloured, is_empty, read_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.data import plausibility
from cnnlib.data.folders import list_entries
from cnnlib.data.name_shapes import NamedLabel, read_names

A_LINK, NO_FILE = "A link, not a file", "Not a file"


@dataclass(frozen=True)
class Sample:
    """A file of a sample folder."""

    path: Path
    label: str | None = None
    size: tuple[int, int] | None = None  # width, height in pixels
    coloured: bool = False
    defects: tuple[str, ...] = ()  # why no config can use it
    misfits: tuple[str, ...] = ()  # why a config can't
    doubt: str | None = None  # why its label is likely wrong

    @property
    def fault(self) -> str | None:
        """All reasons why it can't be used, or None."""
        doubts = () if self.doubt is None else (f"Doubtful label '{escape_odd(self.label or '')}': {self.doubt}",)
        return "; ".join((*self.misfits, *self.defects, *doubts)) or None

    @property
    def faults(self) -> tuple[str, ...]:
        """The kinds of its reasons, without what differs from picture to picture."""
        doubts = () if self.doubt is None else ("Doubtful label",)
        return (*map(_kind, (*self.misfits, *self.defects)), *doubts)


def _kind(reason: str) -> str:
    if reason.startswith("Label '"):
        return "Label not in the alphabet" if ": not in the alphabet: " in reason else "Label too long"
    return reason.partition(": ")[0]


def inspect_folder(folder: Path, progress: Callable[..., Any] | None = None) -> list[Sample]:
    """Every file of `folder`, fully decoded, sorted by name.

    `progress` wraps the iterator and takes its length as `total`, as tqdm does.
    """
    entries = list_entries(folder)
    samples = on_all_cores(inspect, entries)
    return list(progress(samples, total=len(entries)) if progress else samples)


def inspect(path: Path) -> Sample:
    """The sample in one file: all that can be read from it, and its defects."""
    if path.is_symlink():
        return Sample(path, defects=(A_LINK,))  # after a move it could point nowhere
    if not path.is_file():
        return Sample(path, defects=(NO_FILE,))
    label, size, coloured, defects = None, None, False, []
    try:
        label = label_of(path.name)
        check_serial(path.name)
    except SampleError as error:
        defects.append(f"Bad name: {error}")
    try:
        picture = decode_picture(read_picture(path))
        size, coloured = picture.size, is_coloured(picture)
        if is_empty(picture):
            defects.append(describe_empty(picture))
    except SampleError as error:
        defects.append(f"Cannot be opened: {error}")
    return Sample(path, label, size, coloured, tuple(defects))


def judge(sample: Sample, config: SampleConfig) -> Sample:
    """The sample with all that doesn't fit the config. A file that is no picture by its name has only this fault."""
    if sample.defects[:1] in ((A_LINK,), (NO_FILE,)):
        return sample
    if sample.size is None and not has_suffix(sample.path, ANY_SUFFIX):
        return replace(sample, defects=(), misfits=("File extension is incorrect",))
    return replace(sample, misfits=tuple(_misfits(sample, config)))


def _misfits(sample: Sample, config: SampleConfig) -> Iterator[str]:
    width, height = config.image_width, config.image_height
    if not has_suffix(sample.path, config.image_suffix):
        yield "File extension is incorrect"
    if sample.size is not None and sample.size != (width, height) and not config.resize:
        yield f"Wrong size: expected {width}x{height} pixels; got {sample.size[0]}x{sample.size[1]}"
    for fault in config.alphabet.faults_in(sample.label or "", config.max_captcha):
        yield f"Label '{escape_odd(sample.label or '')}': {fault}"


def doubt_labels(samples: Sequence[Sample], known: Sequence[str], accepted: str = "") -> list[Sample]:
    """The samples with a doubt at each label that is likely wrong.

    `known` labels belong to pictures that were moved earlier. Characters of the `accepted` alphabet are in no doubt.
    """
    places = [place for place, sample in enumerate(samples) if sample.label and sample.size and not sample.defects]
    doubts = dict(zip(places, _name_doubts([samples[place] for place in places], accepted), strict=True))
    certain = [place for place in places if doubts[place] is None]
    labels = [str(samples[place].label) for place in certain]
    doubts |= zip(certain, plausibility.causes(labels, known, accepted), strict=True)
    return [replace(sample, doubt=doubts.get(place)) for place, sample in enumerate(samples)]


def _name_doubts(samples: Sequence[Sample], accepted: str) -> list[str | None]:
    """For each sample, why another part of its name is likely its label, or None."""
    folders: defaultdict[Path, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        folders[sample.path.parent].append(place)
    doubts: dict[int, str | None] = {}
    for places in folders.values():
        named = read_names([samples[place].path.stem for place in places])
        for place, name in zip(places, named, strict=True):
            doubts[place] = _name_doubt(samples[place], name, accepted)
    return [doubts[place] for place in range(len(samples))]


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
    return f"the label seems to be '{escape_odd(label)}'" if label != sample.label and "%" not in named.label else None
