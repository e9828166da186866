"""Copy pictures of any folder or archive into the original set, under names that hold their labels.

Labels come from a table beside the pictures, from their names, or from the names of their folders. A copy's serial
number is the hash of its content. So an import that was killed or is repeated makes no picture twice.
"""

import errno
import os
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from pathlib import Path, PurePosixPath
from statistics import median
from threading import Lock
from typing import Any

from cnnlib.codec.characters import escape_odd, fold_case, normalise
from cnnlib.codec.filenames import (
    ANY_SUFFIX,
    SERIAL_DIGITS,
    checked_label,
    file_name,
    has_foreign_escapes,
    has_suffix,
    label_of,
    unescape,
)
from cnnlib.codec.images import decode_picture, describe_empty, is_empty, suffix_of
from cnnlib.config import SampleConfig
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import SampleError
from cnnlib.core.files import sync_disk, write_atomically
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data import plausibility
from cnnlib.data.file_kinds import may_be_picture, why_unread
from cnnlib.data.folders import labels_in, list_names, locked
from cnnlib.data.label_tables import TABLE_SUFFIXES, PictureIndex, Table, read_table, single_label, unwrap
from cnnlib.data.listing import kinds_of_skipped
from cnnlib.data.name_shapes import FEW, MANY, MOSTLY, is_serial_column, read_names, strip_copy_mark
from cnnlib.data.samples import Sample, digest_of, name_doubts
from cnnlib.data.sources import Entry, Source, is_guess, is_likely_chinese, list_source
from cnnlib.data.verify_and_split import FilesByContent, leads_below

