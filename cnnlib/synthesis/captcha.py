"""Draw captcha pictures with the `captcha` library. Each is a pure function of its seed."""

import functools
import hashlib
import random
from collections.abc import Sequence

from captcha.image import DEFAULT_FONTS, ImageCaptcha

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import ConfigError
from cnnlib.core.printable import printable
from cnnlib.synthesis.fonts import drawable


@functools.lru_cache(maxsize=8)
def _painter(width: int, height: int, fonts: tuple[str, ...]) -> ImageCaptcha:
    return ImageCaptcha(width, height, list(fonts) or None)


def draw_captcha(config: CaptchaConfig, seed: str, fonts: Sequence[str] = ()) -> tuple[str, bytes]:
    """Label and encoded picture of a seed, in the look that `config` describes.

    The same seed gives the same label and pixels in any process. The library uses the global generator of `random`,
    which this function seeds. So do not call it in several threads at once.
    """
    random.seed(hashlib.sha256(seed.encode()).digest())
    length = random.choice(config.lengths) if len(config.lengths) > 1 else config.char_count
    label = "".join(random.choices(config.characters, k=length))
    picture = _painter(config.width, config.height, tuple(fonts)).generate_image(label)
    return label, encode_picture(picture, config.image_suffix)


def check_fonts(characters: str, fonts: Sequence[str]) -> None:
    """Raise ConfigError with the characters that a font lacks. Without `fonts` the library's own are checked."""
    faults = []
    for font in fonts or DEFAULT_FONTS:
        known = drawable(font)
        missing = [c for c in dict.fromkeys(characters) if ord(c) not in known]
        if missing:
            faults.append(f"{printable(font)}: the font lacks {' '.join(missing)}; name another one with --fonts")
    if faults:
        raise ConfigError("\n".join(faults))
