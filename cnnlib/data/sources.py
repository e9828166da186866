"""The files of a folder or a zip archive, also of archives in it, each as a name and a way to read it.

Nothing is unpacked to the disk. What an archive may hold is bounded, and links in it are not followed.
"""

import errno
import io
import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.images import FILE_LIMIT_BYTES
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.data.folders import LOCK_NAME, SYSTEM_NAMES

ARCHIVE_DEPTH = 2  # archives in archives
ARCHIVE_FILES = 1_000_000
ARCHIVE_BYTES = 16 * 2**30  # unpacked
ARCHIVE_RATIO = 200  # unpacked bytes for each of the archive; pictures are packed already
SMALL_ARCHIVE_BYTES = 256 * 2**20  # unpacked; below it, no ratio is too high
REPACK = "unpack the archive, and import the folder"
LETTERS_SPAN = 64  # bytes from the first to the last letter in code pages of Cyrillic, Greek and the like
CHINESE_SHARE = 0.9  # of the characters of a Chinese text are common ones
ENOUGH_CHINESE = 10  # different characters; fewer may all begin alike by chance
_WESTERN = {  # letters that the code pages of DOS in America and Europe have at the same place
    character
    for byte in range(128, 256)
    if (character := bytes([byte]).decode("cp437")) == bytes([byte]).decode("cp850") and character.isalpha()
}


Reader = Callable[[PurePosixPath], bytes]
HeadReader = Callable[[PurePosixPath, int], bytes]  # of so many bytes
Readers = tuple[Reader, HeadReader]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a source. `name` is its place in it. There may be a million, so those of a folder share a reader."""

    name: PurePosixPath
    reader: Reader
    head_reader: HeadReader | None = None

    def read(self) -> bytes:
        """The bytes of the file. Raises SampleError."""
        return self.reader(self.name)

    def head(self, count: int) -> bytes:
        """The first bytes of the file, `count` or fewer. Raises SampleError."""
        return self.head_reader(self.name, count) if self.head_reader else self.read()[:count]


@dataclass
class Source:
    """Files, and those that can't be taken, each with the reason. `notes` say what was guessed."""

    entries: list[Entry] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_source(path: Path, without: Iterable[Path] = ()) -> Source:
    """The files below a folder, in a zip archive, or this one file, sorted by name.

    The folders `without` are left out, also where a link leads into one of them, unless `path` itself lies in it. Links
    are read through. Hidden files and those of file managers do not count.
    """
    source = Source()
    if path.is_dir():
        real, readers = Path(os.path.realpath(path)), _readers(path)
        left_out = {Path(os.path.realpath(folder)) for folder in without} - {real, *real.parents}
        for file in _walk(path, left_out, source):
            _add_file(source, file, PurePosixPath(file.relative_to(path).as_posix()), readers)
    elif path.is_file():
        _add_file(source, path, PurePosixPath(path.name), _readers(path.parent))
    else:
        raise SampleError(f"{display_path(path)}: expected a folder, a zip file or a table of labels; there is none")
    return source


def _walk(top: Path, without: set[Path], source: Source) -> Iterator[Path]:
    """Files below a folder. Each folder is entered once, even when links lead back to it."""
    entered = {Path(os.path.realpath(top))}
    for folder, folders, files in os.walk(top, followlinks=True, onerror=lambda error: _note(source, top, error)):
        folders[:] = [name for name in sorted(folders) if _enters(Path(folder, name), without, entered)]
        yield from (Path(folder, name) for name in sorted(files) if not is_hidden(name))


def _enters(folder: Path, without: set[Path], entered: set[Path]) -> bool:
    """Whether a folder is entered, which `entered` remembers. A link to a hidden folder is, under its own name."""
    real = Path(os.path.realpath(folder))
    if is_hidden(folder.name) or real in entered or without & {real, *real.parents}:
        return False
    entered.add(real)
    return True


