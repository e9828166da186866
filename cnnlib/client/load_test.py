"""A load test of the recognition API: requests over several connections at once, each measured."""

import http.client
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

from cnnlib.client.answers import Exchange, bounded, error_message, parse_answer
from cnnlib.client.api_client import TIMEOUT_S, UNREACHED, Answer, describe_fault, sends_on, token_headers
from cnnlib.core.addresses import without_user
from cnnlib.core.errors import ServiceError
from cnnlib.core.printable import excerpt
from cnnlib.core.signals import block_signals

BOUNDARY = "----captcha"
SENT_ON = (301, 302, 303, 307, 308)  # HTTP statuses; a measurement follows none of them
PERCENTILES = (50, 90, 99)
ANSWER_LIMIT_BYTES = 2**20
PART_BYTES = 2**16  # of an answer; without it a buffer of the announced length is made, however long that is
PAUSE_S = 0.2  # of a connection after a request without an answer
REPORT_INTERVAL_S = 0.05  # from one report of a sending process to the next
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request: its number, from 1, when it was sent (seconds since 1970), and its answer or its fault."""

    index: int
    sent_at: float
    answer: Answer | None
    fault: str = ""
    unreached: bool = False  # no answer came, not even an error


@dataclass
class Load:
    """Requests to `url` over `concurrency` kept connections, with the pictures in turn. None is repeated.

    It ends after `count` requests or `duration_s` seconds, whichever comes first. Processes of their own send the
    requests, at most one for each core, so that this process's work does not disturb the measurement.
    """

    url: str
    pictures: Sequence[bytes]
    count: int
    concurrency: int = 1
    duration_s: float = float("inf")
    own_cost_ms: float = 0.0  # processor time of the sending processes for a request; 0 until the end

    def measurements(self) -> Generator[list[Measurement]]:
        """Batches of measurements as they arrive. A slow answer delays its own connection only.

        Closing the iterator cancels the requests that are not sent yet. Raises what a sending process raised.
        """
        claimed = _spawn.Value("q", 0)  # requests that a connection has taken over
        senders = [
            _Sender(self, connections, claimed) for connections in _shares(self.concurrency, os.cpu_count() or 1)
        ]
        measured, processor_s = 0, 0.0
        try:
            while active := {sender.reports: sender for sender in senders if not sender.ended}:
                for reports in wait(list(active)):
                    report = active[reports].receive()  # type: ignore[index]
                    if isinstance(report, float):
                        processor_s += report
                    else:
                        measured += len(report)
                        yield report
            self.own_cost_ms = 1000 * processor_s / max(1, measured)
        finally:
            claimed.value = self.count
            for sender in senders:
                sender.reports.close()
                sender.process.join()


class _Sender:
    """A sending process, which holds a share of the connections."""

    def __init__(self, load: Load, connections: int, claimed: Any) -> None:
        self.ended = False
        self.reports, child_reports = _spawn.Pipe(duplex=False)
        arguments = (load, connections, claimed, child_reports)
        self.process = _spawn.Process(target=_send_all, args=arguments, daemon=True)
        with block_signals():  # a terminal and `timeout` signal every process, but the parent has to stop this one
            self.process.start()
        child_reports.close()

    def receive(self) -> list[Measurement] | float:
        """A batch of measurements, or at the end the processor time of the process in seconds.

        Raises what the process raised, and ServiceError when it has died.
        """
        try:
            report: list[Measurement] | float | BaseException = self.reports.recv()
        except EOFError:
            raise ServiceError("a process that sent requests has died") from None
        if isinstance(report, BaseException):
            raise report
        self.ended = isinstance(report, float)
        return report


def _shares(connections: int, processes: int) -> list[int]:
    """The number of connections of each process. There are at most `processes`, and none without a connection."""
    processes = min(connections, processes)
    return [connections // processes + (number < connections % processes) for number in range(processes)]


def _send_all(load: Load, connections: int, claimed: Any, reports: Connection) -> None:
    """Run a sending process: start a thread for each connection, and report what they measure."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where signals can't be blocked
    done: list[Measurement | BaseException] = []
    deadline, start_s = time.monotonic() + load.duration_s, time.process_time()
    threads = [threading.Thread(target=_send, args=(load, claimed, deadline, done)) for _ in range(connections)]
    try:
        _start(threads)
        while any(thread.is_alive() for thread in threads) or done:
            time.sleep(REPORT_INTERVAL_S)
            batch = done[:]
            del done[: len(batch)]
            if batch:
                reports.send(next((error for error in batch if isinstance(error, BaseException)), batch))
        reports.send(time.process_time() - start_s)
    except ServiceError as error:
        claimed.value = load.count
        reports.send(error)
    except OSError:  # the parent has closed the pipe
        claimed.value = load.count


