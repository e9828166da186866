"""A folder of received pictures, named by their predictions, with limits on their number and their bytes."""

import logging
import math
import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from cnnlib.core.errors import SampleError
from cnnlib.data.folders import save_picture

PICTURE_BYTES = 10_000  # of a kept picture on average, unless the config says how many bytes are kept
PRUNE_INTERVAL = 100  # pictures that a process saves from one pruning to the next, at least
# A time in a name that `save_picture` gave, also to a file that a killed server was writing.
_SERIAL_NUMBER = re.compile(r"_(\d{18,})\.[a-z]+(\.part)?$")
log = logging.getLogger(__name__)


class ReceivedPictures:
    """Saves received pictures in a folder, and deletes the oldest ones beyond `limit` and beyond `limit_bytes` in all.

    Each process of a server prunes the folder after 100 pictures, or after a twentieth of a limit: of the number if
    that is more than 100, of the bytes if that comes first. Until then the folder holds that much more than the limits.
    """

    def __init__(
        self, folder: Path, suffix: str, limit: int, limit_bytes: int | None = None, *, enabled: bool = True
    ) -> None:
        self._folder, self._suffix, self._enabled = folder, suffix, enabled
        self._limit, self._limit_bytes = limit, limit_bytes or PICTURE_BYTES * limit
        self._prune_interval = max(PRUNE_INTERVAL, limit // 20)
        self._saved, self._saved_bytes = 0, math.inf  # since the last pruning; the first picture prunes what was left
        self._pruning = ThreadPoolExecutor(1, "pruning")  # so that no answer waits for it

    def save(self, data: bytes, text: str) -> str | None:
        """Save a picture under its prediction, and return its serial number, or None when it is not kept.

        A failure is only logged, so that the request is answered.
        """
        if not self._enabled:
            return None
        try:
            path = save_picture(self._folder, text, self._suffix, data)
        except (OSError, SampleError, UnicodeError) as error:  # UnicodeError: the file system's encoding lacks one
            reason = getattr(error, "strerror", None) or error
            log.warning("%s: the received picture can't be saved: %s", self._folder, reason)
            return None
        self._saved, self._saved_bytes = self._saved + 1, self._saved_bytes + len(data)
        if self._saved >= self._prune_interval or self._saved_bytes > self._limit_bytes / 20:
            self._saved, self._saved_bytes = 0, 0
            self._pruning.submit(self._prune)
        return path.stem.rpartition("_")[2]

    def _prune(self) -> None:
        try:
            prune(self._folder, self._limit, self._limit_bytes)
        except OSError as error:
            log.warning("%s: old pictures can't be deleted: %s", self._folder, error.strerror)


def is_received(name: str) -> bool:
    """Whether `ReceivedPictures` named a picture, also where a person has corrected its label since."""
    return _SERIAL_NUMBER.search(name) is not None


def prune(folder: Path, limit: int, limit_bytes: float = math.inf) -> None:
    """Delete the oldest received pictures beyond `limit`, and beyond `limit_bytes` in all. Other files stay.

    Raises OSError.
    """
    with os.scandir(folder) as entries:
        pictures = [(int(match[1]), entry.path) for entry in entries if (match := _SERIAL_NUMBER.search(entry.name))]
    pictures.sort(reverse=True)
    total_bytes = 0
    for number, (_, path) in enumerate(pictures):
        with suppress(FileNotFoundError):  # another process of the server may have deleted it already
            total_bytes += Path(path).stat().st_size
            if number >= limit or total_bytes > limit_bytes:
                Path(path).unlink()
