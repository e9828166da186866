import io
from pathlib import Path

import pytest
from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont
from PIL import Image

from cnnlib.core.errors import ConfigError
from cnnlib.synthesis.captcha import check_fonts, draw_captcha
from tests.helpers import captcha_config


def test_seed_decides_label_and_pixels() -> None:
    assert draw_captcha(captcha_config(), "7-1") == draw_captcha(captcha_config(), "7-1")
    assert draw_captcha(captcha_config(), "7-1") != draw_captcha(captcha_config(), "7-2")


@pytest.mark.parametrize(("suffix", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_picture_has_size_format_and_characters_of_the_config(suffix: str, kind: str) -> None:
    label, data = draw_captcha(captcha_config(image_suffix=suffix, char_count=5, width=120, characters="ab"), "0")
    picture = Image.open(io.BytesIO(data))
    assert (picture.size, picture.format) == ((120, 60), kind)
    assert len(label) == 5
    assert set(label) <= set("ab")


def test_labels_of_different_lengths_are_drawn() -> None:
    varied = captcha_config(least_char_count=2)
    assert {len(draw_captcha(varied, str(number))[0]) for number in range(40)} == {2, 3, 4}
    assert {len(draw_captcha(captcha_config(), str(number))[0]) for number in range(10)} == {4}


def test_characters_that_a_font_lacks_are_named() -> None:
    with pytest.raises(ConfigError, match=r"DroidSansMono\.ttf: the font lacks 天 地; name another one with --fonts"):
        check_fonts("a天地天", DEFAULT_FONTS)
    check_fonts("aZ09é", ())


def test_font_without_glyphs_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
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
