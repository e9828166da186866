import hashlib
import io
import subprocess
import sys

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image

from cnnlib.config import load_captcha_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.synthesis.random_looks import draw_random_look
from tests.helpers import captcha_config

LOOK = captcha_config(characters="ab01", char_count=5, least_char_count=2, width=120, height=40)
LOOKS = load_captcha_config(PROJECT_ROOT / "conf/general_captcha_config.json")
HASH = """
import hashlib
from captcha.image import DEFAULT_FONTS
from cnnlib.config import load_captcha_config
from cnnlib.synthesis.random_looks import draw_random_look
config = load_captcha_config("conf/general_captcha_config.json")
drawn = [draw_random_look(config, f"8-{n}", DEFAULT_FONTS) for n in range(40)]
print(hashlib.sha256(repr(drawn).encode()).hexdigest())
"""


def pixels(seed: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(draw_random_look(LOOK, seed, DEFAULT_FONTS)[1])))


def test_seed_decides_the_picture() -> None:
    assert draw_random_look(LOOK, "1-1", DEFAULT_FONTS) == draw_random_look(LOOK, "1-1", DEFAULT_FONTS)
    assert len({pixels(f"1-{n}").tobytes() for n in range(30)}) == 30


def test_another_process_draws_the_same_pictures() -> None:
    command = [sys.executable, "-c", HASH]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    drawn = [draw_random_look(LOOKS, f"8-{number}", DEFAULT_FONTS) for number in range(40)]
    assert run.stdout.strip() == hashlib.sha256(repr(drawn).encode()).hexdigest()


def test_what_was_drawn_before_does_not_matter() -> None:
    first = draw_random_look(LOOKS, "9-3", DEFAULT_FONTS)
    for number in range(20):
        draw_random_look(LOOKS, f"9-{number}", DEFAULT_FONTS)
    assert draw_random_look(LOOKS, "9-3", DEFAULT_FONTS) == first


def test_size_alphabet_and_lengths_are_those_of_the_config() -> None:
    labels = [draw_random_look(LOOK, f"2-{n}", DEFAULT_FONTS)[0] for n in range(60)]
    assert {len(label) for label in labels} == {2, 3, 4, 5}
    assert set("".join(labels)) == set("ab01")
    assert pixels("2-0").shape == (40, 120, 3)


@pytest.mark.parametrize("number", range(60))
def test_every_look_has_ink(number: int) -> None:
    assert pixels(f"3-{number}").std(axis=(0, 1)).max() > 2


@pytest.mark.parametrize(("width", "height"), [(60, 20), (8, 8), (640, 360), (300, 30)])
def test_extreme_sizes_and_lengths_are_drawn(width: int, height: int) -> None:
    config = LOOKS.model_copy(update={"width": width, "height": height})
    for number in range(60):
        data = draw_random_look(config, f"4-{number}", DEFAULT_FONTS)[1]
        assert Image.open(io.BytesIO(data)).size == (width, height)


@pytest.mark.parametrize("characters", [" ", ".", "il1", "—", "0123456789+"])
def test_odd_alphabets_are_drawn(characters: str) -> None:
    config = captcha_config(characters=characters, char_count=12, least_char_count=1, width=60, height=30)
    for number in range(40):
        assert {*draw_random_look(config, f"5-{number}", DEFAULT_FONTS)[0]} <= {*characters}


def test_fonts_for_some_characters_are_used_for_these_alone() -> None:
    config = captcha_config(characters="ab01", char_count=4)
    more = {"01": ["missing.ttf"]}
    failures = 0
    for number in range(60):
        try:
            label, _ = draw_random_look(config, f"6-{number}", DEFAULT_FONTS, more)
        except OSError:
            label, _ = draw_random_look(config, f"6-{number}", DEFAULT_FONTS)
            failures += 1
            assert {*label} <= {*"01"}
    assert failures > 3
