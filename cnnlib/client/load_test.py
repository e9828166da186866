"""Load on the recognition API: requests from several connections at once, and their figures."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

import numpy as np

from cnnlib.client.probe import Measurement, Probe
from cnnlib.core.errors import ServiceError
from cnnlib.core.signals import blocked

PERCENTILES = (50, 90, 99)
PAUSE_S = 0.2  # of a connection that was not answered
REPORT_S = 0.05  # from one report of a process to the next
_spawn = multiprocessing.get_context("spawn")


@dataclass
class Load:
    """Pictures to send to `url`, in turn, over `concurrency` kept connections; nothing is repeated.

    It ends after `count` requests or, if that is sooner, `duration_s` seconds. Processes of their own send them, at
    most one a core, so that what is measured is not this one.
    """

    url: str
    pictures: Sequence[bytes]
    count: int
    concurrency: int = 1
    duration_s: float = float("inf")
    own_cost_ms: float = 0.0  # processor time of the sending processes a request; 0 until the end

    def measurements(self) -> Generator[list[Measurement]]:
        """Those that have come since the last ones; a slow answer holds up its own connection alone.

        Closing the iterator gives up what is not yet sent. Raises what went wrong in a sending process.
        """
        taken = _spawn.Value("q", 0)  # requests that a connection has taken on
        senders = [_Sender(self, share, taken) for share in _shares(self.concurrency, os.cpu_count() or 1)]
        seen, spent_s = 0, 0.0
        try:
            while reporting := {sender.reports: sender for sender in senders if not sender.ended}:
                for reports in wait(list(reporting)):
                    report = reporting[reports].received()  # type: ignore[index]
                    if isinstance(report, float):
                        spent_s += report
                    else:
                        seen += len(report)
                        yield report
            self.own_cost_ms = 1000 * spent_s / max(1, seen)
        finally:
            taken.value = self.count
            for sender in senders:
                sender.reports.close()
                sender.process.join()


class _Sender:
    """A process that holds some of the connections."""

    def __init__(self, load: Load, connections: int, taken: Any) -> None:
        self.ended = False
        self.reports, theirs = _spawn.Pipe(duplex=False)
        self.process = _spawn.Process(target=_send_all, args=(load, connections, taken, theirs), daemon=True)
        with blocked():  # a terminal, and `timeout`, signal all processes: the starting one ends this one
            self.process.start()
        theirs.close()

    def received(self) -> list[Measurement] | float:
        """Some measurements; at the end the processor seconds that all took. Raises what went wrong."""
        try:
            report: list[Measurement] | float | BaseException = self.reports.recv()
        except EOFError:
            raise ServiceError("a process that sent requests has died") from None
        if isinstance(report, BaseException):
            raise report
        self.ended = isinstance(report, float)
        return report


def _shares(connections: int, processes: int) -> list[int]:
    """How many connections each of at most so many processes has."""
    processes = min(connections, processes)
    return [connections // processes + (number < connections % processes) for number in range(processes)]


def _send_all(load: Load, connections: int, taken: Any, reports: Connection) -> None:
    """What a sending process does: its connections, a thread each, while it reports what they have measured."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows, where none is blocked
    done: list[Measurement | BaseException] = []
    deadline, start_s = time.monotonic() + load.duration_s, time.process_time()
    threads = [threading.Thread(target=_send, args=(load, taken, deadline, done)) for _ in range(connections)]
    try:
        _start(threads)
        while any(thread.is_alive() for thread in threads) or done:
            time.sleep(REPORT_S)
            batch = done[:]
            del done[: len(batch)]
            if batch:
                reports.send(next((one for one in batch if isinstance(one, BaseException)), batch))
        reports.send(time.process_time() - start_s)
    except ServiceError as error:
        taken.value = load.count
        reports.send(error)
    except OSError:  # nobody reads any more
        taken.value = load.count


def _start(threads: Sequence[threading.Thread]) -> None:
    """Raises ServiceError when the system allows no more of them; those that run then take on no more."""
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as error:
            raise ServiceError(f"{error}: {number} of {len(threads)} connections of a process were opened") from error


def _send(load: Load, taken: Any, deadline: float, done: list[Measurement | BaseException]) -> None:
    try:
        probe = Probe(load.url)
        while time.monotonic() < deadline:
            with taken.get_lock():
                if taken.value >= load.count:
                    return
                taken.value += 1
                index = taken.value
            done.append(one := probe.measure(index, load.pictures[(index - 1) % len(load.pictures)]))
            if one.unreached:
                time.sleep(PAUSE_S)
    except BaseException as error:  # raised again where the measurements are taken
        taken.value = load.count
        done.append(error)


def summary(name: str, values_ms: Sequence[float]) -> str:
    """One line: average and percentiles of times in milliseconds."""
    shown = ", ".join(f"{q}%: {np.percentile(values_ms, q):.1f}ms" for q in PERCENTILES)
    return f"{name}: average {np.mean(values_ms):.1f}ms, {shown}, longest {max(values_ms):.1f}ms"
