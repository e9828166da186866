"""The journal of a labelling: a line for each thing that was said about a picture, on the disk before the next one."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import PlainValidator, TypeAdapter, ValidationError

from cnnlib.core.errors import SampleError, naming_file
from cnnlib.core.files import sync_folder
from cnnlib.core.paths import display_path

Action = Literal["label", "aside", "undo", "finished", "again", "folder"]
START = b'{"action":'  # of each line; no text in a line can hold it


def _text(value: object) -> str:
    """A text as it is. Pydantic's own check refuses the names of files that are not UTF-8."""
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


Text = Annotated[str, PlainValidator(_text)]


@dataclass(frozen=True)
class Entry:
    """What was said about a picture: its label, that it can't be read, or that what was said does not count.

    Of the action `folder`, `picture` is where the pictures are from here on. `finished` follows an undo that was done
    to the files as well.

    Some pictures are asked about again, to see whether the label is the same; `before` is the one that it had.
    `picture` is its place in the source, `copy` the name of its copy, `tab` who said it. `reading` and `confidence`
    were shown, and `seconds` passed until the answer.
    """

    action: Action
    picture: Text
    label: Text = ""
    copy: Text = ""
    reading: Text = ""
    confidence: float = 0.0
    seconds: float = 0.0
    tab: Text = ""
    model: Text = ""  # that gave the reading
    at_random: bool = True  # whether the picture came in the random order, and so tells about all others
    before: Text = ""
    page: Text = ""  # of the grid, on which it was accepted
    found: bool = False  # whether its file was there before, and so is not its own
    digest: Text = ""  # of the content that was set aside


_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


class Journal:
    """Entries in a file of JSON lines, none of which is ever changed. A line that was cut short is passed over.

    One that lacks its line feed alone counts, as after an editor.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; a missing one has no entries. Raises SampleError when it can't be read or is no journal."""
        self.path = path
        self.folder = ""  # of the pictures, or their zip file, as far as an entry tells
        self.last: Entry | None = None
        self.again: dict[str, Entry] = {}  # by picture: what was said when it was asked about again
        self.standing: dict[str, Entry] = {}  # by picture: labels and set asides not taken back, the oldest first
        self._owed: list[Entry] = []  # that are to be written before the next one
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise SampleError(f"{display_path(path)}: can't be read: {error.strerror}") from error
        *lines, rest = content.split(b"\n")
        self._is_torn = bool(rest)
        for number, line in enumerate(lines, 1):
            self._add(number, line)
        with suppress(SampleError):  # what was cut short
            self._add(len(lines) + 1, rest)

    def _add(self, number: int, line: bytes) -> None:
        """Take the entry of a line. Raises SampleError when it is none, and none that was cut short either."""
        if not line.strip():
            return
        whole = line[max(0, line.rfind(START)) :]  # behind one that was cut short
        try:
            self._take(_ENTRY.validate_python(json.loads(whole)))
        except (ValidationError, ValueError) as error:
            is_torn = START.startswith(whole) or (whole.startswith(START) and not whole.endswith(b"}"))
            if not is_torn:
                raise SampleError(
                    f"{display_path(self.path)}: line {number}: expected an entry of a labelling; got another line; "
                    "move the file away to begin anew"
                ) from error

    def note_folder(self, folder: Path) -> None:
        """Note where the pictures are. It is written before the next entry, if it is new."""
        place = os.path.realpath(folder)
        if place != self.folder:
            self._owed.append(Entry("folder", place))
            self.folder = place

    def append(self, entry: Entry) -> None:
        """Write an entry, and return once it is on the disk. Raises OSError, such as that of a full disk."""
        content = b"".join(map(_line, (*self._owed, entry)))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not (self.path.exists() and self.path.stat().st_size)
        with naming_file(self.path):
            self._write(content)
        if is_new:
            sync_folder(self.path.parent)
        self._owed.clear()
        self._take(entry)

    def retract(self, entry: Entry) -> None:
        """Take back an entry whose file could not be made. It is written now, or else before the next entry."""
        self._append_later(undo_of(entry, entry.tab))

    @property
    def unfinished(self) -> Entry | None:
        """What was taken back last, if that was not done to the files yet, as far as the journal tells."""
        return self.last if self.last and self.last.action == "undo" else None

    def finish(self, undo: Entry) -> None:
        """Note that an undo was done to the files. It is written now, or else before the next entry."""
        self._append_later(Entry("finished", undo.picture))

    def _append_later(self, entry: Entry) -> None:
        try:
            self.append(entry)
        except OSError:
            self._owed.append(entry)
            self._take(entry)

    def beside(self) -> Iterator[Entry]:
        """What stands in the journals of other folders under the same config. Broken ones are passed over."""
        kind = self.path.stem.rpartition("_")[0]
        for path in sorted(self.path.parent.glob(f"*{self.path.suffix}")):
            if path != self.path and path.stem.rpartition("_")[0] == kind:
                with suppress(SampleError):
                    yield from Journal(path).standing.values()

    def _write(self, content: bytes) -> None:
        """Add bytes to the file, all or none. Where even the latter fails, a part may stay, which is passed over."""
        rest, was_torn = memoryview(b"\n" * self._is_torn + content), self._is_torn
        with self.path.open("ab", buffering=0) as file:  # a buffer would write the rest later, in the midst of others
            size_bytes, self._is_torn = self.path.stat().st_size, True
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                with suppress(OSError):  # nothing may count later of which it is said now that it does not
                    os.truncate(self.path, size_bytes)
                    self._is_torn = was_torn
                raise
        self._is_torn = False

    def _take(self, entry: Entry) -> None:
        if entry.action == "folder":
            self.folder = entry.picture
            return
        self.last = entry
        if entry.action == "finished":
            return
        if entry.action == "again":
            self._take_again(entry)
            return
        self.standing.pop(entry.picture, None)
        if entry.action != "undo":
            self.standing[entry.picture] = entry

    def _take_again(self, entry: Entry) -> None:
        """Note what was said the second time. The label that stands was said last then."""
        self.again[entry.picture] = entry
        if before := self.standing.pop(entry.picture, None):
            self.standing[entry.picture] = before


def undo_of(entry: Entry, tab: str) -> Entry:
    """The entry that takes another one back, said by a tab."""
    return Entry("undo", entry.picture, entry.label, entry.copy, tab=tab, found=entry.found)


def _line(entry: Entry) -> bytes:
    """An entry as a line of JSON, in characters where they can be encoded."""
    fields = asdict(entry)
    try:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"
