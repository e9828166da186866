"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a flag that a loop looks at, so that it can save and end."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

_ENDING = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


@contextmanager
def block_signals() -> Iterator[None]:
    """Signals that would end this process wait until after; one that is started inside hears of none until `unblock`.

    Nothing is held up on Windows, which has no such way.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing's, whose start would let them in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock_signals() -> None:
    """Let signals in that were `blocked` when this process was started."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)


class StopSignal:
    """`signal` is the number of the signal that came, or None."""

    signal: int | None = None

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Handle a first signal; the next one of its kind acts as usual, but that of a closed terminal comes twice."""
        self.signal = number
        usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        signal.signal(number, usual.get(number, signal.SIG_IGN))


@contextmanager
def catch_stop_signals() -> Iterator[StopSignal]:
    """Catch signals inside; outside the main thread, where Python allows no handlers, nothing is caught."""
    flag = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return
    caught = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored: under nohup
        caught.append(signal.SIGHUP)
    before = {number: signal.signal(number, flag.note) for number in caught}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
