"""Files found by their bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


class Contents:
    """Files by their bytes, links and folders left out; one is read only when another of its size is looked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._unread: defaultdict[int, list[Path]] = defaultdict(list)  # by size in bytes
        self._read: defaultdict[bytes, list[Path]] = defaultdict(list)  # by digest
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Let `path` be found from now on."""
        if path.is_file() and not path.is_symlink():
            self._unread[path.stat().st_size].append(path)

    def find(self, path: Path) -> list[Path]:
        """The others of the same bytes, hard links among them.

        The file itself is none of them, under whatever other name a system gives it: it may have to stay.
        """
        for rival in self._unread.pop(path.stat().st_size, ()):
            self._read[_digest(rival)].append(rival)
        linked = path.stat().st_nlink > 1
        return [one for one in self._read.get(_digest(path), ()) if linked or not one.samefile(path)]


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
