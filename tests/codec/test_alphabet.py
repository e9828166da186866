import json
from pathlib import Path

import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.characters import alphabet_faults
from cnnlib.config import load_labels, save_labels
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


def test_positions_are_read_as_they_stand() -> None:
    prediction = ABC.decode(answer((0, 0.9), (0, 0.8), (3, 0.7)), "positions", (0, 3))
    assert prediction.text == "aa"
    assert prediction.character_confidences == pytest.approx((0.9, 0.8))
    assert prediction.confidence == pytest.approx(0.9 * 0.8 * 0.7)


def test_columns_merge_repeats_and_keep_what_a_blank_parts() -> None:
    prediction = ABC.decode(answer((0, 0.6), (0, 0.9), (3, 0.5), (0, 0.8), (1, 0.7), (3, 0.9)), "columns", (0, 6))
    assert prediction.text == "aab"
    assert prediction.character_confidences == pytest.approx((0.9, 0.8, 0.7))


def test_blank_alone_is_the_empty_text() -> None:
    assert ABC.decode(answer((3, 0.9), (3, 0.9)), "columns", (0, 2)).text == ""


def test_faults_of_an_alphabet() -> None:
    assert alphabet_faults("ab") == []
    assert alphabet_faults("a") == ["expected at least 2 characters; got 1"]
    assert alphabet_faults(["a", "bc", "\n"]) == ["expected single printable characters; got 'bc', '\\n'"]
    assert alphabet_faults("abab") == ["expected each character once; got more than one of a b"]
    with pytest.raises(ConfigError, match="more than one of a"):
        Alphabet(("a", "a"))


def test_labels_json_is_a_list_in_class_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    save_labels(path, Alphabet(tuple("天b1")))
    assert json.loads(path.read_text(encoding="utf-8")) == ["天", "b", "1"]
    assert load_labels(path).characters == ("天", "b", "1")


def test_older_labels_json_with_a_string_gives_no_quote_marks(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('"ab天"', encoding="utf-8")
    assert load_labels(path).characters == ("a", "b", "天")


def test_characters_of_several_code_points_are_composed(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    for content in (["e\u0301", "a"], "e\u0301a"):
        path.write_text(json.dumps(content), encoding="utf-8")
        assert load_labels(path).characters == ("é", "a")


@pytest.mark.parametrize("content", ["{}", "[1, 2]", "nothing", '["a", "a"]', "[" * 100_000])
def test_other_labels_json_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.json: "):
        load_labels(path)
