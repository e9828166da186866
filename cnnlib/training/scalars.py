"""The curves that TensorBoard shows. A training that can't write them goes on without."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import tensorflow as tf

from cnnlib.core.files import reason
from cnnlib.core.paths import display_path


class Scalars:
    """Writes figures by step into a folder. The first that can't be written is said, and it was the last try."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._writer: tf.summary.SummaryWriter | None = None
        try:
            self._writer = tf.summary.create_file_writer(str(folder))
        except Exception as error:  # TensorFlow has kinds of its own for each trouble with a disk
            self._give_up(error)

    def record(self, step: int, figures: Mapping[str, float]) -> None:
        """Write figures of a step by their names."""
        if self._writer is None:
            return
        try:
            with self._writer.as_default():
                for name, value in figures.items():
                    tf.summary.scalar(name, value, step)
        except Exception as error:
            self._give_up(error)

    def close(self) -> None:
        """Write what is not written yet."""
        if self._writer is None:
            return
        try:
            self._writer.close()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        writer, self._writer = self._writer, None
        with suppress(Exception):
            if writer:
                writer.close()
        self._say(f"[Warning] {display_path(self._folder)}: TensorBoard's curves end here: {reason(error)}")
