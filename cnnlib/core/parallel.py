"""The same work on many items, in a thread a core: for work that mostly leaves the interpreter, as decoding does."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_cores(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What `work` gives for each of the items, in their order. Raises what it raises, at the item's place."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, items)
