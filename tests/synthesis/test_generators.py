from pathlib import Path

import pytest
from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont

from cnnlib.core.errors import ConfigError
from cnnlib.synthesis import generators
from cnnlib.synthesis.generators import many_looks
from tests.helpers import captcha_config


def test_looks_have_the_fonts_for_all_characters_and_more_for_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = tmp_path / "digits.ttf"
    with TTFont(DEFAULT_FONTS[0]) as font:
        for table in font["cmap"].tables:
            for letter in "abx":
                table.cmap.pop(ord(letter), None)
        font.save(digits)
    monkeypatch.setattr(generators, "system_fonts", lambda: [*DEFAULT_FONTS, str(digits), "missing.ttf"])
    draw = many_looks(captcha_config(characters="ab0123456789×"))
    assert draw.keywords["fonts"] == tuple(DEFAULT_FONTS)
    named = {alphabet: fonts for alphabet, fonts in draw.keywords["more_fonts"].items() if fonts}
    assert named == {"0123456789": (str(digits),)}  # × may look like the x that this font lacks
    assert draw("1-1") == draw("1-1")


def test_machine_without_a_font_for_the_characters_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "system_fonts", lambda: [*DEFAULT_FONTS])
    with pytest.raises(ConfigError, match="no font of this machine draws all of the config's characters"):
        many_looks(captcha_config(characters="天地"))
