"""The same work on many items, with one thread per core. It helps work that releases the GIL, such as decoding."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

AHEAD = 32  # items for each core that are worked on before their results are asked for

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores."""
    return os.cpu_count() or 1


def on_all_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result of `work` for each item, in order. An exception of `work` is raised at its item's turn.

    Items are taken as their results are asked for, `AHEAD` for each core in advance, so that memory does not grow with
    their number.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(cores()) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == AHEAD * cores():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
