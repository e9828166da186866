import pytest

from cnnlib.evaluation.metrics import accuracy, align, character_accuracies, confusions, interval


def test_pictures_and_characters_are_counted_separately() -> None:
    result = accuracy(["abcd", "abcd"], ["abcd", "abxd"])
    assert (result.pictures, result.picture, result.character) == (2, 0.5, 7 / 8)


def test_missing_and_surplus_characters_are_wrong() -> None:
    assert accuracy(["ab"], ["a"]).character == 1 / 2
    assert accuracy(["ab"], ["abab"]).character == 2 / 4
    assert accuracy(["ab"], [""]).character == 0


def test_no_pictures_have_no_accuracy() -> None:
    assert accuracy([], []).picture == 0
    assert interval(0, 0) == (0, 1)


def test_interval_is_wilsons() -> None:
    low, high = interval(0.9, 500)  # worked out by hand from the formula
    assert (low, high) == pytest.approx((0.8706, 0.9234), abs=1e-4)
    assert interval(1.0, 100)[1] == pytest.approx(1.0)
    assert interval(1.0, 100)[0] == pytest.approx(0.9630, abs=1e-4)


def test_confusions_come_with_the_most_frequent_first() -> None:
    assert confusions(["0o", "0o", "ab", "abc"], ["oo", "oa", "aa", "xb"]) == [
        ("0", "o", 2),
        ("a", "x", 1),
        ("b", "a", 1),
        ("c", "", 1),
        ("o", "a", 1),
    ]


@pytest.mark.parametrize(
    ("label", "text", "pairs"),
    [
        ("abc", "abc", "aa bb cc"),
        ("abc", "ac", "aa b- cc"),
        ("ac", "abc", "aa -b cc"),
        ("abcd", "xcd", "a- bx cc dd"),
        ("", "a", "-a"),
        ("a", "", "a-"),
    ],
)
def test_characters_are_aligned_by_the_fewest_changes(label: str, text: str, pairs: str) -> None:
    assert align(label, text) == [(a.strip("-"), b.strip("-")) for a, b in pairs.split()]


def test_accuracy_by_character() -> None:
    assert character_accuracies(["aab", "b"], ["axb", ""]) == {"a": 0.5, "b": 0.5}
    assert character_accuracies(["abcd"], ["bcd"]) == {"a": 0.0, "b": 1.0, "c": 1.0, "d": 1.0}