NAMES, SERIAL_FIRST, FOLDERS, SIDECARS = "names", "names with the serial number first", "folders", "text files"
_SET_FOLDER = re.compile(  # folders that hold many labels
    r"(?:train|training|test|testing|val|valid|validation|verify|dev|eval|images?|imgs?|pics?|pictures?|photos?|"
    r"data|datasets?|samples?|captchas?|label(?:l?ed|s)?|raw|origin(?:al)?s?|new|new_train|batch|parts?|sets?|fold|"
    r"split|groups?|chunk|folder|dir|downloads?|uploads?|screenshots?|tmp|temp|all|good|done|"
    r"archive|\d{4}-\d\d-\d\d)[-_ ]?\d*",
    re.IGNORECASE,
)
REPEATED_SHARE = 1 / 10  # of all different pictures; a label of more is likely no label
OUTLIER = 10  # times as many pictures as other labels have; a label of more is likely no label
SHORT = 2  # characters of a label that may repeat as often as it likes
UNKNOWN_CODE_PAGE = "is neither UTF-8 nor Chinese in GB 18030: save it as UTF-8"
REASONS = 3  # lines about skipped files in an error
Labels = dict[PurePosixPath, tuple[str | None, str]]  # picture -> label and where it is from, or why there is none
Progress = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture of the source with its label and where that is from."""

    entry: Entry
    label: str
    origin: str
    digest: str = ""  # of its content, in hexadecimal
    suffix: str = ""  # of its format


@dataclass(frozen=True)
class LabelTable:
    """A table, or the text files of one folder: labels, and the pictures that are named without a clear one, with why.

    It speaks for all pictures below its folder, which holds it and all that it names.
    """

    origin: str
    folder: PurePosixPath
    labels: dict[PurePosixPath, list[str]]
    unclear: dict[PurePosixPath, str]
    mentions: bool = False  # no row could be read: the text mentions the pictures
    guessed: set[PurePosixPath] = field(default_factory=set)  # pictures whose text was no UTF-8, but may be GB 18030


@dataclass
class Found:
    """What was found in a source: pictures to copy, and what was skipped, each with the reason.

    `notes` say what was guessed or left off.
    """

    source: Path
    pictures: list[Labelled] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """How many labels are from where, and a line for each note."""
        counts = Counter(picture.origin for picture in self.pictures).most_common()
        parts = [f"{count} {'labels ' if not index else ''}from {name}" for index, (name, count) in enumerate(counts)]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        first = f"{display_path(self.source)}: {', '.join(parts) or 'no labelled pictures'}"
        return "\n".join([first, *self.notes])


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
    found = Found(source, skipped=listed.skipped, notes=listed.notes)
    decoded = _decoded(_label(listed, source.name if is_table else None, found), found, progress)
    pictures = [replace(picture, label=config.label(picture.label)) for picture in decoded]
    pictures = _without_contradictions(pictures, found)
    if not accept_labels:
        pictures = _without_doubts(pictures, config, found)
    found.pictures = pictures
    if not pictures:
        reasons = "".join(f"\n{line}" for line in kinds_of_skipped(found.skipped)[:REASONS])
        if has_doubts(found.skipped):
            reasons += "\nLabels that are likely wrong are taken as they are with --accept-labels"
        raise SampleError(
            f"{display_path(source)}: expected pictures with labels in their names, in a table, or in the names of "
            f"their folders; got none{reasons}"
        )
    return found


def has_doubts(skipped: Sequence[tuple[str, str]]) -> bool:
    """Whether files were skipped because their labels are likely wrong."""
    return any(reason.startswith(plausibility.DOUBTFUL) for _, reason in skipped)


def copy(found: Found, config: SampleConfig, progress: Progress) -> Copied:
    """Copy the pictures that no set has yet into `origin_image_dir`, the first folder of a list.

    Raises OSError, such as that of a full disk.
    """
    origin, copied = config.origin_dirs[0], Copied()
    with locked(origin):
        known = _KnownPictures(config, found.source)
        results = on_all_cores(partial(_copy, known, config), found.pictures)
        for picture, result in zip(found.pictures, progress(results, total=len(found.pictures)), strict=True):
            if isinstance(result, str):
                copied.skipped.append((str(picture.entry.name), result))
            else:
                copied.new, copied.present = copied.new + result, copied.present + (not result)
        sync_disk(origin)  # whoever reads that they are copied may delete the others
    return copied


class _KnownPictures:
    """The pictures of the sets, by their content. The label of one is that in its name as the config takes it.

    A link into the source is none: whoever reads that a picture is there already may delete the source.
    """

    def __init__(self, config: SampleConfig, source: Path) -> None:
        self._config, self._source, self._lock = config, source, Lock()
        moved = config.train_image_dir, config.test_image_dir
        self._files, self._unlabelled = FilesByContent(moved, to_split=config.dirs_to_split), _unlabelled(config)

    def labels_of(self, data: bytes) -> dict[str, Path]:
        """The labels of the pictures with these bytes, and where they are. Those without a label are left out."""
        with self._lock:
            twins = self._files.with_content(data)
        twins = [twin for twin in twins if twin not in self._unlabelled and not leads_below(twin, self._source)]
        labels = {_label_in(twin, self._config): twin for twin in twins}
        return {label: twin for label, twin in labels.items() if label is not None}


def _unlabelled(config: SampleConfig) -> set[Path]:
    """The pictures to verify whose names hold a label in form alone, such as `IMG_0001.png` and `0001_2e8j.png`."""
    samples = [
        Sample(folder, name, label)
        for folder in config.dirs_to_split
        for name in list_names(folder)
        if (label := _label_in(Path(name), config))
    ]
    doubts = zip(samples, name_doubts(samples), strict=True)
    return {sample.path for sample, doubt in doubts if doubt is not None}


def _copy(known: _KnownPictures, config: SampleConfig, picture: Labelled) -> bool | str:
    """Copy a picture. Returns whether it is new, or why it could not be copied. `known` are those that are there."""
    try:
        data = picture.entry.read()
        labels = known.labels_of(data)
        if labels and picture.label not in labels:
            return f"the same picture is there under another label: {display_path(next(iter(labels.values())))}"
        if not labels:
            _write(config.origin_dirs[0], picture, data)
        return not labels
    except SampleError as error:
        return str(error)


def _write(folder: Path, picture: Labelled, data: bytes) -> None:
    """Write a copy. Raises SampleError where its name is none here, or another file has it, which is kept."""
    path = folder / file_name(picture.label, picture.digest[:SERIAL_DIGITS], picture.suffix)
    if os.path.lexists(path) and not _is_torn(path, data):
        kind = "was edited since it was imported" if path.is_file() and not path.is_symlink() else "is no picture"
        raise SampleError(f"what has its name here {kind}, and is kept: {display_path(path)}")
    try:
        write_atomically(path, data, durable=False)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL):
            raise
        raise SampleError(f"the label is no name of a file here: '{escape_odd(picture.label)}'") from error


def _is_torn(path: Path, data: bytes) -> bool:
    """Whether a file holds these bytes, or what a power cut leaves of them: less, or zeros at the end."""
    with suppress(OSError):
        is_file = path.is_file() and not path.is_symlink()
        return is_file and data.startswith(path.read_bytes().rstrip(b"\0"))
    return False


def _label_in(path: Path, config: SampleConfig) -> str | None:
    """The label in the name of a picture as the config takes it, or None."""
    try:
        return config.label(label_of(path.name))
    except SampleError:
        return None


def _sets(config: SampleConfig) -> tuple[Path, ...]:
    return *config.dirs_to_split, config.train_image_dir, config.test_image_dir


def _folders(config: SampleConfig) -> tuple[Path, ...]:
    """The folders of the suite, whose pictures no import takes."""
    others = (config.api_image_dir, config.online_image_dir, config.local_image_dir, config.model_save_dir)
    return (*_sets(config), *others, config.log_dir, config.cache_dir)


def _check_place(source: Path, config: SampleConfig) -> None:
    for folder in _sets(config):
        if os.path.realpath(source) == os.path.realpath(folder):
            raise SampleError(
                f"{display_path(source)}: expected a folder of other pictures; this one is a folder of {config.name}; "
                "move its pictures to a new folder first, or name a folder inside"
            )


def _label(listed: Source, table_name: str | None, found: Found) -> list[Labelled]:
    """The pictures of a source that have a label. With the name of a table, only those that it names."""
    entries, pictures = _tables_and_pictures(listed, table_name, found)
    tables = _read_tables(entries, list(pictures), found)
    labels = _labels_of_tables(tables)
    if not table_name:
        labels |= _left_to_names(tables, list(pictures.values()), labels.keys())
    labelled = []
    for name, (text, origin) in sorted(labels.items()):
        try:
            labelled.append(Labelled(pictures[name], _checked(text, origin), origin))
        except SampleError as error:
            found.skipped.append((str(name), str(error)))
    return labelled


def _tables_and_pictures(
    listed: Source, table_name: str | None, found: Found
) -> tuple[list[Entry], dict[PurePosixPath, Entry]]:
    """The tables of a source and its pictures by name. Other files are skipped, with a table those that it mentions.

    With a table, a file that it can't mean is not looked into.
    """
    tables = [entry for entry in listed.entries if entry.name.suffix.lower() in TABLE_SUFFIXES]
    others = [entry for entry in listed.entries if entry.name.suffix.lower() not in TABLE_SUFFIXES]
    asked = others
    if table_name:
        tables = [entry for entry in tables if str(entry.name) == table_name]
        asked = _possible(tables, others)
    pictures = {entry.name: entry for entry in asked if may_be_picture(entry)}
    unread = [entry.name for entry in others if entry.name not in pictures]
    unread = _mentioned(tables, unread) if table_name else unread
    found.skipped += [(str(name), why_unread(name)) for name in unread]
    return tables, pictures


def _possible(tables: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    """The files that are pictures by their suffix, and those that one of the tables may mean by a cell."""
    index = PictureIndex(entry.name for entry in others if not has_suffix(entry.name, ANY_SUFFIX))
    possible: set[PurePosixPath] = set()
    for table in tables:
        with suppress(SampleError):
            possible |= index.possible_in(table.read())
    return [entry for entry in others if entry.name in possible or has_suffix(entry.name, ANY_SUFFIX)]


def _mentioned(tables: Sequence[Entry], files: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """The files that one of the tables mentions."""
    index = PictureIndex(files)
    mentioned: set[PurePosixPath] = set()
    for table in tables:
        with suppress(SampleError):
            mentioned |= index.mentioned_in(table.read())
    return sorted(mentioned)


def _checked(text: str | None, cause: str) -> str:
    """A label that a file name can hold. Raises SampleError, with the cause where there is none."""
    if text is None:
        raise SampleError(cause)
    if not text:
        raise SampleError("the label is empty")
    label = checked_label(text)
    if len(label) > LABEL_LIMIT:
        raise SampleError(f"expected a label of at most {LABEL_LIMIT} characters; got {len(label)}")
    return label


def _read_tables(entries: Sequence[Entry], pictures: Sequence[PurePosixPath], found: Found) -> list[LabelTable]:
    """What tables and text files say. What can't be used in them is skipped."""
    index, beside = PictureIndex(pictures), defaultdict(list)
    for picture in pictures:
        beside[normalise(str(picture.with_suffix("")))].append(picture)
    tables = []
    for entry in entries:
        stem = normalise(str(entry.name.with_suffix("")))
        own = beside.get(stem) or beside.get(stem.removesuffix(".gt")) or []
        tables.append(_read(entry, index, own if _is_text(entry.name) else [], found))
    mentioned = {picture for table in tables if table.mentions for picture in table.unclear}
    is_chance = len(mentioned) < FEW and 2 * len(mentioned) < len(pictures)  # a text may name a few as examples
    joined = _joined([table for table in tables if not (table.mentions and is_chance)])
    return [_unwrapped(_without_garbage(table, found), found) for table in joined]


