"""A folder of received pictures, named by their predictions, with a limit on their number."""

import itertools
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cnnlib.data.folders import save_picture

PRUNE_INTERVAL = 100  # pictures that a process saves from one pruning to the next, at least
_SERIAL_NUMBER = re.compile(r"_(\d{18,})\.[a-z]+$")  # a time in a name that `save_picture` gave
log = logging.getLogger(__name__)


class ReceivedPictures:
    """Saves received pictures in a folder, and deletes the oldest ones beyond `limit`.

    Each process of a server prunes the folder after 100 pictures, or after a twentieth of the limit if that is more.
    Until then the folder holds that many more than the limit.
    """

    def __init__(self, folder: Path, suffix: str, limit: int, *, enabled: bool = True) -> None:
        self._folder, self._suffix, self._limit, self._enabled = folder, suffix, limit, enabled
        self._prune_interval = max(PRUNE_INTERVAL, limit // 20)
        self._counter = itertools.count()
        self._pruning = ThreadPoolExecutor(1, "pruning")  # so that no answer waits for it

    def save(self, data: bytes, text: str) -> None:
        """Save a picture under its prediction. A failure is only logged, so that the request is answered."""
        if not self._enabled:
            return
        try:
            save_picture(self._folder, text, self._suffix, data)
        except (OSError, UnicodeError) as error:  # UnicodeError: the file system's encoding lacks a character
            reason = getattr(error, "strerror", None) or error
            log.warning("%s: the received picture can't be saved: %s", self._folder, reason)
            return
        if next(self._counter) % self._prune_interval == 0:
            self._pruning.submit(self._prune)

    def _prune(self) -> None:
        try:
            prune(self._folder, self._limit)
        except OSError as error:
            log.warning("%s: old pictures can't be deleted: %s", self._folder, error.strerror)


def prune(folder: Path, limit: int) -> None:
    """Delete the oldest received pictures beyond `limit`. Other files stay. Raises OSError."""
    with os.scandir(folder) as entries:
        pictures = [(int(match[1]), entry.path) for entry in entries if (match := _SERIAL_NUMBER.search(entry.name))]
    pictures.sort()
    for _, path in pictures[: max(0, len(pictures) - limit)]:
        Path(path).unlink(missing_ok=True)  # another process of the server may have deleted it already
