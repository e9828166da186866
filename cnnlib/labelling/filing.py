"""What a label does to files: a copy of the picture, or another name for a picture that has a label already."""

import hashlib
import os
import string
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from cnnlib.codec.filenames import SERIAL_DIGITS, file_name, label_of, plain_suffix, stem_in, suffix_in
from cnnlib.codec.images import suffix_of
from cnnlib.core.errors import SampleError
from cnnlib.core.files import are_one_file, write_atomically
from cnnlib.core.paths import display_path
from cnnlib.labelling.journal import Entry


class Filing(Protocol):
    """Where labels go. Each call may be repeated, as after a kill."""

    def label(self, picture: str) -> str | None:
        """The label that a picture of this name has already."""

    def name(self, picture: str, text: str | None, data: bytes) -> str:
        """The name of the file that a label makes, or that it makes to set a picture aside; empty for none."""

    def put(self, entry: Entry, data: bytes) -> None:
        """Make that file. Raises OSError, or SampleError when another one has its name."""

    def is_put(self, entry: Entry) -> bool:
        """Whether that was done."""

    def is_there(self, entry: Entry) -> bool:
        """Whether a file of that name is there that this entry did not make. It is asked before `put`."""

    def digest(self, entry: Entry) -> str:
        """The digest of the content that an entry is about, as far as it tells; else empty."""

    def may_change(self, entry: Entry) -> bool:
        """Whether the label may be changed by asking about the picture again."""

    def check_there(self, entry: Entry) -> None:
        """Raise SampleError when the file was moved elsewhere since, so that it can't be taken back."""

    def take_back(self, entry: Entry, standing: Iterable[Entry]) -> None:
        """Undo that, unless the file was there before, or another entry that stands has it too."""