def _note(source: Source, top: Path, error: OSError) -> None:
    name = Path(str(error.filename)).relative_to(top).as_posix()
    source.skipped.append((name, f"the folder can't be read: {error.strerror}"))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is no picture: hidden, or of a file manager."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES or name == LOCK_NAME


def _add_file(source: Source, path: Path, name: PurePosixPath, readers: Readers) -> None:
    try:
        size = _size_of(path)
    except SampleError as error:
        source.skipped.append((str(name), str(error)))
        return
    if path.suffix.lower() == ".zip":
        _add_archive(source, path, name, size, ARCHIVE_DEPTH)
    else:
        source.entries.append(Entry(name, *readers))


def _size_of(path: Path) -> int:
    """The size of a file in bytes. Raises SampleError, with the reason, when it can't be taken."""
    try:
        status = path.stat()
    except OSError as error:
        with suppress(OSError):  # a folder may be listed and not be entered
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP) and path.is_symlink():
                raise SampleError(f"a link to a file that is missing: {path.readlink()}") from error
        raise SampleError(f"can't be read: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SampleError("not a file")
    return status.st_size


def _readers(folder: Path) -> Readers:
    """The readers of the files of a folder."""
    return partial(_read_file, folder), partial(_read_head, folder)


def _read_head(folder: Path, name: PurePosixPath, count: int) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise SampleError(f"can't be read: {error.strerror}") from error


def _read_file(folder: Path, name: PurePosixPath) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            expected = min(os.fstat(file.fileno()).st_size, FILE_LIMIT_BYTES)
            data = file.read(expected + 1)  # room for a file at the limit would be 64 MiB each time
            return _bounded(data if len(data) <= expected else data + file.read(FILE_LIMIT_BYTES + 1 - len(data)))
    except OSError as error:
        raise SampleError(f"can't be read: {error.strerror}") from error


def _bounded(data: bytes) -> bytes:
    if len(data) > FILE_LIMIT_BYTES:
        raise SampleError(f"expected a file of at most {FILE_LIMIT_BYTES} bytes; got more")
    return data


def _add_archive(source: Source, file: Path | io.BytesIO, name: PurePosixPath, size: int, depth: int) -> None:
    """Add the files of an archive, and of those in it. One that is broken or unpacks to far too much is skipped."""
    try:
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.infolist() if not member.is_dir()]
        _check_archive(members, size)
    except Exception as error:  # zipfile raises BadZipFile, OSError, ValueError, struct.error and others
        source.skipped.append((str(name), f"the archive can't be opened: {_cause(error)}"))
        return
    encoding = _encoding_of_names(members)
    if encoding == "gbk":
        source.notes.append(f"{escape_odd(str(name))}: its names are no UTF-8, and were read as Chinese in GB 18030")
    for member in sorted(members, key=partial(_member_name, encoding=encoding)):
        inner = PurePosixPath(_member_name(member, encoding))
        parts = [part for part in inner.parts if part not in ("/", "..")]  # it only names the file in messages
        place = name / PurePosixPath(*parts)
        if any(map(is_hidden, parts)) or not parts:
            continue
        if not encoding and _is_unmarked(member):
            source.skipped.append((str(place), f"its name is in an unknown code page: {REPACK}"))
        elif stat.S_ISLNK(member.external_attr >> 16):
            source.skipped.append((str(place), "a link inside an archive"))
        elif member.flag_bits & 1:
            source.skipped.append((str(place), "it needs a password: unpack the archive first"))
        elif inner.suffix.lower() == ".zip":
            _add_inner(source, archive, member, place, depth)
        else:
            source.entries.append(
                Entry(place, partial(_unpacked, archive, member), partial(_unpacked_head, archive, member))
            )