def _without_garbage(table: LabelTable, found: Found) -> LabelTable:
    """The table, without the labels that were read in the wrong code page. A note says where GB 18030 was taken."""
    text = "".join(label for picture in table.guessed for label in table.labels.get(picture, ()))
    if text.isascii():
        return table
    if is_likely_chinese(text):
        found.notes.append(f"{table.origin}: no UTF-8, and read as Chinese in GB 18030")
        return table
    reason = f"its text file {UNKNOWN_CODE_PAGE}"
    if table.origin != SIDECARS:
        found.skipped.append((table.origin, f"the file {UNKNOWN_CODE_PAGE}"))
        reason = f"no label in {table.origin}"
    labels = {picture: texts for picture, texts in table.labels.items() if picture not in table.guessed}
    return replace(table, labels=labels, unclear=table.unclear | dict.fromkeys(table.guessed, reason))


def _unwrapped(table: LabelTable, found: Found) -> LabelTable:
    """The table with its labels as a person would write them. A note says what was left off."""
    pictures = [picture for picture, texts in table.labels.items() for _ in texts]
    texts, left_off = unwrap([text for texts in table.labels.values() for text in texts])
    if not left_off:
        return table
    labels: dict[PurePosixPath, list[str]] = defaultdict(list)
    for picture, text in zip(pictures, texts, strict=True):
        if text not in labels[picture]:
            labels[picture].append(text)
    found.notes.append(f"{table.origin}: left off {' and '.join(left_off)}")
    return replace(table, labels=dict(labels))


