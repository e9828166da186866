"""Copy pictures of any folder or archive into the original set, under names that hold their labels.

Labels come from a table beside the pictures, from their names, or from the names of their folders. A copy's serial
number is the hash of its content. So an import that was killed or is repeated makes no picture twice.
"""

import errno
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import Any

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import (
    ANY_SUFFIX,
    SERIAL_DIGITS,
    checked_label,
    file_name,
    has_suffix,
    label_of,
    unescape,
)
from cnnlib.codec.images import decode_picture, is_empty, suffix_of
from cnnlib.config import SampleConfig
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.core.files import sync_disk, write_atomically
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data import plausibility
from cnnlib.data.folders import labels_in, locked
from cnnlib.data.label_tables import TABLE_SUFFIXES, PictureIndex, Table, read_table, single_label
from cnnlib.data.name_shapes import is_serial_column, read_names, strip_copy_mark
from cnnlib.data.samples import digest_of
from cnnlib.data.sources import Entry, Source, list_source
from cnnlib.data.verify_and_split import FilesByContent

NAMES, SERIAL_FIRST, FOLDERS, SIDECARS = "names", "names with the serial number first", "folders", "text files"
_SET_FOLDER = re.compile(  # folders that hold many labels
    r"(?:train|training|test|testing|val|valid|validation|verify|dev|eval|images?|imgs?|pics?|pictures?|photos?|"
    r"data|datasets?|samples?|captchas?|label(?:l?ed|s)?|raw|origin(?:al)?s?|new|new_train|batch|parts?|sets?|fold|"
    r"split|groups?|chunk|folder|dir|downloads?|uploads?|screenshots?|tmp|temp|all|good|done|"
    r"archive|\d{4}-\d\d-\d\d)[-_ ]?\d*",
    re.IGNORECASE,
)
Labels = dict[PurePosixPath, tuple[str | None, str]]  # picture -> label and where it is from
Progress = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture of the source with its label and where that is from."""

    entry: Entry
    label: str
    origin: str
    digest: str = ""  # of its content, in hexadecimal
    suffix: str = ""  # of its format


@dataclass
class Found:
    """What was found in a source: pictures to copy, and what was skipped, each with the reason."""

    source: Path
    pictures: list[Labelled] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """How many labels are from where."""
        counts = Counter(picture.origin for picture in self.pictures).most_common()
        parts = [f"{count} {'labels ' if not index else ''}from {name}" for index, (name, count) in enumerate(counts)]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        return f"{display_path(self.source)}: {', '.join(parts) or 'no labelled pictures'}"


@dataclass
class Copied:
    """How many pictures were copied, how many were there already, and which could not be copied."""

    new: int = 0
    present: int = 0
    skipped: list[tuple[str, str]] = field(default_factory=list)


def find(source: Path, config: SampleConfig, progress: Progress, accept_labels: bool = False) -> Found:
    """The labelled pictures of a source.

    Raises SampleError when there is nothing, when it is a folder of the config, or when no picture has a label.
    """
    _check_place(source, config)
    is_table = source.is_file() and source.suffix.lower() in TABLE_SUFFIXES
    listed = list_source(source.parent if is_table else source, _folders(config))
    found = Found(source, skipped=listed.skipped)
    pictures = _decoded(_label(listed, source.name if is_table else None, found), found, progress)
    pictures = _without_contradictions(pictures, found)
    if not accept_labels:
        pictures = _without_doubts(pictures, config, found)
    found.pictures = pictures
    if not pictures:
        reasons = "".join(f"\n{name}: {reason}" for name, reason in found.skipped[:3])
        raise SampleError(
            f"{display_path(source)}: expected pictures with labels in their names, in a table, or in the names of "
            f"their folders; got none{reasons}"
        )
    return found


def copy(found: Found, config: SampleConfig, progress: Progress) -> Copied:
    """Copy the pictures that no set has yet into `origin_image_dir`, the first folder of a list.

    Raises OSError, such as that of a full disk.
    """
    origin, copied = config.origin_dirs[0], Copied()
    with locked(origin):
        results = on_all_cores(partial(_copy, FilesByContent(_sets(config)), Lock(), origin), found.pictures)
        for picture, result in zip(found.pictures, progress(results, total=len(found.pictures)), strict=True):
            if isinstance(result, str):
                copied.skipped.append((str(picture.entry.name), result))
            else:
                copied.new, copied.present = copied.new + result, copied.present + (not result)
        sync_disk(origin)  # whoever reads that they are copied may delete the others
    return copied


def _copy(known: FilesByContent, lock: Lock, origin: Path, picture: Labelled) -> bool | str:
    """Copy a picture. Returns whether it is new, or why it could not be copied. `known` are those that are there."""
    try:
        data = picture.entry.read()
        with lock:
            twin = next(iter(known.with_content(data)), None)
        if twin is None:
            _write(origin, picture, data)
        elif _label_in(twin) != picture.label:
            return f"the same picture is there under another label: {display_path(twin)}"
        return twin is None
    except SampleError as error:
        return str(error)


def _write(folder: Path, picture: Labelled, data: bytes) -> None:
    path = folder / file_name(picture.label, picture.digest[:SERIAL_DIGITS], picture.suffix)
    try:
        write_atomically(path, data, durable=False)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
            raise
        raise SampleError(f"the label is no name of a file here: '{escape_odd(picture.label)}'") from error


def _label_in(path: Path) -> str | None:
    try:
        return label_of(path.name)
    except SampleError:
        return None


def _sets(config: SampleConfig) -> tuple[Path, ...]:
    return *config.dirs_to_split, config.train_image_dir, config.test_image_dir


def _folders(config: SampleConfig) -> tuple[Path, ...]:
    """The folders of the suite, whose pictures no import takes."""
    others = (config.api_image_dir, config.online_image_dir, config.local_image_dir, config.model_save_dir)
    return (*_sets(config), *others, config.log_dir)


def _check_place(source: Path, config: SampleConfig) -> None:
    for folder in _sets(config):
        if os.path.realpath(source) == os.path.realpath(folder):
            raise SampleError(
                f"{display_path(source)}: expected a folder of other pictures; this one is a folder of {config.name}; "
                "move its pictures to a new folder first, or name a folder inside"
            )


def _label(listed: Source, table_name: str | None, found: Found) -> list[Labelled]:
    """The pictures of a source that have a label. With the name of a table, only those that it names."""
    tables = [entry for entry in listed.entries if entry.name.suffix.lower() in TABLE_SUFFIXES]
    others = [entry for entry in listed.entries if entry.name.suffix.lower() not in TABLE_SUFFIXES]
    if table_name:
        tables = [entry for entry in tables if str(entry.name) == table_name]
    labels = _labels_of_tables(tables, others, found)
    if not table_name:
        labels |= _labels_of_names([entry for entry in others if entry.name not in labels], found)
    by_name = {entry.name: entry for entry in others}
    pictures = []
    for name, (text, origin) in labels.items():
        if text is None:  # tables contradict each other
            continue
        try:
            pictures.append(Labelled(by_name[name], _checked(text), origin))
        except SampleError as error:
            found.skipped.append((str(name), str(error)))
    return sorted(pictures, key=lambda picture: picture.entry.name)


def _checked(text: str) -> str:
    if not text:
        raise SampleError("the label is empty")
    label = checked_label(text)
    if len(label) > LABEL_LIMIT:
        raise SampleError(f"expected a label of at most {LABEL_LIMIT} characters; got {len(label)}")
    return label


def _labels_of_tables(tables: Sequence[Entry], pictures: Sequence[Entry], found: Found) -> Labels:
    """Labels that tables give, and their origin. A picture with two different ones is skipped."""
    if not tables:
        return {}
    index = PictureIndex(entry.name for entry in pictures)
    stems = {entry.name.with_suffix(""): entry.name for entry in pictures}
    labels: defaultdict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    for entry in tables:
        try:
            table, origin = _read(entry, index, stems, found)
        except SampleError as error:
            found.skipped.append((str(entry.name), str(error)))
            continue
        for picture, label in table.items():
            labels[picture].setdefault(label, origin)
    result: Labels = {}
    for picture, origins in labels.items():
        (label, origin), *others = origins.items()
        if others:
            shown = ", ".join(f"'{escape_odd(each)}'" for each in origins)
            found.skipped.append((str(picture), f"tables give it different labels: {shown}"))
        result[picture] = (None if others else label, origin)
    return result


def _read(
    entry: Entry, index: PictureIndex, stems: dict[PurePosixPath, PurePosixPath], found: Found
) -> tuple[Table, str]:
    """The labels in one file, and what to call it. A text file of a picture's name holds its label."""
    data = entry.read()
    beside = entry.name.with_suffix("")
    picture = stems.get(beside) or stems.get(beside.with_suffix("") if beside.suffix == ".gt" else beside)
    if entry.name.suffix.lower() == ".txt" and picture:
        label = single_label(data)
        return ({picture: label} if label else {}), SIDECARS
    read = read_table(data, entry.name, index)
    if read is None:
        if entry.name.suffix.lower() in (".csv", ".tsv"):
            found.skipped.append((str(entry.name), "a table that names none of the pictures"))
        return {}, ""
    table, strangers = read
    if strangers:
        found.skipped.append((str(entry.name), f"rows that name no picture: {strangers}"))
    return table, escape_odd(entry.name.name)


