"""Generate labelled pictures, `label_serial.suffix`, each with random fonts, colours, grounds, lines and warps.

The general model in model/general is trained on them. They use the fonts of this machine that draw all characters, and
no two alike, or the fonts that --fonts names.

examples:
  python gen_image/gen_sample_of_many_looks.py
  python gen_image/gen_sample_of_many_looks.py --count 1000 --seed 7
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, drawing_parser, script
from cnnlib.config import LOOKS_CONFIG, load_captcha_config
from cnnlib.core.paths import display_path
from cnnlib.synthesis.generate import generate
from cnnlib.synthesis.generators import many_looks


def parser() -> ArgumentParser:
    parser = drawing_parser(__doc__, LOOKS_CONFIG)
    parser.add_argument("--fonts", nargs="+", metavar="FILE", help="fonts (default: those of this machine)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = arguments.count or config.count
    draw = many_looks(config, arguments.fonts or ())
    print(f"Fonts: {len(draw.keywords['fonts'])}")
    generate(config, count, arguments.seed, draw)
    print(f"{count} pictures with seed {arguments.seed} are in {display_path(config.root_dir)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
