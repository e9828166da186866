import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.core.errors import ConfigError, SampleError

ABC = Alphabet(tuple("abc"))


def answer(*rows: tuple[int, float]) -> np.ndarray:
    """Probabilities with the given best class and its probability in each row."""
    result = np.empty((len(rows), ABC.classes), np.float32)
    for row, (best, share) in enumerate(rows):
        result[row] = (1 - share) / (ABC.classes - 1)
        result[row, best] = share
    return result


def test_encode_fills_up_with_the_blank_and_text_undoes_it() -> None:
    numbers = ABC.encode("ca", 4)
    assert numbers.tolist() == [2, 0, 3, 3]
    assert numbers.dtype == np.int32
    assert ABC.text(numbers) == "ca"


def test_encode_names_unknown_characters_and_long_labels() -> None:
    with pytest.raises(SampleError, match="label 'axyx': not in the alphabet: x y"):
        ABC.encode("axyx", 4)
    with pytest.raises(SampleError, match="expected at most 2 characters \\(max_captcha\\); got 3"):
        ABC.encode("abc", 2)


def test_positions_are_read_one_by_one() -> None:
    prediction = ABC.decode(answer((0, 0.9), (0, 0.8), (3, 0.7)), "positions", (0, 3))
    assert prediction.text == "aa"
    assert prediction.character_confidences == pytest.approx((0.9, 0.8))
    assert prediction.confidence == pytest.approx(0.9 * 0.8 * 0.7)


def test_columns_merge_repeats_unless_a_blank_separates_them() -> None:
    prediction = ABC.decode(answer((0, 0.6), (0, 0.9), (3, 0.5), (0, 0.8), (1, 0.7), (3, 0.9)), "columns", (0, 6))
    assert prediction.text == "aab"
    assert prediction.character_confidences == pytest.approx((0.9, 0.8, 0.7))


def test_blank_alone_is_the_empty_text() -> None:
    assert ABC.decode(answer((3, 0.9), (3, 0.9)), "columns", (0, 2)).text == ""


def test_doubled_character_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than one of a"):
        Alphabet(("a", "a"))