def _labels_of_names(entries: Sequence[Entry], found: Found) -> Labels:
    """Labels in the names of pictures, or in those of their folders, and their origin."""
    entries = [entry for entry in entries if _may_be_picture(entry)]
    labels = _labels_of_folders(entries)
    left = sorted((entry.name for entry in entries if entry.name not in labels), key=lambda name: (name.parent, name))
    for _, group in groupby(left, key=lambda name: name.parent):
        names = list(group)
        for name, named in zip(names, read_names([_stem(name) for name in names]), strict=True):
            if named.label is None:
                found.skipped.append((str(name), named.cause))
            else:
                labels[name] = (unescape(named.label), SERIAL_FIRST if named.origin == "serial first" else NAMES)
    return labels


def _may_be_picture(entry: Entry) -> bool:
    """Whether a file is a picture by its suffix or, if it has another, by its content."""
    if has_suffix(entry.name, ANY_SUFFIX):
        return True
    try:
        return bool(suffix_of(entry.read()))
    except SampleError:
        return False


def _stem(name: PurePosixPath) -> str:
    """A name without its suffix, also that of a second download: `2e8j.png.1`."""
    inner = PurePosixPath(name.stem)
    if name.suffix[1:].isdecimal() and has_suffix(inner, ANY_SUFFIX):
        return inner.stem
    return name.stem


