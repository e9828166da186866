"""Generate labelled captcha pictures, `label_serial.suffix`, into the root_dir of captcha_config.json.

A second run adds pictures and never overwrites one. The serial number is SEED-INDEX; the same seed draws the
same labels and pixels on any number of cores, the first ones that the folder lacks.

examples:
  python gen_image/gen_sample_by_captcha.py
  python gen_image/gen_sample_by_captcha.py --count 20000 --seed 7
  python gen_image/gen_sample_by_captcha.py --fonts first.ttf second.ttf
"""

import itertools
import multiprocessing
import os
import re
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from tqdm import tqdm

from cnnlib.config import CAPTCHA_CONFIG, CaptchaConfig, display_path, load_captcha_config
from cnnlib.drawing import check_fonts, draw_captcha
from cnnlib.pictures import file_name
from cnnlib.samples import locked, part_of
from cnnlib.script import DONE, argument_parser, script, whole_number

CHUNK = 32  # pictures that a process draws before it reports
MOST_WORKERS = 61  # that Windows can wait for


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__, CAPTCHA_CONFIG)
    parser.add_argument("--count", type=whole_number, help="pictures to draw (default: count of the config)")
    parser.add_argument("--seed", type=int, help="draw these pictures again, or others (default: a new seed each run)")
    parser.add_argument("--fonts", nargs="+", default=[], metavar="FILE", help="fonts, one drawn for each character")
    arguments = parser.parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = arguments.count or config.count
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    check_fonts(config.characters, arguments.fonts)
    generate(config, count, seed, arguments.fonts)
    print(f"{count} pictures with seed {seed} are in {display_path(config.root_dir)}")
    return DONE


def generate(config: CaptchaConfig, count: int, seed: int, fonts: Sequence[str] = ()) -> None:
    """Draw `count` pictures more of `seed` into the config's folder, on all cores.

    Raises SampleError when another run holds the folder.
    """
    with locked(config.root_dir):
        indices = missing_indices(config.root_dir, seed, count)
        chunks = [indices[start : start + CHUNK] for start in range(0, count, CHUNK)]
        draw = partial(write_pictures, config, seed, tuple(fonts))
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        with ProcessPoolExecutor(workers, initializer=follow_parent) as pool:
            try:
                with tqdm(total=count, unit=" pictures", disable=None) as bar:
                    for written in pool.map(draw, chunks):
                        bar.update(written)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def missing_indices(folder: Path, seed: int, count: int) -> list[int]:
    """The first `count` indices of `seed` that the folder lacks."""
    serial = re.compile(rf"_{seed}-(\d+)\.")
    present = {int(found[1]) for path in folder.iterdir() if (found := serial.search(path.name))}
    return list(islice((index for index in itertools.count() if index not in present), count))


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


def write_pictures(config: CaptchaConfig, seed: int, fonts: tuple[str, ...], indices: Sequence[int]) -> int:
    """Draw and write the pictures of the given indices, each whole or not at all; returns their number."""
    for index in indices:
        label, data = draw_captcha(config, f"{seed}-{index}", fonts)
        path = config.root_dir / file_name(label, f"{seed}-{index:06d}", config.image_suffix)
        part_of(path).write_bytes(data)
        part_of(path).rename(path)
    return len(indices)


if __name__ == "__main__":
    sys.exit(main())
