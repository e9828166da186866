"""Load on the recognition API: requests from several connections at once, and their figures."""

import http.client
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from socket import gaierror
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from requests.utils import requote_uri

from cnnlib.client.api_client import TIMEOUT_S, Answer, token_headers
from cnnlib.core.errors import ServiceError
from cnnlib.core.signals import block_signals

BOUNDARY = "----captcha"
PERCENTILES = (50, 90, 99)
PAUSE_S = 0.2  # of a connection that was not answered
REPORT_S = 0.05  # from one report of a process to the next
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request: its number from 1, when it was sent (seconds since 1970), and its answer or what went wrong."""

    index: int
    sent_at: float
    answer: Answer | None
    fault: str = ""
    unreached: bool = False  # no answer came at all


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
        with block_signals():  # a terminal, and `timeout`, signal all processes: the starting one ends this one
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
        probe = TimedConnection(load.url)
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


class TimedConnection:
    """A connection with as little between a picture and the socket as can be; not to be shared between threads."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        self._headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **token_headers()}
        self._url, self._target = url, requote_uri(f"{parts.path or '/'}?{parts.query}".rstrip("?"))

    def measure(self, index: int, picture: bytes) -> Measurement:
        """Send one encoded picture, once; after a failure the next one opens the connection anew."""
        body = multipart_body(picture)
        sent_at, start = time.time(), time.perf_counter()
        try:
            self._connection.request("POST", self._target, body, self._headers)
            response = self._connection.getresponse()
            content = _content(response, start + TIMEOUT_S)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self._connection.close()
            return Measurement(index, sent_at, None, f"{self._url}: {_in_words(error)}", unreached=True)
        total_ms = 1000 * (time.perf_counter() - start)
        try:
            told = json.loads(content)
            if response.status != http.HTTPStatus.OK:
                return Measurement(index, sent_at, None, f"{told['message']} (HTTP {response.status})")
            value = told.get("candidate", "") if told["value"] is None else str(told["value"])
            answer = Answer(value, told.get("confidence"), float(told["speed_time(ms)"]), total_ms)
        except (ValueError, KeyError, TypeError, AttributeError):
            return Measurement(index, sent_at, None, f"{self._url}: no answer of the API (HTTP {response.status})")
        return Measurement(index, sent_at, answer)


def _content(response: http.client.HTTPResponse, end: float) -> bytes:
    """All of an answer. Raises TimeoutError when it goes on beyond `end`, on the clock of `perf_counter`.

    Raises IncompleteRead when it is cut off.
    """
    content = b""
    with response:  # which `read1` leaves open at its end, so that the connection could not be used again
        while part := response.read1():
            content += part
            if time.perf_counter() > end:
                raise TimeoutError
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
    return content


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} seconds"
    if isinstance(error, ConnectionRefusedError | gaierror):
        return "the server can't be reached; is it started?"
    return f"{type(error).__name__}: {error}"


def multipart_body(*pictures: bytes) -> bytes:
    """The multipart body of a request with encoded pictures, its parts divided by `BOUNDARY`."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file"; filename="captcha.png"\r\n'
    part = f"{head}Content-Type: application\r\n\r\n".encode()
    return b"".join(part + picture + b"\r\n" for picture in pictures) + f"--{BOUNDARY}--\r\n".encode()
