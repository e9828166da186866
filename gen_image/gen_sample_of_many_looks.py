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
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, drawing_parser, script
from cnnlib.config import load_captcha_config
from cnnlib.core.environment import import_matplotlib
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import display_path, project_path
from cnnlib.synthesis.captcha import check_fonts, select_fonts
from cnnlib.synthesis.generate import generate
from cnnlib.synthesis.random_looks import draw_random_look

LOOKS_CONFIG = project_path("conf/general_captcha_config.json")


def parser() -> ArgumentParser:
    parser = drawing_parser(__doc__, LOOKS_CONFIG)
    parser.add_argument("--fonts", nargs="+", metavar="FILE", help="fonts (default: those of this machine)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = arguments.count or config.count
    if arguments.fonts:
        check_fonts(config.characters, arguments.fonts)
    fonts = tuple(arguments.fonts or select_fonts(config.characters, system_fonts()))
    if not fonts:
        raise ConfigError("no font of this machine draws all of the config's characters; name some with --fonts")
    print(f"Fonts: {len(fonts)}")
    generate(config, count, arguments.seed, partial(draw_random_look, config, fonts=fonts))
    print(f"{count} pictures with seed {arguments.seed} are in {display_path(config.root_dir)}")
    return DONE


def system_fonts() -> list[str]:
    """The font files of this machine."""
    import_matplotlib()
    from matplotlib import font_manager  # takes half a second to import

    return sorted(font_manager.findSystemFonts())


if __name__ == "__main__":
    sys.exit(main())