def _is_text(name: PurePosixPath) -> bool:
    return name.suffix.lower() == ".txt"


def _joined(tables: Sequence[LabelTable]) -> list[LabelTable]:
    """The tables, with the text files of each folder as one."""
    folders: dict[PurePosixPath, LabelTable] = {}
    for table in tables:
        if table.origin == SIDECARS:
            joined = folders.setdefault(table.folder, LabelTable(SIDECARS, table.folder, {}, {}))
            joined.unclear.update(table.unclear)
            joined.guessed.update(table.guessed)
            for picture, labels in table.labels.items():
                joined.labels.setdefault(picture, []).extend(labels)
    return [*(table for table in tables if table.origin != SIDECARS), *folders.values()]


def _read(entry: Entry, index: PictureIndex, own: Sequence[PurePosixPath], found: Found) -> LabelTable:
    """What one file says. A text file that is called as a picture, its `own`, holds the label of that."""
    name, folder = entry.name, entry.name.parent
    try:
        data = entry.read()
    except SampleError as error:  # whatever it says: no picture gets a label from anywhere else
        found.skipped.append((str(name), str(error)))
        unclear = dict.fromkeys(own or index.below(folder), f"no label in {escape_odd(name.name)}")
        return LabelTable(escape_odd(name.name), folder, {}, unclear)
    label, cause = _own_label(data, own)
    if label is not None:
        return LabelTable(SIDECARS, folder, {own[0]: [label]}, {}, guessed={own[0]} if is_guess(data) else set())
    table = read_table(data, name, index)
    if own and not table.labels:
        return LabelTable(SIDECARS, folder, {}, dict.fromkeys(own, f"its text file {cause}"))
    return replace(_label_table(name, table, index, found), guessed=set(table.labels) if is_guess(data) else set())


