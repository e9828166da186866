"""Native libraries that write on standard error as they load, kept quiet."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_LOCK = threading.Lock()  # one at a time, or the last to leave would restore what it found: nothing


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Nothing that C++ code writes to standard error inside appears; Python's exceptions pass as ever."""
    if sys.stderr is None:  # it was closed, and 2 may be another file by now
        yield
        return
    with _LOCK:
        sys.stderr.flush()
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
