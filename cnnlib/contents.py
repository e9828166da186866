"""Files found by their bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


class Contents:
    """Files by their bytes, links and folders left out; one is read only when another of its size is looked for."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._unread: defaultdict[int, list[Path]] = defaultdict(list)  # by size in bytes
        self._read: dict[bytes, Path] = {}  # by digest
        for path in paths:
            self.add(path)

    def add(self, path: Path) -> None:
        """Let `path` be found from now on."""
        if path.is_file() and not path.is_symlink():
            self._unread[path.stat().st_size].append(path)

    def find(self, path: Path) -> Path | None:
        """Another file of the same bytes, None when there is none."""
        for rival in self._unread.pop(path.stat().st_size, ()):
            self._read.setdefault(_digest(rival), rival)
        found = self._read.get(_digest(path))
        return None if found is None or found.samefile(path) else found


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
