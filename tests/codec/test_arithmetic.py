import pytest

from cnnlib.codec.arithmetic import answer_of


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3+11=?", "14"),
        ("7*8=", "56"),
        ("12×4", "48"),
        ("7x2=?", "14"),
        ("8÷2=", "4"),
        ("3-5=", "-2"),
        ("-3+5", "2"),
        ("2+3*4", "14"),
        ("12/3/2", "2"),
        ("10-2-3", "5"),
        ("1 + 1 = ?", "2"),
    ],
)
def test_sum_has_its_answer(text: str, answer: str) -> None:
    assert answer_of(text) == answer


@pytest.mark.parametrize(
    "text",
    ["", "12", "12=", "abc", "a+b", "3+", "+", "4--5", "8/3", "1/0", "3=+4", "3+4=7", "１+２", "9" * 5000 + "+1"],
)
def test_other_texts_have_none(text: str) -> None:
    assert answer_of(text) is None
