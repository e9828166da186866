"""What many readings say about all texts."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.inference.guessed_hints import FEWEST, guess
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import draw

DIGITS, SMALL, CAPITALS = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
EVERYTHING = DIGITS + SMALL + CAPITALS + "+-×="


def read(texts: Sequence[str], confidence: float = 0.9) -> list[Prediction]:
    return [Prediction(text, confidence, (confidence,) * len(text)) for text in texts]


def drawn(characters: str, count: int, lengths: Sequence[int] = (5,), seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(characters, k=chance.choice(lengths))) for _ in range(count)]


@pytest.mark.parametrize("characters", [DIGITS, SMALL + DIGITS, CAPITALS, DIGITS + "+-×=", SMALL + CAPITALS])
def test_kinds_of_characters_and_lengths_that_are_read_are_taken(characters: str) -> None:
    expected = Hints("".join(each for each in EVERYTHING if each in characters), 4, 6)
    assert guess(EVERYTHING, read(drawn(characters, 400, [4, 5, 6]))) == expected


def test_what_is_misread_now_and_then_is_left_out() -> None:
    """A capital among digits, a length of one in fifty, and a zero in an alphabet without one."""
    readings = read(drawn("123456789", 400)) + read(["12A45"] * 8) + read(["123405"] * 8)
    assert guess(EVERYTHING, readings) == Hints("123456789", 5, 5)


def test_few_characters_of_a_kind_are_taken_where_each_is_common() -> None:
    """Small letters are a little more than a tenth of what is read, or less."""
    alphabet = "2346789BCEFGHJKMPQRTVXYefw"
    for letters in (alphabet, alphabet.replace("ef", "")):
        expected = "".join(each for each in EVERYTHING if each in letters)
        assert guess(EVERYTHING, read(drawn(letters, 400))).char_set == expected


def test_unsure_readings_say_less() -> None:
    readings = read(drawn("123456789", 100)) + read(["00000"] * 20 + ["123456"] * 20, confidence=0.1)
    assert guess(EVERYTHING, readings) == Hints("123456789", 5, 5)


@pytest.mark.parametrize("seed", range(20))
def test_chance_in_a_few_readings_leaves_no_character_out(seed: int) -> None:
    assert guess(EVERYTHING, read(drawn(SMALL + DIGITS, 30, seed=seed))).char_set == DIGITS + SMALL


def test_few_readings_say_nothing() -> None:
    assert guess(EVERYTHING, read(["1"] * (FEWEST - 1) + [""] * 50)) == NO_HINTS
    assert guess(EVERYTHING, read(["1"] * FEWEST)) == Hints("1", 1, 1)


def test_general_model_is_told_what_it_read_on_all_pictures(tmp_path: Path) -> None:
    pictures = [draw(text, tmp_path / f"{text}.png", size=(60, 24)) for text in drawn("2345678", FEWEST, [4])]
    broken = tmp_path / "broken.png"
    broken.write_text("no picture")
    hints = Recognizer.general().guess_hints([*pictures, broken])
    assert (hints.min_captcha, hints.max_captcha) == (4, 4)
    assert {*"2345678"} <= {*str(hints.char_set)} <= {*DIGITS}
    assert Recognizer.general().recognize(pictures[0], hints).text == pictures[0].stem


def test_all_lengths_are_taken_where_each_is_rare() -> None:
    readings = read(["1" * length for length in range(1, 41)])
    assert guess(EVERYTHING, readings) == Hints("1", 1, 40)
    twice = read(["1" * length for length in range(10, 31) for _ in range(2)], confidence=0.0)
    hints = guess(EVERYTHING, twice)
    assert (hints.min_captcha, hints.max_captcha) == (10, 30)


@pytest.mark.parametrize("kind", ["text", "path", "bytes", "file", "grey", "colour", "Pillow", "None", "number"])
def test_one_picture_says_nothing_of_others(tmp_path: Path, kind: str) -> None:
    path = draw("01", tmp_path / "01.png")
    with path.open("rb") as file, Image.open(path) as picture:
        one = {
            "text": str(path),
            "path": path,
            "bytes": path.read_bytes(),
            "file": file,
            "grey": np.asarray(picture.convert("L")),
            "colour": np.asarray(picture),
            "Pillow": picture,
            "None": None,
            "number": 5,
        }[kind]
        with pytest.raises(TypeError, match=r"^expected several pictures, such as a list of paths; got "):
            Recognizer.general().guess_hints(one)  # type: ignore[arg-type]


def test_array_of_four_axes_is_several_pictures() -> None:
    assert Recognizer.general().guess_hints(np.zeros((2, 24, 60, 1), np.uint8)) == NO_HINTS
    assert Recognizer.general().guess_hints(iter([])) == NO_HINTS
