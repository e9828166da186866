import io

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from fontTools.ttLib import TTFont
from PIL import Image

from cnnlib.config import CaptchaConfig
from cnnlib.synthesis.captcha import select_fonts
from cnnlib.synthesis.glyphs import draw_text
from cnnlib.synthesis.random_looks import draw_random_look

LOOK = CaptchaConfig.model_validate(
    {
        "root_dir": "unused",
        "image_suffix": "png",
        "characters": "ab01",
        "count": 1,
        "char_count": 5,
        "least_char_count": 2,
        "width": 120,
        "height": 40,
    }
)


def pixels(seed: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_random_look(LOOK, seed, DEFAULT_FONTS)[1])))


def test_same_seed_same_picture_other_seed_another_look() -> None:
    assert draw_random_look(LOOK, "1-1", DEFAULT_FONTS) == draw_random_look(LOOK, "1-1", DEFAULT_FONTS)
    assert len({pixels(f"1-{n}").tobytes() for n in range(30)}) == 30


def test_size_alphabet_and_lengths_are_the_config_s() -> None:
    labels = [draw_random_look(LOOK, f"2-{n}", DEFAULT_FONTS)[0] for n in range(60)]
    assert {len(label) for label in labels} == {2, 3, 4, 5}
    assert set("".join(labels)) == set("ab01")
    assert pixels("2-0").shape == (40, 120, 3)


@pytest.mark.parametrize("number", range(60))
def test_every_look_has_ink(number: int) -> None:
    assert pixels(f"3-{number}").std(axis=(0, 1)).max() > 2


@pytest.mark.parametrize("number", range(20))
def test_every_character_of_a_row_is_drawn_in_its_ink(number: int) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    row = np.asarray(draw_text(np.random.default_rng(number), "ab", DEFAULT_FONTS, [red, blue], (120, 60)))
    solid = row[row[..., 3] > 200]
    assert (solid[:, 0] > 200).any()
    assert (solid[:, 2] > 200).any()


def test_fonts_that_lack_a_character_or_are_none_are_left_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    broken = tmp_path_factory.mktemp("fonts") / "broken.ttf"
    broken.write_bytes(b"no font")
    assert select_fonts("abAB", [*DEFAULT_FONTS, str(broken), "missing.ttf"]) == tuple(DEFAULT_FONTS)
    assert select_fonts("漢", DEFAULT_FONTS) == ()


@pytest.mark.parametrize("glyph", ["O", "space"])
def test_fonts_that_draw_two_alike_or_nothing_are_left_out(
    glyph: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = tmp_path_factory.mktemp("fonts") / "changed.ttf"
    with TTFont(DEFAULT_FONTS[0]) as font:
        for table in font["cmap"].tables:
            table.cmap[ord("0")] = glyph
        font.save(changed)
    assert select_fonts("aO", [str(changed)]) == (str(changed),)
    assert select_fonts("0O", [str(changed)]) == ()
