import io
from collections.abc import Callable
from pathlib import Path

import pytest
from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont
from PIL import Image

from cnnlib.config import CaptchaConfig
from cnnlib.core.errors import ConfigError
from cnnlib.synthesis.captcha import check_fonts, draw_captcha

Look = Callable[..., CaptchaConfig]


@pytest.fixture
def look() -> Look:
    def make(**changes: object) -> CaptchaConfig:
        keys = {"root_dir": "unused", "image_suffix": "png", "characters": "0123456789", "count": 1}
        return CaptchaConfig.model_validate(keys | {"char_count": 4, "width": 100, "height": 60} | changes)

    return make


def test_seed_decides_label_and_pixels(look: Look) -> None:
    assert draw_captcha(look(), "7-1") == draw_captcha(look(), "7-1")
    assert draw_captcha(look(), "7-1") != draw_captcha(look(), "7-2")


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_picture_has_the_look_that_was_asked_for(look: Look, suffix: str, kind: str) -> None:
    label, data = draw_captcha(look(image_suffix=suffix, char_count=5, width=120, characters="ab"), "0")
    picture = Image.open(io.BytesIO(data))
    assert (picture.size, picture.format) == ((120, 60), kind)
    assert len(label) == 5
    assert set(label) <= set("ab")


def test_labels_of_different_lengths_are_drawn(look: Look) -> None:
    varied = look(least_char_count=2)
    assert {len(draw_captcha(varied, str(number))[0]) for number in range(40)} == {2, 3, 4}
    assert {len(draw_captcha(look(), str(number))[0]) for number in range(10)} == {4}


def test_characters_that_a_font_lacks_are_named() -> None:
    with pytest.raises(ConfigError, match=r"DroidSansMono\.ttf: the font lacks 天 地; name another one with --fonts"):
        check_fonts("a天地天", DEFAULT_FONTS)
    check_fonts("aZ09é", ())


def test_font_that_says_it_has_glyphs_but_has_none_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    hollow = tmp_path_factory.mktemp("fonts") / "hollow.ttf"
    with TTFont(DEFAULT_FONTS[0]) as font:
        for table in ("glyf", "loca"):
            del font[table]
        font.save(hollow)
    with pytest.raises(ConfigError, match=r"hollow\.ttf: expected a TrueType or OpenType font; got \w"):
        check_fonts("a", [str(hollow)])


def test_file_that_is_no_font_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("fonts") / "not.ttf"
    with pytest.raises(ConfigError, match="there is no such file"):
        check_fonts("a", [str(path)])
    whole = Path(DEFAULT_FONTS[0]).read_bytes()
    for content in (b"no font", *(whole[:size] for size in range(100, 3000, 100))):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="expected a TrueType or OpenType font; got"):
            check_fonts("a", [str(path)])
