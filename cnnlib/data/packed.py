"""Decoded pictures in a cache folder, as memory-mapped files.

A part is a file of some thousand pictures. Its name is a hash of what it was made with, such as the decoder, and one of
the files that it was made from. It is written under a temporary name first. So a part is whole and right, or it is
missing and made again. A killed run leaves the parts that it had finished. When pictures are added or change, only
their parts are made again, from older parts that were made with the same, where they have a picture. On Linux and macOS
a part that another training still maps can be deleted without harm. There a mapped part is no open file, so there may
be any number of them.
"""

import ctypes
import errno
import hashlib
import math
import mmap
import os
import shutil
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import PIL
from filelock import Timeout

from cnnlib.codec.images import Shape
from cnnlib.core.errors import SampleError
from cnnlib.core.files import is_temporary, make_folder, take_lock, warn, write_by
from cnnlib.core.joined_array import JoinedArray
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path, short_name

FORMAT = 1  # of the parts; a change of the decoder raises it too
PART_BYTES = 2**25  # of pixels in a part, about
SUFFIX = ".pictures"
LOCK_NAME = ".lock"
FOREVER = -1  # of a lock
TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)  # of this process, and of all
LACKING = (*TOO_MANY_FILES, errno.ENOMEM)  # no fault of the file

Read = Callable[[int], np.ndarray]  # the pixels of the picture of a number, or SampleError


@dataclass(frozen=True)
class Part:
    """The pictures of one file by fingerprint, in ascending order. Some may be unusable, and are black."""

    fingerprints: np.ndarray  # uint64 (n,)
    usable: np.ndarray  # bool (n,)
    pixels: np.ndarray  # uint8 (n, height, width, channels), memory-mapped


def cache_of(cache_dir: Path, folder: Path, shape: Shape) -> Path:
    """Where the pictures of a folder are kept in this shape: a folder of their own in `cache_dir`."""
    made_from = repr((os.path.realpath(folder), shape.height, shape.width, shape.channels, shape.resize))
    return cache_dir / f"{short_name(folder.name)}-{hashlib.sha256(made_from.encode()).hexdigest()[:16]}"


def fingerprint(name: str, size_bytes: int, *changed_ns: int) -> int:
    """A number of 64 bits for a file. Among a million files, two agree with a probability of 3e-8.

    There may be several times: that of its content stays where `cp -p` replaces it or two names are exchanged, that of
    what the file system knows of it does not.
    """
    made_from = "/".join([*map(str, (size_bytes, *changed_ns)), name]).encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.blake2b(made_from, digest_size=8).digest(), "big")


def pack(
    cache: Path, fingerprints: np.ndarray, shape: Shape, read: Read, progress: Callable[..., Any]
) -> tuple[JoinedArray, dict[int, str]]:
    """The pictures of uint64 (n,) fingerprints, from the cache or from `read`, and why some can't be used, by number.

    Those are black. `progress` makes a bar, as tqdm does. Waits while another run fills the same cache.
    Raises SampleError when the cache can't be written.
    """
    with _explained(cache):
        make_folder(cache)
        with take_lock(cache / LOCK_NAME, FOREVER), progress(total=len(fingerprints)) as bar:
            return _Packing(cache, fingerprints, shape, read, bar).run()


