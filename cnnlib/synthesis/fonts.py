"""Which fonts draw which characters, and which ones the letters of a picture are in."""

import functools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.ttLib import TTFont
from PIL import Image, ImageFont

from cnnlib.core.errors import ConfigError
from cnnlib.core.printable import printable
from cnnlib.synthesis.chance import Rng

CHECKED_SIZE = 32  # pixels at which the characters of a font are compared
CASED = "abdeghnqrtABDEGHNQRT"  # letters whose small shape is another one in most fonts
MOST_DIFFERENCE, MOST_DIFFERENT_INK = 0.22, 0.24  # of a capital and a small one of the same shape


def select_fonts(alphabets: Iterable[str], fonts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """For each alphabet the fonts that draw all of its characters, and no two of them alike.

    Some fonts have digits alone, and some draw the letters of both cases alike.
    """
    alphabets = [*alphabets]
    every = "".join(dict.fromkeys("".join(alphabets)))
    drawn = {font: _glyphs(every, font) for font in fonts}
    return {
        alphabet: tuple(font for font, glyphs in drawn.items() if _all_differ(alphabet, glyphs))
        for alphabet in alphabets
    }


def _all_differ(characters: str, glyphs: Mapping[str, bytes]) -> bool:
    wanted = {*characters}
    return wanted <= glyphs.keys() and len({glyphs[character] for character in wanted}) == len(wanted)


def _glyphs(characters: str, font: str) -> dict[str, bytes]:
    """The pixels of the characters that the font draws, each as bytes.

    There are none if it is broken, and no small letters if they look like capitals.
    """
    try:
        known = drawable(font)
        opened = ImageFont.truetype(font, CHECKED_SIZE)
        masks = {character: opened.getmask(character) for character in characters if ord(character) in known}
    except Exception:  # a font can be broken in many ways, each with its own exception
        return {}
    masks = {character: mask for character, mask in masks.items() if mask.getbbox()}
    if _has_small_capitals({character: _shape(masks[character]) for character in CASED if character in masks}):
        masks = {character: mask for character, mask in masks.items() if not character.islower()}
    return {character: bytes(mask) for character, mask in masks.items()}


def _shape(mask: Any) -> np.ndarray:
    """A character at a small size of its own, float (12, 12), 0 to 1. `mask` is what `getmask` of a font returns."""
    width, height = mask.size
    picture = Image.fromarray(np.frombuffer(bytes(mask), np.uint8).reshape(height, width)).crop(mask.getbbox())
    return np.asarray(picture.resize((12, 12), Image.Resampling.BOX)) / 255


def _has_small_capitals(shapes: Mapping[str, np.ndarray]) -> bool:
    """Whether most small letters look like their capitals."""
    letters = [letter for letter in shapes if letter.islower() and letter.upper() in shapes]
    alike = [letter for letter in letters if _are_alike(shapes[letter], shapes[letter.upper()])]
    return 2 * len(alike) > len(letters)


def _are_alike(shape: np.ndarray, other: np.ndarray) -> bool:
    """Whether two shapes differ little. Hairlines cover little, so that their ink is compared too."""
    difference = np.abs(shape - other)
    return bool(difference.mean() < MOST_DIFFERENCE and difference.sum() < MOST_DIFFERENT_INK * (shape + other).sum())


def drawable(font: str) -> set[int]:
    """Code points that a font file has a glyph for. Raises ConfigError when it is not a font."""
    if not Path(font).is_file():
        raise ConfigError(f"{printable(font)}: expected a TrueType or OpenType font; there is no such file")
    try:
        with TTFont(font, fontNumber=0, lazy=True) as opened:
            known = set(opened.getBestCmap() or {})
        ImageFont.truetype(font).getmask("a")
    except Exception as error:  # a font can be broken in many ways, each with its own exception
        message = printable(str(error) or type(error).__name__)
        raise ConfigError(f"{printable(font)}: expected a TrueType or OpenType font; got {message}") from error
    return known


def usable_fonts(alphabet: str, fonts: Sequence[str], more_fonts: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The fonts for a picture of an alphabet: those for all characters, and those of `more_fonts` that suffice."""
    more = [font for drawn, named in more_fonts.items() if {*alphabet} <= {*drawn} for font in named]
    return tuple(dict.fromkeys([*fonts, *more]))


def draw_font(rng: Rng, fonts: Sequence[str]) -> str:
    """One of the fonts. A folder with many has a larger share, but less than its number of fonts would give.

    Fonts in one folder are mostly the weights of one design.
    """
    sums = _sums(tuple(fonts))
    return fonts[int(np.searchsorted(sums, rng.random() * sums[-1], side="right").clip(0, len(fonts) - 1))]


@functools.lru_cache(maxsize=64)
def _sums(fonts: tuple[str, ...]) -> np.ndarray:
    folders = [str(Path(font).parent) for font in fonts]
    counts = {folder: folders.count(folder) for folder in dict.fromkeys(folders)}
    return np.cumsum([counts[folder] ** -0.6 for folder in folders])
