"""The same work on many items, some of them in advance."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from typing import TypeVar

AHEAD = 32  # items for each core that are worked on before their results are asked for

Item = TypeVar("Item")
Begun = TypeVar("Begun")
Result = TypeVar("Result")


def cores() -> int:
    """The number of cores."""
    return os.cpu_count() or 1


def begin_ahead(
    begin: Callable[[Item], Begun], items: Iterable[Item], ahead: int, drop: Callable[[Begun], object]
) -> Generator[Begun, None, None]:
    """What `begin` returns for each item, in order. At the end, `drop` gets what was begun and not asked for.

    Items are taken as their turn comes, `ahead` of them in advance, so that memory does not grow with their number.
    """
    rest = iter(items)
    begun = deque(map(begin, islice(rest, ahead)))
    try:
        while begun:
            first = begun.popleft()
            begun.extend(map(begin, islice(rest, 1)))
            yield first
    finally:
        for each in begun:
            drop(each)


def on_all_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The result of `work` for each item, in order. An exception of `work` is raised at its item's turn.

    One thread per core works on `AHEAD` items for each core in advance. It helps work that releases the GIL, such as
    decoding.
    """
    with ThreadPoolExecutor(cores()) as pool:
        begun = begin_ahead(lambda item: pool.submit(work, item), items, AHEAD * cores(), Future.cancel)
        with closing(begun) as futures:
            for future in futures:
                yield future.result()
