"""The standard streams: open those that are missing, mute native libraries that write to standard error."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class _Muting:
    """Whether standard error is muted. One thread at a time mutes it: a second would restore the muted one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.original: int | None = None  # descriptor of standard error while it is muted

    def end_in_child(self) -> None:
        """Hear standard error again in a process that was forked while another thread muted it."""
        self.lock = threading.Lock()
        if self.original is not None:
            os.dup2(self.original, 2)
            self.original = None


_muting = _Muting()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_muting.end_in_child)


def open_missing_streams() -> None:
    """Open on the null device what this process lacks of standard input, output and error.

    Otherwise the next file that is opened gets the descriptor, and what native code prints goes into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, number)
            if null != number:
                os.close(null)
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 (until the process ends)


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Discard what native code writes to standard error in the block. Python's exceptions pass."""
    if sys.stderr is None:  # it was closed, so descriptor 2 may be another file
        yield
        return
    with _muting.lock:
        sys.stderr.flush()
        original = _muting.original = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(null, 2)
            yield
        finally:
            os.dup2(original, 2)
            _muting.original = None
            os.close(original)
            os.close(null)
