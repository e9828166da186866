"""The journal of a labelling: a line for each thing that was said about a picture, on the disk before the next one."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from cnnlib.core.errors import SampleError, naming_file
from cnnlib.core.files import sync_folder
from cnnlib.core.paths import display_path

Action = Literal["label", "aside", "undo", "again"]


@dataclass(frozen=True)
class Entry:
    """What was said about a picture: its label, that it can't be read, or that what was said does not count.

    Some pictures are asked about again, to see whether the label is the same; `before` is the one that it had.
    `picture` is its place in the source, `copy` the name of its copy, `tab` who said it. `reading` and `confidence`
    were shown, and `seconds` passed until the answer.
    """

    action: Action
    picture: str
    label: str = ""
    copy: str = ""
    reading: str = ""
    confidence: float = 0.0
    seconds: float = 0.0
    tab: str = ""
    model: str = ""  # that gave the reading
    at_random: bool = True  # whether the picture came in the random order, and so tells about all others
    before: str = ""


_ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


class Journal:
    """Entries in a file of JSON lines, none of which is ever changed. A line that a kill cut short is passed over."""

    def __init__(self, path: Path) -> None:
        """Read the file; a missing one has no entries. Raises SampleError when it can't be read or is no journal."""
        self.path = path
        self.last: Entry | None = None
        self.again: dict[str, Entry] = {}  # by picture: what was said when it was asked about again
        self.standing: dict[str, Entry] = {}  # by picture: labels and set asides not taken back, the oldest first
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            content = b""
        except OSError as error:
            raise SampleError(f"{display_path(path)}: can't be read: {error.strerror}") from error
        *lines, self._torn = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            self._add(number, line)

    def _add(self, number: int, line: bytes) -> None:
        if not line:
            return
        try:
            self._take(_ENTRY.validate_json(line))
        except ValidationError as error:
            if b"}" in line:
                raise SampleError(
                    f"{display_path(self.path)}: line {number}: expected an entry of a labelling; got another line; "
                    "move the file away to begin anew"
                ) from error

    def append(self, entry: Entry) -> None:
        """Write an entry, and return once it is on the disk. Raises OSError, such as that of a full disk."""
        line = json.dumps(asdict(entry), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with naming_file(self.path), self.path.open("ab") as file:
            file.write((b"\n" if self._torn else b"") + line)
            file.flush()
            os.fsync(file.fileno())
        if self.last is None:
            sync_folder(self.path.parent)
        self._torn = b""
        self._take(entry)

    def _take(self, entry: Entry) -> None:
        self.last = entry
        if entry.action == "again":
            self.again[entry.picture] = entry
            return
        self.standing.pop(entry.picture, None)
        if entry.action != "undo":
            self.standing[entry.picture] = entry
