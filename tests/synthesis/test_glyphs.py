import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS

from cnnlib.synthesis.glyphs import draw_text


@pytest.mark.parametrize("number", range(20))
def test_every_character_is_drawn_in_its_colour(number: int) -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    row = np.asarray(draw_text(np.random.default_rng(number), "ab", DEFAULT_FONTS, [red, blue], (120, 60)))
    solid = row[row[..., 3] > 200]
    assert (solid[:, 0] > 200).any()
    assert (solid[:, 2] > 200).any()
