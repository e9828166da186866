import io

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image

from cnnlib.synthesis.random_looks import draw_random_look
from tests.helpers import captcha_config

LOOK = captcha_config(characters="ab01", char_count=5, least_char_count=2, width=120, height=40)


def pixels(seed: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_random_look(LOOK, seed, DEFAULT_FONTS)[1])))


def test_seed_decides_the_picture() -> None:
    assert draw_random_look(LOOK, "1-1", DEFAULT_FONTS) == draw_random_look(LOOK, "1-1", DEFAULT_FONTS)
    assert len({pixels(f"1-{n}").tobytes() for n in range(30)}) == 30


def test_size_alphabet_and_lengths_are_those_of_the_config() -> None:
    labels = [draw_random_look(LOOK, f"2-{n}", DEFAULT_FONTS)[0] for n in range(60)]
    assert {len(label) for label in labels} == {2, 3, 4, 5}
    assert set("".join(labels)) == set("ab01")
    assert pixels("2-0").shape == (40, 120, 3)


@pytest.mark.parametrize("number", range(60))
def test_every_look_has_ink(number: int) -> None:
    assert pixels(f"3-{number}").std(axis=(0, 1)).max() > 2
