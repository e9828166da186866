"""Load on the recognition API: requests from several connections at once, and their figures."""

import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cnnlib.client import Answer, Client
from cnnlib.errors import ServiceError

PERCENTILES = (50, 90, 99)


@dataclass(frozen=True)
class Measurement:
    """One request: its number from 1, when it was sent, and its answer or what went wrong."""

    index: int
    sent_at: datetime
    answer: Answer | None
    fault: str = ""
    unreached: bool = False  # no answer came at all


def measure(url: str, pictures: Sequence[bytes], count: int, concurrency: int) -> Iterator[Measurement]:
    """Send `count` requests over `concurrency` connections, the pictures in turn; nothing is repeated.

    Yields a measurement for each as its answer comes; a slow one holds up its own connection alone. Closing the
    iterator gives up what is not yet sent.
    """
    indices = iter(range(1, count + 1))
    drawing, done = threading.Lock(), queue.SimpleQueue[Measurement | BaseException]()

    def work() -> None:
        client = Client(retries=0)
        while True:
            with drawing:
                index = next(indices, None)
            if index is None:
                return
            try:
                done.put(_send(client, url, index, pictures[(index - 1) % len(pictures)]))
            except BaseException as error:  # raised again where the measurements are taken
                done.put(error)
                return

    workers = [threading.Thread(target=work, daemon=True) for _ in range(concurrency)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(count):
            one = done.get()
            if isinstance(one, BaseException):
                raise one
            yield one
    finally:
        with drawing:
            indices = iter(())
        for worker in workers:
            worker.join()


def _send(client: Client, url: str, index: int, picture: bytes) -> Measurement:
    sent_at = datetime.now()
    try:
        return Measurement(index, sent_at, client.recognize(url, picture))
    except ServiceError as error:
        return Measurement(index, sent_at, None, str(error), unreached=error.status is None)


def summary(name: str, values_ms: Sequence[float]) -> str:
    """One line: average and percentiles of times in milliseconds."""
    shown = ", ".join(f"{q}%: {np.percentile(values_ms, q):.1f}ms" for q in PERCENTILES)
    return f"{name}: average {np.mean(values_ms):.1f}ms, {shown}, longest {max(values_ms):.1f}ms"
