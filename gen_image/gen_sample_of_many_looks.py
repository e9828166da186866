"""Generate labelled pictures of many looks, `label_serial.suffix`: fonts, colours, grounds, lines, warps at random.

The general model in model/general is trained on them. Fonts are the machine's own, but for those that lack a character
or draw two alike, or those that --fonts names.

examples:
  python gen_image/gen_sample_of_many_looks.py
  python gen_image/gen_sample_of_many_looks.py --count 1000 --seed 7 --fonts first.ttf second.ttf
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from matplotlib import font_manager

from cnnlib.cli import DONE, drawing_parser, script
from cnnlib.config import load_captcha_config
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.synthesis.captcha import check_fonts, fit_fonts
from cnnlib.synthesis.generate import generate
from cnnlib.synthesis.random_looks import draw_look

LOOKS_CONFIG = PROJECT_ROOT / "conf" / "general_captcha_config.json"


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = drawing_parser(__doc__, LOOKS_CONFIG)
    parser.add_argument("--fonts", nargs="+", metavar="FILE", help="fonts to draw with (default: all of the machine)")
    arguments = parser.parse_args(argv)
    config = load_captcha_config(arguments.config)
    count = arguments.count or config.count
    if arguments.fonts:
        check_fonts(config.characters, arguments.fonts)
    fonts = tuple(arguments.fonts or fit_fonts(config.characters, sorted(font_manager.findSystemFonts())))
    if not fonts:
        raise ConfigError("no font of this machine draws all of the config's characters; name some with --fonts")
    print(f"Fonts: {len(fonts)}")
    generate(config, count, arguments.seed, partial(draw_look, config, fonts=fonts))
    print(f"{count} pictures with seed {arguments.seed} are in {display_path(config.root_dir)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
