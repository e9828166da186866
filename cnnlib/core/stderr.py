"""Mute native libraries that write to standard error."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()  # a second thread would save the muted standard error and restore that


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Discard what native code writes to standard error in the block. Python's exceptions pass."""
    if sys.stderr is None:  # it was closed, so descriptor 2 may be another file
        yield
        return
    with _LOCK:
        sys.stderr.flush()
        original = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)
            os.close(null)
