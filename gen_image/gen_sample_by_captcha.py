"""Generate labelled captcha pictures, `label_serial.suffix`, into the root_dir of captcha_config.json.

A second run adds pictures and never overwrites one. The serial number is SEED-INDEX; the same seed draws the
same labels and pixels on any number of cores.

examples:
  python gen_image/gen_sample_by_captcha.py
  python gen_image/gen_sample_by_captcha.py --count 20000 --seed 7
  python gen_image/gen_sample_by_captcha.py --fonts first.ttf second.ttf
"""

import os
import re
import secrets
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from tqdm import tqdm

from cnnlib.config import CAPTCHA_CONFIG, CaptchaConfig, display_path, load_captcha_config
from cnnlib.drawing import check_fonts, draw_captcha
from cnnlib.errors import ConfigError
from cnnlib.pictures import file_name
from cnnlib.script import DONE, argument_parser, script

CHUNK = 32  # pictures that a process draws before it reports


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__, CAPTCHA_CONFIG)
    parser.add_argument("--count", type=int, help="pictures to draw (default: count of the config)")
    parser.add_argument("--seed", type=int, help="draw these pictures again, or others (default: a new seed each run)")
    parser.add_argument("--fonts", nargs="+", default=[], metavar="FILE", help="fonts, one drawn for each character")
    arguments = parser.parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = config.count if arguments.count is None else arguments.count
    seed = secrets.randbelow(2**32) if arguments.seed is None else arguments.seed
    if count < 1:
        raise ConfigError(f"--count: expected 1 or more; got {count}")
    check_fonts(config.characters, arguments.fonts)
    generate(config, count, seed, arguments.fonts)
    print(f"{count} pictures with seed {seed} are in {display_path(config.root_dir)}")
    return DONE


def generate(config: CaptchaConfig, count: int, seed: int, fonts: Sequence[str] = ()) -> None:
    """Draw `count` pictures more of `seed` into the config's folder, on all cores."""
    config.root_dir.mkdir(parents=True, exist_ok=True)
    first = next_index(config.root_dir, seed)
    indices = range(first, first + count)
    chunks = [indices[start : start + CHUNK] for start in range(0, count, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count()) as pool, tqdm(total=count, unit=" pictures", disable=None) as bar:
        for written in pool.map(partial(write_pictures, config, seed, tuple(fonts)), chunks):
            bar.update(written)


def next_index(folder: Path, seed: int) -> int:
    """The index after the highest that `seed` has in the folder."""
    serial = re.compile(rf"_{seed}-(\d+)\.")
    return 1 + max((int(found[1]) for path in folder.iterdir() if (found := serial.search(path.name))), default=-1)


def write_pictures(config: CaptchaConfig, seed: int, fonts: tuple[str, ...], indices: Sequence[int]) -> int:
    """Draw and write the pictures of the given indices; returns their number."""
    for index in indices:
        label, data = draw_captcha(config, f"{seed}-{index}", fonts)
        with (config.root_dir / file_name(label, f"{seed}-{index:06d}", config.image_suffix)).open("xb") as file:
            file.write(data)
    return len(indices)


if __name__ == "__main__":
    sys.exit(main())
