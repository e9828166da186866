"""Labelled pictures drawn on all cores into a folder."""

import itertools
import multiprocessing
import os
import re
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from cnnlib.codec.filenames import file_name
from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path
from cnnlib.data.folders import locked

CHUNK = 32  # pictures that a process draws before it reports
MOST_WORKERS = 61  # that Windows can wait for

Draw = Callable[[str], tuple[str, bytes]]  # a seed to a label and an encoded picture


def generate(config: CaptchaConfig, count: int, seed: int, draw: Draw) -> None:
    """Put `count` pictures more of `seed` into the config's folder, drawn by `draw` on all cores.

    The picture's own seed is "SEED-INDEX"; `draw` gives its label and its encoded bytes.
    Raises SampleError when another run holds the folder, or a drawing process was killed.
    """
    with locked(config.root_dir):
        indices = missing_indices(config.root_dir, seed, count)
        write = partial(write_pictures, config, seed, draw)
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        with ProcessPoolExecutor(workers, initializer=follow_parent) as pool:
            try:
                with tqdm(total=count, unit=" pictures", disable=None) as bar:
                    for written in in_turn(partial(pool.submit, write), chunks_of(indices), 2 * workers):
                        bar.update(written)
            except BrokenProcessPool as error:
                told = "a drawing process was killed, most often for want of memory; what was drawn stays"
                raise SampleError(f"{display_path(config.root_dir)}: {told}") from error
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def in_turn(submit: Callable[[list[int]], Future[int]], chunks: Iterator[list[int]], ahead: int) -> Iterator[int]:
    """What comes of each chunk, in turn; `ahead` of them are under way, so that memory stays as it is."""
    waiting = deque(map(submit, islice(chunks, ahead)))
    while waiting:
        yield waiting.popleft().result()
        waiting.extend(map(submit, islice(chunks, 1)))


def chunks_of(indices: Iterator[int]) -> Iterator[list[int]]:
    return iter(lambda: list(islice(indices, CHUNK)), [])


def missing_indices(folder: Path, seed: int, count: int) -> Iterator[int]:
    """The first `count` indices of `seed` that the folder lacks."""
    serial = re.compile(rf"_{seed}-(\d+)\.")
    present = {int(found[1]) for path in folder.iterdir() if (found := serial.search(path.name))}
    return islice((index for index in itertools.count() if index not in present), count)


def follow_parent() -> None:
    """In a drawing process: leave Ctrl-C to the parent, and end when the parent has ended, be it killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def write_pictures(config: CaptchaConfig, seed: int, draw: Draw, indices: Sequence[int]) -> int:
    """Draw and write the pictures of the given indices, each whole or not at all; returns their number."""
    for index in indices:
        label, data = draw(f"{seed}-{index}")
        path = config.root_dir / file_name(label, f"{seed}-{index:06d}", config.image_suffix)
        write_atomically(path, data, durable=False)  # to sync each would take longer than to draw it
    return len(indices)
