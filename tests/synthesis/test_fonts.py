from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables._g_l_y_f import Glyph, GlyphComponent

from cnnlib.synthesis.fonts import draw_font, select_fonts, usable_fonts


def test_broken_fonts_and_those_that_lack_a_character_are_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = tmp_path_factory.mktemp("fonts") / "broken.ttf"
    broken.write_bytes(b"no font")
    found = select_fonts(["abAB", "漢"], [*DEFAULT_FONTS, str(broken), "missing.ttf"])
    assert found == {"abAB": tuple(DEFAULT_FONTS), "漢": ()}


@pytest.mark.parametrize("glyph", ["O", "space"])
def test_fonts_that_draw_two_characters_alike_or_nothing_are_left_out(
    glyph: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = tmp_path_factory.mktemp("fonts") / "changed.ttf"
    with TTFont(DEFAULT_FONTS[0]) as font:
        for table in font["cmap"].tables:
            table.cmap[ord("0")] = glyph
        font.save(changed)
    assert select_fonts(["aO", "0O"], [str(changed)]) == {"aO": (str(changed),), "0O": ()}


def without(characters: str, path: Path) -> str:
    """The path of a font that lacks some characters."""
    with TTFont(DEFAULT_FONTS[0]) as font:
        for table in font["cmap"].tables:
            for character in characters:
                table.cmap.pop(ord(character), None)
        font.save(path)
    return str(path)


def test_a_font_of_digits_alone_is_used_for_digits_alone(tmp_path: Path) -> None:
    whole, digits = DEFAULT_FONTS[0], without("abc", tmp_path / "digits.ttf")
    selected = select_fonts(["abc01", "01"], [whole, digits])
    assert selected == {"abc01": (whole,), "01": (whole, digits)}
    assert usable_fonts("10", [whole], {"01": [digits]}) == (whole, digits)
    assert usable_fonts("1a", [whole], {"01": [digits]}) == (whole,)


def test_a_folder_of_many_fonts_does_not_crowd_out_the_others() -> None:
    fonts = [*(f"many/{number}.ttf" for number in range(99)), "one/font.ttf"]
    rng = np.random.default_rng(1)
    counts = Counter(draw_font(rng, fonts) for _ in range(4000))
    assert 0.09 < counts["one/font.ttf"] / 4000 < 0.19  # 0.01 by number, 0.5 by folder
    assert len(counts) == 100


def test_a_font_of_capitals_in_two_sizes_is_not_used_for_small_letters(tmp_path: Path) -> None:
    path = str(tmp_path / "capitals.ttf")
    with TTFont(DEFAULT_FONTS[0]) as font:
        for letter in "abdeghnqrt":
            capital = Glyph()
            capital.numberOfContours = -1
            part = GlyphComponent()
            part.glyphName, part.x, part.y, part.flags = letter.upper(), 0, 0, 0
            part.transform = [[0.7, 0], [0, 0.7]]
            capital.components = [part]
            font["glyf"][letter] = capital
        font.save(path)
    fonts = [DEFAULT_FONTS[0], path]
    selected = select_fonts(["abdegABDEG", "abdeg", "ABDEG", "01"], fonts)
    assert selected["abdegABDEG"] == selected["abdeg"] == (DEFAULT_FONTS[0],)
    assert selected["ABDEG"] == selected["01"] == (*fonts,)