def _own_label(data: bytes, own: Sequence[PurePosixPath]) -> tuple[str | None, str]:
    """The label in a text file of one picture, or why there is none."""
    if len(own) != 1:
        return None, f"is beside {len(own)} pictures"
    try:
        return single_label(data), ""
    except SampleError as error:
        return None, str(error)


def _label_table(name: PurePosixPath, table: Table, index: PictureIndex, found: Found) -> LabelTable:
    """A table with its place. A text file that is called as a picture of another folder gives that no label."""
    unclear, mentions = table.unclear, table.mentioned
    if _is_text(name) and not table.labels and not unclear:
        namesakes = index.find(str(name.with_suffix("")), name.parent).pictures
        unclear, mentions = dict.fromkeys(namesakes, "its text file is in another folder"), True
    _list_faults(name, table, found)
    parents = {str(picture.parent) for picture in (*table.labels, *unclear)}
    holder = PurePosixPath(posixpath.commonpath([str(name.parent), *parents]))
    return LabelTable(escape_odd(name.name), holder, table.labels, unclear, mentions)


def _list_faults(name: PurePosixPath, table: Table, found: Found) -> None:
    """Add what could not be used in a table to what was skipped."""
    if table.cause:
        found.skipped.append((str(name), table.cause))
    elif table.strangers:
        found.skipped.append((str(name), f"rows that name no picture: {table.strangers}"))
    found.skipped += [(f"{name} line {line}", f"can't be read: {cause}") for line, cause in table.broken.items()]


def _labels_of_tables(tables: Sequence[LabelTable]) -> Labels:
    """Labels that tables give, and their origin. A picture with two different ones, or an unclear one, has none."""
    origins: defaultdict[PurePosixPath, dict[str, str]] = defaultdict(dict)
    labels: Labels = {}
    for table in tables:
        labels |= {picture: (None, reason) for picture, reason in table.unclear.items()}
        for picture, texts in table.labels.items():
            for text in texts:
                origins[picture].setdefault(text, table.origin)
    for picture, given in origins.items():
        (label, origin), *others = given.items()
        labels[picture] = (None, _contradiction(given)) if others else (label, origin)
    return labels


def _contradiction(given: dict[str, str]) -> str:
    """The reason for a picture that has several labels, of which each has its origin."""
    shown = ", ".join(f"'{escape_odd(label)}'" for label in given)
    one, *others = set(given.values())
    giving = "tables give" if others else "its text files give" if one == SIDECARS else f"{one} gives"
    return f"{giving} it different labels: {shown}"


def _left_to_names(tables: Sequence[LabelTable], entries: Sequence[Entry], settled: Set[PurePosixPath]) -> Labels:
    """The labels in names of the pictures that are not settled. Where a table speaks for a picture, its name has none.

    Names count there too if they say what the table says, and those that contradict it leave their pictures without a
    label. Where most say something else, they count nowhere.
    """
    named = _labels_of_names(entries) if tables else {}
    closed: defaultdict[PurePosixPath, dict[str, None]] = defaultdict(dict)  # folder -> tables that speak for it
    contradicted: Labels = {}
    for table in tables:
        agree = _agree(table, named)
        contradicted |= _contradicted(table, named) if agree else {}
        if not agree and (table.labels or table.unclear):
            closed[PurePosixPath() if agree is False else table.folder][table.origin] = None
    labels = _labels_of_names([entry for entry in entries if entry.name not in settled])
    for picture in labels:
        origins = [origin for folder in picture.parents for origin in closed.get(folder, ())]
        if origins:
            labels[picture] = None, _missing_in(origins)
    return labels | contradicted


