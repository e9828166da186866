"""Received pictures, kept in a folder under their readings: so many, the oldest go first."""

import itertools
import logging
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cnnlib.codec.filenames import save_picture
from cnnlib.config import SampleConfig

PRUNE_EVERY = 100  # pictures, at least, that a process keeps from one look at the folder to the next
_OURS = re.compile(r"_(\d{18,})\.[a-z]+$")  # a name that `save_picture` gave, by its serial number, a time
log = logging.getLogger(__name__)


class Keeper:
    """Keeps received pictures as the config says; where that fails, the answer is given all the same.

    Each process of a server looks at the folder after every 100 pictures, or a twentieth of the limit where that is
    more, so that many may be over the limit.
    """

    def __init__(self, config: SampleConfig) -> None:
        self.config = config
        self._every = max(PRUNE_EVERY, config.api_save_limit // 20)
        self._numbers = itertools.count()
        self._beside = ThreadPoolExecutor(1, "pruning")  # answers don't wait for it

    def keep(self, data: bytes, text: str) -> None:
        """Keep one picture under its reading."""
        if not self.config.api_save:
            return
        folder = self.config.api_image_dir
        try:
            save_picture(folder, text, self.config.image_suffix, data)
        except (OSError, UnicodeError) as error:  # a name may not fit the system's encoding
            reason = getattr(error, "strerror", None) or error
            log.warning("%s: the received picture is not kept: %s", folder, reason)
            return
        if next(self._numbers) % self._every == 0:
            self._beside.submit(self._prune)

    def _prune(self) -> None:
        folder = self.config.api_image_dir
        try:
            prune(folder, self.config.api_save_limit)
        except OSError as error:
            log.warning("%s: old pictures can't be deleted: %s", folder, error.strerror)


def prune(folder: Path, limit: int) -> None:
    """Delete the oldest received pictures beyond `limit`; other files stay."""
    with os.scandir(folder) as entries:
        found = [(match[1], entry.path) for entry in entries if (match := _OURS.search(entry.name))]
    for _, path in sorted(found, key=lambda one: int(one[0]))[: max(0, len(found) - limit)]:
        Path(path).unlink(missing_ok=True)  # another process of the server may have been faster
