"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP) as a flag that a loop checks, so that it can save and end."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from types import FrameType
from typing import Any

_STOP_SIGNALS = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)}


@contextmanager
def block_signals() -> Iterator[None]:
    """Hold back signals that would end this process until the block ends.

    A process started inside receives them only after `unblock_signals`. Windows can't block signals, so there this
    does nothing.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # multiprocessing would start it inside, which unblocks SIGINT and SIGTERM
    previous_mask = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous_mask)


def unblock_signals() -> None:
    """Receive signals again in a process that was started inside `block_signals`."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)


class StopSignal:
    """The signal that asked to stop: `signal` is its number, or None. `heard` is called once it has come."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self.signal: int | None = None
        self._heard, self._answering = heard, False

    def note(self, number: int, _frame: FrameType | None) -> None:
        """Store a first signal, and answer it. The next one acts as usual, except SIGHUP: a terminal sends it twice.

        One that comes before the first is answered does nothing: nobody could know yet what it would do.
        """
        if self._answering:
            return
        if self.signal is None:
            self._answering = True
            with suppress(RuntimeError):  # it came while a line was being printed
                self._heard(number)
            self._answering = False
        self.signal = number
        usual: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
        signal.signal(number, usual.get(number, signal.SIG_IGN))


@contextmanager
def catch_stop_signals(heard: Callable[[int], None] = lambda _: None) -> Iterator[StopSignal]:
    """Catch signals in the block, in the main thread only: Python allows no handlers in others.

    `heard` is called with the number of the first one as soon as it comes.
    """
    stop = StopSignal(heard)
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        numbers.append(signal.SIGHUP)
    previous_handlers = {number: signal.signal(number, stop.note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in previous_handlers.items():
            signal.signal(number, handler)