def _labels_of_folders(entries: Sequence[Entry]) -> Labels:
    """Labels of pictures that are in a folder for each label, and whose own names are only serial numbers."""
    children: defaultdict[PurePosixPath, defaultdict[str, list[PurePosixPath]]] = defaultdict(lambda: defaultdict(list))
    for entry in entries:
        if len(entry.name.parts) > 1:
            children[entry.name.parent.parent][entry.name.parent.name].append(entry.name)
    labels: Labels = {}
    for folders in children.values():
        own = {folder: names for folder, names in folders.items() if not _SET_FOLDER.fullmatch(folder)}
        if len(own) > 1 and _are_serials(own):
            for folder, names in own.items():
                labels |= {name: (unescape(strip_copy_mark(folder)), FOLDERS) for name in names}
    return labels


def _are_serials(folders: dict[str, list[PurePosixPath]]) -> bool:
    """Whether the names of pictures in these folders repeat from folder to folder, count on, or begin alike."""
    stems = {folder: [_stem(name).lower() for name in names] for folder, names in folders.items()}
    everything = [stem for names in stems.values() for stem in names]
    repeated = Counter(stem for names in stems.values() for stem in set(names))
    if sum(repeated[stem] > 1 for stem in everything) >= len(everything) / 2:
        return True
    if is_serial_column([strip_copy_mark(stem) for stem in everything]):
        return True
    named = [result for names in stems.values() for result in read_names(names)]
    named_alike = read_names(everything)
    return all(result.label is None for result in named) or all(result.label is None for result in named_alike)


def _decoded(pictures: Sequence[Labelled], found: Found, progress: Progress) -> list[Labelled]:
    """The pictures that can be opened and are not blank, with hash and suffix of their content."""

    def look(picture: Labelled) -> Labelled | str:
        try:
            data = picture.entry.read()
            if is_empty(decode_picture(data)):
                return "Empty picture: all pixels have the same colour, transparent ones count as white"
            return replace(picture, digest=digest_of(data).hex(), suffix=suffix_of(data))
        except SampleError as error:
            return f"Cannot be opened: {error}"

    whole = []
    looked = progress(on_all_cores(look, pictures), total=len(pictures))
    for picture, result in zip(pictures, looked, strict=True):
        if isinstance(result, str):
            found.skipped.append((str(picture.entry.name), result))
        else:
            whole.append(result)
    return whole


def _without_contradictions(pictures: Sequence[Labelled], found: Found) -> list[Labelled]:
    """Each picture once, and without those that are there under two labels."""
    groups: defaultdict[str, list[Labelled]] = defaultdict(list)
    for picture in pictures:
        groups[picture.digest].append(picture)
    unique = []
    for copies in groups.values():
        labels = sorted({picture.label for picture in copies})
        if len(labels) > 1:
            shown = " and ".join(f"'{escape_odd(label)}'" for label in labels)
            found.skipped += [(str(each.entry.name), f"the same picture has two labels: {shown}") for each in copies]
            continue
        unique.append(copies[0])
        found.skipped += [
            (str(each.entry.name), f"the same picture is there twice: {escape_odd(str(copies[0].entry.name))}")
            for each in copies[1:]
        ]
    return unique


def _without_doubts(pictures: Sequence[Labelled], config: SampleConfig, found: Found) -> list[Labelled]:
    """The pictures without those whose label is likely wrong."""
    sets = config.train_image_dir, config.test_image_dir
    known = [label for folder in sets for label in labels_in(folder, config.image_suffix)]
    accepted = str(config.alphabet) if known else ""
    certain = []
    for picture, cause in zip(
        pictures, plausibility.causes([picture.label for picture in pictures], known, accepted), strict=True
    ):
        if cause is None:
            certain.append(picture)
        else:
            reason = f"Doubtful label '{escape_odd(picture.label)}': {cause}"
            found.skipped.append((str(picture.entry.name), reason))
    return certain