def _add_inner(
    source: Source, archive: zipfile.ZipFile, member: zipfile.ZipInfo, place: PurePosixPath, depth: int
) -> None:
    if depth <= 1:
        source.skipped.append((str(place), "an archive in an archive in an archive"))
        return
    try:
        data = _unpacked(archive, member, place)
    except SampleError as error:
        source.skipped.append((str(place), str(error)))
        return
    _add_archive(source, io.BytesIO(data), place, len(data), depth - 1)


def _check_archive(members: list[zipfile.ZipInfo], size: int) -> None:
    unpacked = sum(member.file_size for member in members)
    if len(members) > ARCHIVE_FILES:
        raise SampleError(f"expected at most {ARCHIVE_FILES} files; got {len(members)}")
    if unpacked > max(SMALL_ARCHIVE_BYTES, min(ARCHIVE_BYTES, ARCHIVE_RATIO * size)):
        raise SampleError(f"{size} bytes would unpack to {unpacked}, which is no archive of pictures")


def _member_name(member: zipfile.ZipInfo, encoding: str) -> str:
    """The name of a file in an archive, in this encoding if it is not UTF-8."""
    name = _raw_name(member).decode(encoding or "cp437") if _is_unmarked(member) else _utf8_name(member)
    return name.replace("\\", "/")


def _encoding_of_names(members: Sequence[zipfile.ZipInfo]) -> str:
    """The encoding of the names that are not UTF-8: GBK if they are Chinese then, or that of zip, or "" if unknown."""
    names = [_raw_name(member) for member in members if _is_unmarked(member)]
    try:
        if names and is_likely_chinese("".join(name.decode("gbk") for name in names)):
            return "gbk"
    except UnicodeDecodeError:
        pass
    letters = {character for name in names for character in name.decode("cp437") if not character.isascii()}
    return "cp437" if letters <= _WESTERN else ""


def _is_unmarked(member: zipfile.ZipInfo) -> bool:
    """Whether a name has no mark of UTF-8, and is not UTF-8 all the same."""
    return not member.flag_bits & 0x800 and is_guess(_raw_name(member))


def _raw_name(member: zipfile.ZipInfo) -> bytes:
    return member.filename.encode("cp437", "replace")


def _utf8_name(member: zipfile.ZipInfo) -> str:
    return member.filename if member.flag_bits & 0x800 else _raw_name(member).decode()


def is_guess(data: bytes) -> bool:
    """Whether a text is neither UTF-8 nor UTF-16, so that another code page than GB 18030 is as likely."""
    if b"\0" in data[:2] or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def is_likely_chinese(text: str) -> bool:
    """Whether a text that was read as GB 18030 is Chinese, and not of another code page.

    Nearly all its characters are among the common ones of GB 2312, which begin with the bytes B0 to D7. Korean and
    Japanese ones do not reach D0. Letters of other alphabets lie close together.
    """
    codes = [character.encode("gb18030") for character in text if not character.isascii()]
    codes = [code for code in codes if not 0xA1 <= code[0] <= 0xA3]  # punctuation and full-width letters
    common = [code for code in codes if len(code) == 2 and 0xB0 <= code[0] <= 0xD7 and code[1] >= 0xA1]
    if not common or len(common) < CHINESE_SHARE * len(codes):
        return False
    used = sorted(b"".join(common))
    rare = len(used) // 20
    is_wide = used[-1 - rare] - used[rare] >= LETTERS_SPAN
    return len(set(common)) < ENOUGH_CHINESE or (is_wide and max(common)[0] >= 0xD0)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: PurePosixPath) -> bytes:
    return _bounded(_unpacked_head(archive, member, name, FILE_LIMIT_BYTES + 1))


def _unpacked_head(archive: zipfile.ZipFile, member: zipfile.ZipInfo, _: PurePosixPath, count: int) -> bytes:
    try:
        with archive.open(member) as file:
            return file.read(count)
    except Exception as error:  # each decompressor has its own: zlib.error, LZMAError, OSError, EOFError
        raise SampleError(f"can't be unpacked: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """What an error says or, if it says nothing, its kind."""
    return str(error) or type(error).__name__
