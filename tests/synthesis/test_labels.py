import re
from collections import Counter

import numpy as np
import pytest

from cnnlib.config import CaptchaConfig, load_captcha_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.synthesis.labels import (
    ARITHMETIC_SHARE,
    alphabets_of,
    draw_label,
    draw_length,
    draw_word,
    has_arithmetic,
)
from tests.helpers import captcha_config

LOOKS = load_captcha_config(PROJECT_ROOT / "conf/general_captcha_config.json")
EXPRESSION = re.compile(r"\d{1,3}([-+×÷*/]\d{1,3}){1,2}(=\??)?")


def labels(config: CaptchaConfig, count: int) -> list[str]:
    rng = np.random.default_rng(1)
    return [draw_label(rng, config.characters, config.lengths, 2.5)[0] for _ in range(count)]


def is_expression(label: str) -> bool:
    return bool({*label} & {*"+-×÷*/=?"})


def test_labels_have_the_characters_and_lengths_of_the_config() -> None:
    drawn = labels(LOOKS, 3000)
    assert {len(label) for label in drawn} == {*range(1, 13)}
    assert {*"".join(drawn)} == {*LOOKS.characters}


def test_a_label_stays_in_the_alphabet_that_is_named_with_it() -> None:
    rng = np.random.default_rng(2)
    for _ in range(500):
        label, alphabet = draw_label(rng, LOOKS.characters, LOOKS.lengths, 2.5)
        assert {*label} <= {*alphabet} <= {*LOOKS.characters}


def test_whole_alphabets_are_drawn_and_not_each_character_from_all() -> None:
    drawn = [label for label in labels(LOOKS, 4000) if len(label) >= 4 and not is_expression(label)]
    shares = Counter(
        "digits" if label.isdigit() else "lower" if label.isalpha() and label.islower() else "other" for label in drawn
    )
    assert 0.17 < shares["digits"] / len(drawn) < 0.24  # of all 62 characters, less than 0.001 would be
    assert 0.11 < shares["lower"] / len(drawn) < 0.18


def test_expressions_are_well_formed_and_stand_as_they_are_read() -> None:
    drawn = [label for label in labels(LOOKS, 5000) if is_expression(label)]
    assert 0.8 * ARITHMETIC_SHARE < len(drawn) / 5000 < 1.2 * ARITHMETIC_SHARE
    assert [label for label in drawn if not EXPRESSION.fullmatch(label)] == []
    assert {*"+-×÷*/=?"} <= {*"".join(drawn)}


@pytest.mark.parametrize("characters", ["0123456789", "abc+", "012345678+", "天地"])
def test_without_digits_and_an_operator_there_is_no_arithmetic(characters: str) -> None:
    config = captcha_config(characters=characters)
    assert not has_arithmetic(config.characters, config.lengths)
    assert {*"".join(labels(config, 300))} == {*characters}


def test_too_short_labels_leave_arithmetic_out() -> None:
    config = captcha_config(characters="0123456789+", char_count=2)
    assert not has_arithmetic(config.characters, config.lengths)
    assert all(len(label) == 2 for label in labels(config, 100))


def test_expressions_keep_the_lengths_of_the_config() -> None:
    config = captcha_config(characters="0123456789+", char_count=3)
    drawn = [label for label in labels(config, 1000) if "+" in label]
    assert drawn
    assert {len(label) for label in drawn} == {3}


def test_character_named_twice_is_drawn_twice_as_often() -> None:
    counts = Counter("".join(labels(captcha_config(characters="aab"), 2000)))
    assert 1.5 < counts["a"] / counts["b"] < 2.5


def test_alphabets_with_less_than_two_characters_are_left_out() -> None:
    assert set(alphabets_of("ab7", range(4, 5))) == {"lower", "lower and digits", "letters", "hex"} | {
        "distinct",
        "every",
        "few",
    }


def test_usual_lengths_are_drawn_most() -> None:
    rng = np.random.default_rng(3)
    counts = Counter(draw_length(rng, range(1, 13), 2.5) for _ in range(4000))
    assert counts[5] > 2 * counts[1] > counts[12] > 0


def test_words_alternate_between_consonants_and_vowels() -> None:
    rng = np.random.default_rng(4)
    words = [draw_word(rng, [*"abcdefghijklmnopqrstuvwxyz"], range(2, 13)) for _ in range(500)]
    assert {len(word) for word in words} == {*range(2, 13)}
    for word in words:
        assert not re.search(r"[bcdfghjklmnpqrstvwxz]{3}|[aeiou]{3}", word)
    letters = Counter("".join(words))
    assert letters["e"] > 1.5 * letters["u"]
    assert letters["n"] > 2 * letters["q"] > 0


def test_some_labels_of_letters_are_words() -> None:
    drawn = [label for label in labels(LOOKS, 6000) if re.fullmatch("[a-z]{8,}|[A-Z]{8,}", label)]
    words = [label for label in drawn if not re.search("[bcdfghjklmnpqrstvwxz]{3}|[aeiou]{3}", label.lower())]
    assert 0.3 < len(words) / len(drawn) < 0.9, "of even letters, one in twenty"


@pytest.mark.parametrize("letters", ["bcd", "aei", "日本語", "бвг"])
def test_letters_without_consonants_or_vowels_make_no_words(letters: str) -> None:
    assert draw_word(np.random.default_rng(5), [*letters], range(4, 5)) == ""


def test_words_are_of_the_letters_that_are_given() -> None:
    rng = np.random.default_rng(6)
    assert {*"".join(draw_word(rng, [*"ABE"], range(4, 8)) for _ in range(50))} == {*"ABE"}
