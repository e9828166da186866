"""The generators of gen_image/ by the names of their scripts: how each draws the picture of a seed."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

from cnnlib.config import CAPTCHA_CONFIG, LOOKS_CONFIG, CaptchaConfig
from cnnlib.core.environment import import_matplotlib
from cnnlib.core.errors import ConfigError
from cnnlib.synthesis.captcha import check_fonts, draw_captcha
from cnnlib.synthesis.fonts import select_fonts
from cnnlib.synthesis.generate import Draw
from cnnlib.synthesis.labels import alphabets_of, arithmetic_alphabet, shapes_of
from cnnlib.synthesis.random_looks import draw_random_look


def captchas(config: CaptchaConfig, fonts: Sequence[str] = ()) -> "partial[tuple[str, bytes]]":
    """Draws as the `captcha` library does, in its own fonts or these. Raises ConfigError when one lacks a character."""
    check_fonts(config.characters, fonts)
    return partial(draw_captcha, config, fonts=tuple(fonts))


def many_looks(config: CaptchaConfig, fonts: Sequence[str] = ()) -> "partial[tuple[str, bytes]]":
    """Draws random looks, in the fonts of this machine or in these.

    Raises ConfigError when one of these lacks a character, or no font of this machine has all.
    """
    if fonts:
        check_fonts(shapes_of(config.characters), fonts)
        return partial(draw_random_look, config, fonts=tuple(fonts))
    chosen, more = _choose_fonts(config.characters, config.lengths, tuple(system_fonts()))
    return partial(draw_random_look, config, fonts=chosen, more_fonts=more)


@lru_cache(maxsize=4)  # it takes seconds
def _choose_fonts(
    characters: str, lengths: range, fonts: tuple[str, ...]
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Those of the fonts that draw all characters, and more that draw fewer, by these. Raises ConfigError."""
    every = shapes_of(characters)
    pools = [*alphabets_of(characters, lengths).values(), arithmetic_alphabet(characters, lengths)]
    alphabets = dict.fromkeys("".join(sorted(shapes_of("".join(pool)))) for pool in pools if pool)
    selected = select_fonts([every, *alphabets], fonts)
    chosen = selected.pop(every)
    if not chosen:
        raise ConfigError("no font of this machine draws all of the config's characters; name some with --fonts")
    more = {alphabet: tuple(font for font in found if font not in chosen) for alphabet, found in selected.items()}
    return tuple(chosen), more


def system_fonts() -> list[str]:
    """The font files of this machine."""
    import_matplotlib()
    from matplotlib import font_manager  # takes half a second to import

    return sorted(font_manager.findSystemFonts())


# Name of the script: how it draws, and its config unless another is named.
GENERATORS: dict[str, tuple[Callable[[CaptchaConfig], Draw], Path]] = {
    "gen_sample_by_captcha": (captchas, CAPTCHA_CONFIG),
    "gen_sample_of_many_looks": (many_looks, LOOKS_CONFIG),
}
