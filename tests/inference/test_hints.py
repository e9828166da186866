from typing import Any

import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.core.errors import ConfigError
from cnnlib.inference.compatibility import everything
from cnnlib.inference.hints import Hints, Reading
from tests.model_cards import card_of

CARD = card_of(characters=tuple("aAb1"), max_captcha=3, min_captcha=1)


def answer(*rows: dict[str, float]) -> np.ndarray:
    """Probabilities of columns, each given by its characters, `_` for the blank."""
    classes = [*CARD.characters, "_"]
    return np.array([[row.get(each, 0.0) for each in classes] for row in rows], np.float32)


# Read as it is, this is "A1": a blank parts the columns of the two.
ONE = answer({"A": 0.5, "a": 0.4, "1": 0.1}, {"_": 1.0}, {"1": 0.6, "b": 0.4}, {"_": 0.9, "b": 0.1})


def read(hints: Hints, probabilities: np.ndarray = ONE) -> str:
    return everything(CARD).narrowed(hints).decode(probabilities).text


@pytest.mark.parametrize(
    ("hints", "text"),
    [
        (Hints(), "A1"),
        (Hints(char_set="ab"), "ab"),
        (Hints(char_set="1"), "11"),
        (Hints(max_captcha=1), "1"),
        (Hints(min_captcha=3), "A1b"),
        (Hints(ignore_case=True), "a1"),
        (Hints(ignore_case=True, char_set="A1"), "a1"),
        (Hints(ignore_case=True, char_set="Ab"), "ab"),
    ],
)
def test_only_what_fits_the_hints_is_read(hints: Hints, text: str) -> None:
    assert read(hints) == text


def test_characters_of_two_code_points_are_composed() -> None:
    reading = everything(card_of(characters=("e", "\u00e9", "x"), max_captcha=1))
    assert reading.narrowed(Hints(char_set="e\u0301x")).characters == "\u00e9x"


def test_both_cases_of_a_letter_add_up() -> None:
    probabilities = answer({"b": 0.4, "a": 0.35, "A": 0.25})
    assert read(Hints(), probabilities) == "b"
    prediction = everything(CARD).narrowed(Hints(ignore_case=True)).decode(probabilities)
    assert (prediction.text, prediction.confidence) == ("a", pytest.approx(0.6, abs=1e-6))


def test_temperature_changes_the_confidence_of_a_text_alone() -> None:
    plain = everything(CARD).decode(ONE)
    tempered = everything(CARD.model_copy(update={"temperature": 2.0})).decode(ONE)
    assert (tempered.text, tempered.character_confidences) == (plain.text, plain.character_confidences)
    odds = plain.confidence / (1 - plain.confidence)
    assert tempered.confidence == pytest.approx(odds**0.5 / (1 + odds**0.5))


def test_answer_is_left_as_it_was() -> None:
    before = ONE.copy()
    read(Hints(ignore_case=True, char_set="A"))
    assert np.array_equal(before, ONE)


def test_letter_that_lower_case_would_make_two_stays() -> None:
    reading = everything(card_of(characters=("İ", "x"), max_captcha=1)).narrowed(Hints(ignore_case=True))
    assert reading.decode(np.array([[0.9, 0.0, 0.1]], np.float32)).text == "İ"


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        (Hints(char_set="az"), "char_set: expected characters that the model reads; got z"),
        (Hints(char_set=" a"), "expected characters that the model reads; got ' '$"),
        (Hints(char_set=""), "char_set: expected 1 or more characters; got none"),
        (Hints(min_captcha=4), "expected some of the model's lengths, 1 to 3; got 4 to 3"),
        (Hints(min_captcha=3, max_captcha=2), "expected some of the model's lengths, 1 to 3; got 3 to 2"),
        (Hints(max_captcha=0), "expected some of the model's lengths, 1 to 3; got 0 to 0"),
        (Hints(views=4), "views: expected 1 to 3; got 4"),
    ],
)
def test_hints_that_nothing_fits_are_refused(hints: Hints, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        everything(CARD).narrowed(hints)


def test_model_without_a_fewest_length_reads_one_character_or_more() -> None:
    with pytest.raises(ConfigError, match="expected some of the model's lengths, 0 to 3; got 0 to 0"):
        everything(card_of(characters=("a", "b"), max_captcha=3)).narrowed(Hints(max_captcha=0))


@pytest.mark.parametrize("characters", ["ABC1", "abc1"])
def test_characters_of_either_case_are_known_where_case_is_ignored(characters: str) -> None:
    reading = everything(card_of(characters=tuple(characters))).narrowed(Hints(ignore_case=True))
    for char_set in ("aC", "Ac"):
        assert reading.narrowed(Hints(char_set=char_set)).characters == characters[0] + characters[2]
    with pytest.raises(ConfigError, match=r"got d$"):
        reading.narrowed(Hints(char_set="ad"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("min_captcha", "4"), ("max_captcha", 4.5), ("views", "2"), ("views", -1), ("max_captcha", True)],
)
def test_hints_of_another_type_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name}: expected a whole number; got {value!r}$"):
        Hints(**{name: value})


@pytest.mark.parametrize("value", ["yes", "no", 1])
def test_ignored_case_is_true_or_false(value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^ignore_case: expected True or False; got {value!r}$"):
        Hints(ignore_case=value)
    assert Hints(ignore_case=np.bool_(True)).ignore_case


@pytest.mark.parametrize("value", [5, [1], b"ab"])
def test_characters_of_another_type_are_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^char_set: expected a text, or a list of characters; got "):
        Hints(char_set=value)


def test_characters_may_come_one_by_one() -> None:
    assert Hints(char_set=["1", "2"]) == Hints(char_set="12")
    assert everything(CARD).narrowed(Hints(max_captcha=np.int64(2))).lengths == (1, 2)


def test_hints_only_narrow() -> None:
    folded = everything(CARD).narrowed(Hints(ignore_case=True, char_set="ab"))
    assert folded.narrowed(Hints(ignore_case=False)) == folded
    narrow = everything(CARD).narrowed(Hints(char_set="ab", max_captcha=2))
    assert narrow.narrowed(Hints(min_captcha=2, max_captcha=9)).lengths == (2, 2)
    with pytest.raises(ConfigError, match=r"got 1$"):
        narrow.narrowed(Hints(char_set="a1"))


def test_known_hints_count_more_than_others() -> None:
    assert Hints(views=2).over(Hints(char_set="a", views=1)) == Hints(char_set="a", views=2)
    assert Hints(ignore_case=False).over(Hints(ignore_case=True)).ignore_case is False


def test_many_classes_are_narrowed_in_little_memory() -> None:
    characters = tuple(chr(0x4E00 + number) for number in range(3755))
    reading = Reading(Alphabet(characters), "columns", "".join(characters), (1, 4)).narrowed(
        Hints(char_set=characters[7])
    )
    probabilities = np.full((4, 3756), 1 / 3756, np.float32)
    assert set(reading.decode(probabilities).text) == {characters[7]}