def _start(threads: Sequence[threading.Thread]) -> None:
    """Raise ServiceError when the system refuses a thread. The caller then stops those that run."""
    for number, thread in enumerate(threads):
        try:
            thread.start()
        except RuntimeError as error:
            raise ServiceError(f"{error}: {number} of {len(threads)} connections of a process were opened") from error


def _send(load: Load, claimed: Any, deadline: float, done: list[Measurement | BaseException]) -> None:
    """Send requests over one connection and append their measurements to `done`."""
    try:
        connection = TimedConnection(load.url)
        while time.monotonic() < deadline:
            with claimed.get_lock():
                if claimed.value >= load.count:
                    return
                claimed.value += 1
                index = claimed.value
            measurement = connection.measure(index, load.pictures[(index - 1) % len(load.pictures)])
            done.append(measurement)
            if measurement.unreached:
                time.sleep(PAUSE_S)
    except BaseException as error:  # `measurements` raises it again in the parent
        claimed.value = load.count
        done.append(error)


def summary(name: str, values_ms: Sequence[float]) -> str:
    """One line with average, percentiles and maximum of times in milliseconds."""
    percentiles = ", ".join(f"{q}%: {np.percentile(values_ms, q):.1f}ms" for q in PERCENTILES)
    return f"{name}: average {np.mean(values_ms):.1f}ms, {percentiles}, longest {max(values_ms):.1f}ms"


class TimedConnection:
    """A kept connection that measures requests, with as little code around the socket as possible.

    Threads may not share it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._exchange = Exchange(TIMEOUT_S, ANSWER_LIMIT_BYTES)
        self._connection = bounded(kind, self._exchange)(parts.hostname or "", parts.port)
        self._headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **token_headers()}
        self._url, self._place = url, without_user(url)
        self._target = requote_uri(f"{parts.path or '/'}?{parts.query}".rstrip("?"))

    def measure(self, index: int, picture: bytes) -> Measurement:
        """Send an encoded picture once. After a failure the next call reconnects."""
        body = multipart_body(picture)
        sent_at, start = time.time(), time.perf_counter()
        self._exchange.begin()
        try:
            self._connection.request("POST", self._target, body, self._headers)
            response = self._connection.getresponse()
            content = _read_body(response)
        except (OSError, http.client.HTTPException, ValueError, ServiceError) as error:
            self._connection.close()
            return Measurement(index, sent_at, None, f"{self._place}: {_describe(error)}", unreached=True)
        total_ms = 1000 * (time.perf_counter() - start)
        other = f"{self._place}: expected an answer of the API; got something else (HTTP {response.status})"
        if response.status in SENT_ON and (location := response.getheader("Location")):
            return Measurement(index, sent_at, None, f"{self._place}: {sends_on(self._url, location)}")
        if response.status != http.HTTPStatus.OK:
            message = error_message(content)
            return Measurement(index, sent_at, None, f"{message} (HTTP {response.status})" if message else other)
        try:
            fields = parse_answer(content)
        except ValueError:
            return Measurement(index, sent_at, None, other)
        value = (fields.candidate or "") if fields.value is None else fields.value
        return Measurement(index, sent_at, Answer(value, fields.confidence, fields.recognition_ms, total_ms))


def _read_body(response: http.client.HTTPResponse) -> bytes:
    """The whole body.

    Raises TimeoutError and ServiceError as its connection does, and IncompleteRead when the body is cut off.
    """
    content = b""
    with response:  # `read1` does not close it at its end, and the connection could not be reused
        while part := response.read1(PART_BYTES):
            content += part
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
    return content


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} seconds"
    if isinstance(error, ConnectionRefusedError | gaierror):
        return UNREACHED
    if isinstance(error, ServiceError):
        return str(error)
    described = describe_fault(error)
    return described if described != excerpt(without_user(str(error))) else f"{type(error).__name__}: {described}"


def multipart_body(*pictures: bytes) -> bytes:
    """The multipart form of encoded pictures, with `BOUNDARY` between its parts."""
    headers = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file"; filename="captcha.png"\r\n'
    start = f"{headers}Content-Type: application\r\n\r\n".encode()
    return b"".join(start + picture + b"\r\n" for picture in pictures) + f"--{BOUNDARY}--\r\n".encode()