def digest_of(data: bytes) -> str:
    """The digest of a picture that is the serial number of its copy, 16 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:SERIAL_DIGITS]


def digest_in(name: str) -> str:
    """The digest in the name of a copy; empty for other names."""
    serial = stem_in(name).rpartition("_")[2]
    return serial if len(serial) == SERIAL_DIGITS and {*serial} <= {*string.hexdigits} else ""


class Copies:
    """Copies named by their labels, in one folder. `sets` are others into which they may be moved later."""

    def __init__(self, target: Path, sets: Sequence[Path]) -> None:
        self.target, self._folders = target, (target, *sets)

    def label(self, picture: str) -> str | None:  # noqa: ARG002
        """None: these pictures have no labels."""
        return None

    def name(self, picture: str, text: str | None, data: bytes) -> str:  # noqa: ARG002
        """The label and a hash of the content. What is set aside is not copied."""
        if text is None:
            return ""
        return file_name(text, digest_of(data), plain_suffix(suffix_of(data)))

    def put(self, entry: Entry, data: bytes) -> None:
        """Write the copy, unless it is there, in one of the folders: then it is this picture under this label."""
        if self.is_put(entry):
            return
        self.target.mkdir(parents=True, exist_ok=True)
        copy = self.target / entry.copy
        try:
            write_atomically(copy, data)
        except FileNotFoundError:  # a split that began at this moment deleted the file that was being written
            write_atomically(copy, data)

    def is_put(self, entry: Entry) -> bool:
        """Whether the copy is in one of the folders."""
        return not entry.copy or any(os.path.lexists(folder / entry.copy) for folder in self._folders)

    def is_there(self, entry: Entry) -> bool:
        """Whether the copy is in one of the folders, as when another folder with the same picture was labelled."""
        return bool(entry.copy) and self.is_put(entry)

    def digest(self, entry: Entry) -> str:
        """The digest in the name of the copy, or of what was set aside."""
        return entry.digest or digest_in(entry.copy)

    def may_change(self, entry: Entry) -> bool:
        """Whether the copy is where it was written."""
        return (self.target / entry.copy).exists()

    def check_there(self, entry: Entry) -> None:
        """Raise SampleError when the copy is in the sets, unless it is not that of the entry."""
        if entry.found or not entry.copy or (self.target / entry.copy).exists():
            return
        if self.is_put(entry):
            raise SampleError(f"{entry.picture}: its copy is in the sets already, under the label {entry.label}")

    def take_back(self, entry: Entry, standing: Iterable[Entry]) -> None:
        """Remove the copy, if the entry made it. The same picture may be there twice, also in another folder."""
        copy = self.target / entry.copy
        is_own = entry.copy and not entry.found and os.path.lexists(copy)
        if is_own and not any(self._have_one_copy(entry, other) for other in standing):
            copy.unlink(missing_ok=True)

    def _have_one_copy(self, entry: Entry, other: Entry) -> bool:
        """Whether two entries have the same file, as those in other case have on a system that ignores case."""
        if entry.copy.casefold() != other.copy.casefold():
            return False
        return entry.copy == other.copy or are_one_file(self.target / entry.copy, self.target / other.copy)


class Renames:
    """Pictures of the sets, which get the right label where they are. Those that can't be read move to a folder."""

    def __init__(self, root: Path, aside: Path) -> None:
        """Names of pictures are paths, relative ones in `root`. What can't be read goes into `aside`."""
        self.root, self._aside = root, aside

    def label(self, picture: str) -> str | None:
        """The label in its name."""
        return label_of(Path(picture).name)

    def name(self, picture: str, text: str | None, data: bytes) -> str:  # noqa: ARG002
        """Its name with the new label and the old serial number."""
        old = Path(picture).name
        serial, suffix = stem_in(old).rpartition("_")[2], suffix_in(old).removeprefix(".")
        return old if text is None else file_name(text, serial, suffix)

    def put(self, entry: Entry, data: bytes) -> None:  # noqa: ARG002
        """Give the picture its name."""
        _rename(self.root / entry.picture, self._target(entry))

    def is_put(self, entry: Entry) -> bool:
        """Whether nothing has the old name any more, or the label is the old one.

        On a system that ignores case both may name the file. Then the folder tells which one it has.
        """
        old, target = self.root / entry.picture, self._target(entry)
        if str(target) == str(old) or not old.exists():
            return True
        return are_one_file(old, target) and target.name in {path.name for path in target.parent.iterdir()}

    def is_there(self, entry: Entry) -> bool:
        """Whether another picture has the name that it is to get."""
        target = self._target(entry)
        return os.path.lexists(target) and not are_one_file(self.root / entry.picture, target)

    def digest(self, entry: Entry) -> str:  # noqa: ARG002
        """None: pictures of the sets are known by their names."""
        return ""

    def may_change(self, entry: Entry) -> bool:  # noqa: ARG002
        """Never: a second look is enough."""
        return False

    def check_there(self, entry: Entry) -> None:
        """Raise SampleError when nothing has either name."""
        if not self.find(entry.picture, entry).exists():
            raise SampleError(f"{entry.picture}: it was moved away since")

    def take_back(self, entry: Entry, standing: Iterable[Entry]) -> None:  # noqa: ARG002
        """Give the picture its old name."""
        if not entry.found and self._target(entry).exists():
            _rename(self._target(entry), self.root / entry.picture)

    def find(self, picture: str, entry: Entry | None) -> Path:
        """Where a picture is, given what was said about it."""
        old = self.root / picture
        return self._target(entry) if entry and not old.exists() else old

    def _target(self, entry: Entry) -> Path:
        old = self.root / entry.picture
        return (old.parent if entry.label else self._aside) / entry.copy


def _rename(path: Path, target: Path) -> None:
    """Give a picture another name, maybe in another folder. Raises SampleError when another file has it."""
    if str(path) != str(target) and path.exists():  # on Windows paths are equal that differ in case alone
        if os.path.lexists(target) and not are_one_file(path, target):
            raise SampleError(f"{display_path(target)}: already exists; {display_path(path)} stays where it is")
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
