"""Draw captcha pictures with the `captcha` library. Each is a pure function of its seed."""

import functools
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path

from captcha.image import DEFAULT_FONTS, ImageCaptcha
from fontTools.ttLib import TTFont
from PIL import ImageFont

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import ConfigError
from cnnlib.core.printable import printable


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
        drawable = _drawable(font)
        missing = [c for c in dict.fromkeys(characters) if ord(c) not in drawable]
        if missing:
            faults.append(f"{printable(font)}: the font lacks {' '.join(missing)}; name another one with --fonts")
    if faults:
        raise ConfigError("\n".join(faults))


def select_fonts(characters: str, fonts: Sequence[str]) -> tuple[str, ...]:
    """The fonts that draw every character, and no two of them alike."""
    return tuple(font for font in fonts if _draws_all(characters, font))


def _draws_all(characters: str, font: str) -> bool:
    try:
        if not set(map(ord, characters)) <= _drawable(font):
            return False
        opened = ImageFont.truetype(font, 32)
        glyphs = [opened.getmask(character) for character in dict.fromkeys(characters)]
    except Exception:  # a font can be broken in many ways, each with its own exception
        return False
    return all(glyph.getbbox() for glyph in glyphs) and len({bytes(glyph) for glyph in glyphs}) == len(glyphs)


def _drawable(font: str) -> set[int]:
    """Code points that a font file has a glyph for. Raises ConfigError when it is not a font."""
    if not Path(font).is_file():
        raise ConfigError(f"{printable(font)}: expected a TrueType or OpenType font; there is no such file")
    try:
        with TTFont(font, fontNumber=0, lazy=True) as opened:
            drawable = set(opened.getBestCmap() or {})
        ImageFont.truetype(font).getmask("a")
    except Exception as error:  # a font can be broken in many ways, each with its own exception
        message = printable(str(error) or type(error).__name__)
        raise ConfigError(f"{printable(font)}: expected a TrueType or OpenType font; got {message}") from error
    return drawable