def _contradicted(table: LabelTable, named: Labels) -> Labels:
    """The pictures whose names say something else than their table."""
    origin = "its text file" if table.origin == SIDECARS else table.origin
    contradicted: Labels = {}
    for picture, texts in table.labels.items():
        name = named[picture][0]
        if name is not None and not _is_same(name, texts):
            shown = ", ".join(f"'{escape_odd(label)}'" for label in (name, *texts))
            contradicted[picture] = None, f"its name and {origin} give it different labels: {shown}"
    return contradicted


def _agree(table: LabelTable, named: Labels) -> bool | None:
    """Whether names say what a table says. None if no picture has a label in both; a folder alone is no other label."""
    pairs = [(texts, *named[picture]) for picture, texts in table.labels.items() if named[picture][0] is not None]
    same = [_is_same(name, texts) for texts, name, _ in pairs]
    if same and sum(same) >= MOSTLY * len(same):
        return True
    return None if all(origin == FOLDERS for _, _, origin in pairs) else False


def _is_same(name: str | None, texts: Sequence[str]) -> bool:
    return fold_case(normalise(str(name))) in map(fold_case, texts)


def _missing_in(origins: Sequence[str]) -> str:
    tables = [origin for origin in origins if origin != SIDECARS]
    return f"no row in {' or '.join(tables[:REASONS])}" if tables else "no text file beside it"


def _labels_of_names(entries: Sequence[Entry]) -> Labels:
    """Labels in the names of pictures, or in those of their folders, and their origin, or why there is none."""
    labels = _labels_of_folders(entries)
    left = sorted((entry.name for entry in entries if entry.name not in labels), key=lambda name: (name.parent, name))
    for _, group in groupby(left, key=lambda name: name.parent):
        names = list(group)
        for name, named in zip(names, read_names([_stem(name) for name in names]), strict=True):
            if named.label is None:
                labels[name] = None, named.cause
            else:
                labels[name] = _unescaped(named.label, SERIAL_FIRST if named.origin == "serial first" else NAMES)
    return labels


def _unescaped(label: str, origin: str) -> tuple[str | None, str]:
    """A label in a name and its origin, or why there is none."""
    if has_foreign_escapes(label):
        return None, "its label has escapes such as %E9 that are no UTF-8"
    return unescape(label), origin


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
                labels |= {name: _unescaped(strip_copy_mark(folder), FOLDERS) for name in names}
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
            opened = decode_picture(data)
            if is_empty(opened):
                return describe_empty(opened)
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
    pictures = _without_repeated(pictures, found)
    sets = config.train_image_dir, config.test_image_dir
    known = [config.label(label) for folder in sets for label in labels_in(folder, config.image_suffix)]
    accepted = str(config.alphabet) if known else ""
    if config.has_looks and len(pictures) >= plausibility.ENOUGH:  # they may be of a look that is not moved yet
        known = []
    certain = []
    for picture, cause in zip(
        pictures, plausibility.causes([picture.label for picture in pictures], known, accepted), strict=True
    ):
        if cause is None:
            certain.append(picture)
        else:
            found.skipped.append((str(picture.entry.name), plausibility.reason(picture.label, cause)))
    return certain


def _without_repeated(pictures: Sequence[Labelled], found: Found) -> list[Labelled]:
    """The pictures without those whose label so many different ones have that it is likely the name of something else.

    Of programs: `getCode (1).jpg`, `getCode (2).jpg`; of sites: `bank/1.png`, `bank/2.png`; or a word for no label.
    """
    counts = Counter(picture.label for picture in pictures)
    usual = median(counts.values()) if counts else 0
    limit = min(REPEATED_SHARE * len(pictures), OUTLIER * usual)
    repeated = {label for label, count in counts.items() if count >= MANY and count > limit and len(label) > SHORT}
    for picture in pictures:
        if picture.label in repeated:
            cause = f"{counts[picture.label]} of {len(pictures)} different pictures have it: likely a program or folder"
            found.skipped.append((str(picture.entry.name), plausibility.reason(picture.label, cause)))
    return [picture for picture in pictures if picture.label not in repeated]
