import pytest

from cnnlib.codec.alphabet import Prediction
from tests.benchmarks.keystrokes import keys_for


@pytest.mark.parametrize(
    ("label", "reading", "least", "keys"),
    [
        ("abcd", "abcd", 2, 1),  # Enter
        ("abcd", "abxd", 2, 2),  # c
        ("abcd", "xbcd", 3, 3),  # Home, a
        ("abcd", "xbcx", 0, 5),  # a, two arrows, d; or the cursor is moved by End and one arrow
        ("abcd", "abd", 2, 3),  # Insert, c
        ("abcd", "abcxd", 3, 2),  # Delete
        ("abcd", "abc", 0, 3),  # End, d
        ("abcd", "", 0, 5),  # typed from blank
        ("abcd", "wxyz", 0, 5),
        ("abcd", "wxyz", 3, 6),  # Home first
    ],
)
def test_keys_are_counted_as_the_page_takes_them(label: str, reading: str, least: int, keys: int) -> None:
    confidences = tuple(0.1 if number == least else 0.9 for number in range(len(reading)))
    assert keys_for(label, Prediction(reading, 0.5, confidences)) == keys