class _Packing:
    def __init__(self, cache: Path, fingerprints: np.ndarray, shape: Shape, read: Read, bar: Any) -> None:
        self.cache, self.fingerprints, self.shape, self.read, self.bar = cache, fingerprints, shape, read, bar
        self.reasons: dict[int, str] = {}
        self._made_with = _hash(repr((FORMAT, PIL.__version__, shape)).encode())
        self._parts: list[Part] | None = None

    def run(self) -> tuple[JoinedArray, dict[int, str]]:
        order = np.argsort(self.fingerprints)
        paths, parts = [], []
        for numbers in self._shares(order):
            path = self.cache / f"{self._key(numbers)}{SUFFIX}"
            paths.append(path)
            parts.append(self._part(path, numbers).pixels)
        _remove_others(self.cache, {path.name for path in paths})
        rows = np.empty(len(order), np.int64)
        rows[order] = np.arange(len(order))
        return JoinedArray(parts, rows), self.reasons

    def _shares(self, order: np.ndarray) -> list[np.ndarray]:
        """The numbers of the pictures of each part: those whose fingerprints begin with the same bits."""
        row_bytes = self.shape.height * self.shape.width * self.shape.channels
        bits = max(0, (len(order) * row_bytes // PART_BYTES).bit_length())
        firsts = [number << 64 - bits for number in range(1, 2**bits)]
        ends = np.searchsorted(self.fingerprints[order], np.array(firsts, np.uint64))
        return [share for share in np.split(order, ends) if len(share)]

    def _key(self, numbers: np.ndarray) -> str:
        return f"{self._made_with}-{_hash(self.fingerprints[numbers].tobytes())}"

    def _part(self, path: Path, numbers: np.ndarray) -> Part:
        part = open_part(path)
        if part is None or self._is_usable_now(part, numbers):
            write_part(path, self._make(numbers))
            part = open_part(path)
        else:
            self.bar.update(len(numbers))
        if part is None:
            raise SampleError(f"{display_path(path)}: written, but it can't be read back")
        return part

    def _is_usable_now(self, part: Part, numbers: np.ndarray) -> bool:
        """Whether a picture that could not be used when the part was made can be used now; notes the reasons if not."""
        reasons = {int(number): self._try(int(number))[1] for number in numbers[~part.usable]}
        self.reasons |= {number: reason for number, reason in reasons.items() if reason}
        return not all(reasons.values())

    def _make(self, numbers: np.ndarray) -> Part:
        fingerprints = self.fingerprints[numbers]
        pixels = np.zeros((len(numbers), self.shape.height, self.shape.width, self.shape.channels), np.uint8)
        usable = self._copy_known(fingerprints, pixels)
        missing = np.flatnonzero(~usable)
        self.bar.update(len(numbers) - len(missing))
        for row, (picture, reason) in zip(missing, on_all_cores(self._try, numbers[missing].tolist()), strict=True):
            if picture is not None:
                pixels[row], usable[row] = picture, True
            else:
                self.reasons[int(numbers[row])] = reason
            self.bar.update(1)
        return Part(fingerprints, usable, pixels)

    def _try(self, number: int) -> tuple[np.ndarray | None, str]:
        try:
            return self.read(number), ""
        except SampleError as error:
            return None, str(error)

    def _copy_known(self, fingerprints: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Copy the pictures that older parts, made with the same, have into `pixels`; returns which ones, bool (n,)."""
        found = np.zeros(len(fingerprints), bool)
        for part in self._known_parts():
            if part.fingerprints[-1] < fingerprints[0] or fingerprints[-1] < part.fingerprints[0]:
                continue
            rows = np.searchsorted(part.fingerprints, fingerprints).clip(max=len(part.fingerprints) - 1)
            same = ~found & (part.fingerprints[rows] == fingerprints) & part.usable[rows]
            pixels[same] = part.pixels[rows[same]]
            found |= same
        return found

    def _known_parts(self) -> list[Part]:
        if self._parts is None:
            opened = map(open_part, sorted(self.cache.glob(f"{self._made_with}-*{SUFFIX}")))
            self._parts = [part for part in opened if part and len(part.usable)]
        return self._parts


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


def write_part(path: Path, part: Part) -> None:
    """Write a part, whole or not at all, also when the power fails."""

    def write(file: BinaryIO) -> None:  # NumPy's own writing to a file passes over the errors of a full disk
        for array in (part.fingerprints, part.usable, part.pixels):
            np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
            file.write(array.data)

    write_by(path, write)


def open_part(path: Path) -> Part | None:
    """Open a part, its pixels memory-mapped. None when it is missing or broken.

    Raises OSError when there are too many open files, or too little memory.
    """
    try:
        with path.open("rb") as file:
            fingerprints, usable = (np.load(file, allow_pickle=False) for _ in range(2))
            if np.lib.format.read_magic(file) != (1, 0):
                return None
            shape, _, _ = np.lib.format.read_array_header_1_0(file)
            pixels = _map(file, file.tell(), shape)
    except OSError as error:
        if error.errno in LACKING:
            raise
        return None
    except (ValueError, EOFError):
        return None
    return Part(fingerprints, usable, pixels) if (len(fingerprints),) == (len(usable),) == pixels.shape[:1] else None


class _Mapping:
    """The bytes of a file in memory, uint8 (n,), until this object goes. NumPy takes it for an array.

    Unlike that of `mmap`, it keeps no file open.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        """Raises OSError when it can't be mapped, and AttributeError or TypeError where the system has no such call."""
        library = ctypes.CDLL(None, use_errno=True)
        library.mmap.restype = ctypes.c_void_p
        library.munmap.argtypes = ctypes.c_void_p, ctypes.c_size_t
        length = ctypes.c_size_t(size)
        address = library.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, file.fileno(), ctypes.c_long(0))
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self.__array_interface__ = {"data": (address, True), "shape": (size,), "typestr": "|u1", "version": 3}
        weakref.finalize(self, library.munmap, address, size).atexit = False  # a thread may read until the end


def _map(file: BinaryIO, offset: int, shape: tuple[int, ...]) -> np.ndarray:
    """The rest of a file as a memory-mapped uint8 array of this shape. Raises ValueError when it is shorter."""
    size = os.fstat(file.fileno()).st_size
    if size < offset + math.prod(shape):
        raise ValueError(f"expected {offset + math.prod(shape)} bytes; got {size}")
    try:
        content = np.asarray(_Mapping(file, size))
    except (AttributeError, TypeError):  # Windows, where files may be many
        return np.memmap(file, np.uint8, "r", offset, shape)
    return content[offset : offset + math.prod(shape)].reshape(shape)


def clear_cache(cache_dir: Path, generators: Iterable[str] = (), say: Callable[[str], None] = warn) -> int:
    """Delete packed pictures in a cache folder, and what `generators` drew; returns their bytes. Other files stay.

    So do the folders in which other runs are at work, and `say` gets a line about each.
    """
    whole = {folder for name in generators for folder in cache_dir.glob(f"{name}-{'[0-9a-f]' * 16}")}
    packed = {path.parent for pattern in (f"*/*{SUFFIX}", f"*/.*{SUFFIX}.part") for path in cache_dir.glob(pattern)}
    freed = 0
    for folder in sorted(whole | packed):
        with _lock_unused(folder) as is_unused:
            if not is_unused:
                say(f"[Warning] {display_path(folder)} is in use by another run, and stays")
                continue
            files = folder.rglob("*") if folder in whole else folder.iterdir()
            freed += sum(_delete(path) for path in [*files] if folder in whole or _is_packed(path))
            _remove(folder, folder in whole)
        if os.name == "nt":  # which keeps the locks as long as they are held
            _remove(folder, folder in whole)
    return freed


@contextmanager
def _lock_unused(folder: Path) -> Iterator[bool]:
    """Whether no other run has locked a folder or one in it; until the block ends, none can."""
    paths = [folder / LOCK_NAME, *(path for path in folder.glob(f".*{LOCK_NAME}") if path.name != LOCK_NAME)]
    with ExitStack() as stack:
        is_unused = True
        try:
            for path in paths:
                stack.enter_context(take_lock(path, 0))
        except Timeout:
            is_unused = False
        yield is_unused


def _is_packed(path: Path) -> bool:
    return path.suffix == SUFFIX or (is_temporary(path) and path.name.endswith(f"{SUFFIX}.part"))


def _delete(path: Path) -> int:
    """Delete a file or a link, but no lock, which may be held; returns its bytes."""
    if not path.is_file() or path.name.endswith(LOCK_NAME):
        return 0
    freed = path.lstat().st_size
    path.unlink(missing_ok=True)
    return freed


def _remove(folder: Path, whole: bool) -> None:
    """Remove what is left of a cleared folder, if nothing else lies there. If the suite alone writes there, all."""
    if whole:
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(OSError):  # another file lies there
        (folder / LOCK_NAME).unlink(missing_ok=True)
        folder.rmdir()


def _remove_others(cache: Path, names: set[str]) -> None:
    for path in cache.iterdir():
        if path.name not in names and (path.suffix == SUFFIX or is_temporary(path)):
            with suppress(OSError):  # Windows keeps a file that another training maps
                path.unlink()


@contextmanager
def _explained(cache: Path) -> Iterator[None]:
    """Turn an OSError into a SampleError that names the way out."""
    try:
        yield
    except OSError as error:
        remedy = "free some space there, or name another folder as cache_dir in the config"
        if error.errno in TOO_MANY_FILES:
            remedy = "close other programs, or let more files be open at once: ulimit -n 4096"
        elif error.errno == errno.ENOMEM:
            remedy = "close other programs"
        raise SampleError(
            f"{display_path(cache)}: decoded pictures can't be kept there: {error.strerror}; {remedy}"
        ) from error
