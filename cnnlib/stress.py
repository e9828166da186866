"""Load on the recognition API: requests from several connections at once, and their figures."""

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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


def measure(url: str, pictures: Sequence[bytes], count: int, concurrency: int) -> Iterator[Measurement]:
    """Send `count` requests over `concurrency` connections, the pictures in turn; nothing is repeated.

    Yields a measurement for each as answers come; the rest is given up when the iterator is closed.
    """
    own = threading.local()
    indices = iter(range(1, count + 1))

    def send(index: int) -> Measurement:
        if not hasattr(own, "client"):
            own.client = Client(retries=0)
        sent_at = datetime.now()
        try:
            return Measurement(index, sent_at, own.client.recognize(url, pictures[index % len(pictures)]))
        except ServiceError as error:
            return Measurement(index, sent_at, None, str(error))

    with ThreadPoolExecutor(concurrency) as pool:
        running = [pool.submit(send, index) for index in itertools.islice(indices, concurrency)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(send, index) for index in itertools.islice(indices, 1)]


def summary(name: str, values_ms: Sequence[float]) -> str:
    """One line: average and percentiles of times in milliseconds."""
    shown = ", ".join(f"{q}%: {np.percentile(values_ms, q):.1f}ms" for q in PERCENTILES)
    return f"{name}: average {np.mean(values_ms):.1f}ms, {shown}, longest {max(values_ms):.1f}ms"
