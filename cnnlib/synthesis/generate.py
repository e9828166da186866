"""Draw labelled pictures into a folder, on all cores."""

import itertools
import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice
from pathlib import Path

from cnnlib.codec.filenames import file_name
from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_atomically
from cnnlib.core.parallel import begin_ahead, cores
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data.folders import locked

CHUNK_SIZE = 32  # pictures that a process draws before it reports
WORKER_LIMIT = 61  # Windows can wait for no more

Draw = Callable[[str], tuple[str, bytes]]  # seed -> label, encoded picture


def generate(config: CaptchaConfig, count: int, seed: int, draw: Draw, start_method: str | None = None) -> None:
    """Add `count` pictures of `seed` to the config's folder. `draw` gets the seed "SEED-INDEX" for each.

    `draw` runs in other processes, so it has to be a function of a module, or a partial of one. `start_method` is that
    of these processes: "spawn" in a process that has other threads.

    Raises SampleError when another run holds the folder or a drawing process was killed.
    """
    with locked(config.root_dir):
        indices = missing_indices(config.root_dir, seed, count)
        write = partial(write_pictures, config, seed, draw)
        workers = min(cores(), WORKER_LIMIT)
        context = multiprocessing.get_context(start_method)
        with ProcessPoolExecutor(workers, context, end_with_parent) as pool:
            try:
                with progress_bar(total=count, unit=" pictures") as bar:
                    submit, chunks = partial(pool.submit, write), split_into_chunks(indices)
                    for written in begin_ahead(submit, chunks, 2 * workers, Future.cancel):
                        bar.update(written.result())
            except BrokenProcessPool as error:
                message = "a drawing process was killed, probably for lack of memory; pictures drawn so far stay"
                raise SampleError(f"{display_path(config.root_dir)}: {message}") from error
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def split_into_chunks(indices: Iterator[int]) -> Iterator[list[int]]:
    return iter(lambda: list(islice(indices, CHUNK_SIZE)), [])


def missing_indices(folder: Path, seed: int, count: int) -> Iterator[int]:
    """The first `count` indices of `seed` that the folder lacks. A power cut may leave empty files, which are none."""
    serial = re.compile(rf"_{seed}-(\d+)\.")
    matches = ((path, serial.search(path.name)) for path in folder.iterdir())
    present = {int(match[1]) for path, match in matches if match and path.stat().st_size}
    return islice((index for index in itertools.count() if index not in present), count)


def end_with_parent() -> None:
    """Set up a drawing process: it leaves Ctrl-C to the parent, and ends when the parent ends or is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def write_pictures(config: CaptchaConfig, seed: int, draw: Draw, indices: Sequence[int]) -> int:
    """Draw the pictures of the indices and write each atomically. Returns their number."""
    for index in indices:
        label, data = draw(f"{seed}-{index}")
        path = config.root_dir / file_name(label, f"{seed}-{index:06d}", config.image_suffix)
        write_atomically(path, data, durable=False)  # waiting for the disk would take longer than drawing
    return len(indices)
