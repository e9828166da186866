import itertools

import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.decoding import DECODERS, Decoding

ABC = Alphabet(tuple("abc"))


@pytest.mark.parametrize("text", ["", "a", "aa", "ab", "aba", "abc"])
def test_confidence_of_columns_is_the_sum_over_every_path(text: str) -> None:
    """Held against every one of the 4^5 paths through five columns."""
    probabilities = np.random.default_rng(3).dirichlet(np.ones(4), 5)
    numbers = [ABC.characters.index(character) for character in text]
    expected = 0.0
    for path in itertools.product(range(4), repeat=5):
        merged = [number for number, _ in itertools.groupby(path) if number != ABC.blank]
        if merged == numbers:
            expected += float(np.prod([probabilities[column, number] for column, number in enumerate(path)]))
    confidence = DECODERS["columns"].confidence(probabilities, numbers, ABC.blank)
    assert confidence == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("lengths", [(1, 1), (2, 2), (3, 3), (1, 2), (0, 3)])
def test_columns_take_the_best_path_of_a_length(seed: int, lengths: tuple[int, int]) -> None:
    """Held against every one of the 4^5 paths through five columns."""
    decoder = DECODERS["columns"]
    probabilities = np.random.default_rng(seed).dirichlet(np.full(4, 0.3), 5)
    fitting = [
        path
        for path in itertools.product(range(4), repeat=5)
        if lengths[0] <= len(decoder.rows([*path], ABC.blank)) <= lengths[1]
    ]
    expected = max(np.log(probabilities[range(5), path] + 1e-12).sum() for path in fitting)
    path = decoder.path(probabilities, lengths)
    assert lengths[0] <= len(decoder.rows(path, ABC.blank)) <= lengths[1]
    assert np.log(probabilities[range(5), path] + 1e-12).sum() == pytest.approx(expected)


def test_position_without_a_character_takes_the_best_one() -> None:
    probabilities = np.array([[0.9, 0.1, 0, 0], [0.1, 0.3, 0.1, 0.5], [0, 0.1, 0, 0.9]], np.float32)
    assert [ABC.decode(probabilities, "positions", lengths).text for lengths in ((0, 3), (2, 3), (3, 3))] == [
        "a",
        "ab",
        "abb",
    ]


@pytest.mark.parametrize("lengths", [(2, 3), (3, 3)])
def test_positions_leave_no_gap_in_a_text(lengths: tuple[int, int]) -> None:
    probabilities = np.array([[0.99, 0, 0, 0.01], [0, 0.45, 0.05, 0.5], [0, 0, 0.999, 0.001]], np.float32)
    prediction = ABC.decode(probabilities, "positions", lengths)
    assert prediction.text == "abc"
    assert prediction.confidence == pytest.approx(0.99 * 0.45 * 0.999)


@pytest.mark.parametrize("decoding", ["positions", "columns"])
def test_text_longer_than_allowed_loses_its_least_certain_character(decoding: Decoding) -> None:
    rows = {"positions": ["a", "b", "c"], "columns": ["a", "b", "_", "c"]}[decoding]
    probabilities = np.full((len(rows), 4), 0.01)
    for row, character in enumerate(rows):
        probabilities[row, "abc_".index(character)] = 0.97
    probabilities[rows.index("c")] = (0.01, 0.01, 0.5, 0.48)
    assert ABC.decode(probabilities, decoding, (0, 4)).text == "abc"
    prediction = ABC.decode(probabilities, decoding, (1, 2))
    assert prediction.text == "ab"
    assert prediction.confidence < 0.5


def test_text_of_an_allowed_length_is_left_as_it_is() -> None:
    probabilities = np.random.default_rng(5).dirichlet(np.ones(4), 5)
    greedy = ABC.decode(probabilities, "columns", (0, 5))
    assert ABC.decode(probabilities, "columns", (len(greedy.text), 3)) == greedy
