"""Generate labelled captcha pictures, `label_serial.suffix`, into the root_dir of captcha_config.json.

A second run adds pictures and never overwrites one. The serial number is SEED-INDEX. The same seed gives the same
labels and pixels on any number of cores, beginning with the first picture that the folder lacks.

examples:
  python gen_image/gen_sample_by_captcha.py
  python gen_image/gen_sample_by_captcha.py conf/my_captcha_config.json
  python gen_image/gen_sample_by_captcha.py --count 20000 --seed 7
  python gen_image/gen_sample_by_captcha.py --fonts first.ttf second.ttf
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, add_fonts_argument, drawing_parser, script
from cnnlib.config import CAPTCHA_CONFIG, load_captcha_config
from cnnlib.core.paths import display_path
from cnnlib.synthesis.generate import generate
from cnnlib.synthesis.generators import captchas


def parser() -> ArgumentParser:
    parser = drawing_parser(__doc__, CAPTCHA_CONFIG)
    add_fonts_argument(parser)
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = arguments.count or config.count
    generate(config, count, arguments.seed, captchas(config, arguments.fonts))
    print(f"{count} pictures with seed {arguments.seed} are in {display_path(config.root_dir)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
