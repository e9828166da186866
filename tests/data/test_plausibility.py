import random
import string

import pytest

from cnnlib.data.plausibility import causes, mixed_case, rare_characters


def texts(count: int, characters: str = string.digits, lengths: tuple[int, int] = (4, 4), seed: int = 0) -> list[str]:
    chance = random.Random(seed)
    return ["".join(chance.choices(characters, k=chance.randint(*lengths))) for _ in range(count)]


USUAL = texts(200, string.ascii_lowercase + string.digits)


@pytest.mark.parametrize(
    ("label", "cause"),
    [
        ("Screenshot from 2024-05-06 at noon", "a blank inside"),
        (" a2c4", "a blank at its end"),
        ("a2c4 ", "a blank at its end"),
        ("a2\xa0c", r"it has \xa0 (NO-BREAK SPACE)"),
        ("a2\u3000c", r"it has \u3000 (IDEOGRAPHIC SPACE)"),
        ("a2c\ufe0f", r"it has \ufe0f (VARIATION SELECTOR-16)"),
        ("a2c\u3164", r"it has \u3164 (HANGUL FILLER)"),
        ("abx\u0302", r"it has \u0302, an accent as a character of its own"),
        ("a2c４", "'４' (U+FF14) looks like '4'"),
        ("ａ2c4", "'ａ' (U+FF41) looks like 'a'"),
        ("\u0430bcd", "it mixes Cyrillic and Latin letters"),
        ("a2c4 (1)", "'(1)' is likely the mark of a copy"),
        ("a2c4 - Copy", "'- Copy' is likely the mark of a copy"),
        ("ab_4", "an underscore inside"),
        ("a2c", "a length of 3, as in 1 of 201 labels"),
        ("a2c4e6", "a length of 6, as in 1 of 201 labels"),
        ("a2c€", "'€' is in 1 of 201 labels"),
        ("A2c4", "'A' is in 1 of 201 labels"),
    ],
)
def test_label_that_is_likely_wrong_has_its_cause(label: str, cause: str) -> None:
    *others, found = causes([*USUAL, label])
    assert set(others) == {None}
    assert str(found).startswith(cause)


@pytest.mark.parametrize("upper", [0.05, 0.1])
def test_letters_of_one_case_in_a_tenth_of_the_labels(upper: float) -> None:
    chance = random.Random(1)
    labels = [label.upper() if chance.random() < upper else label for label in texts(400, string.ascii_lowercase)]
    found = causes(labels)
    assert [cause is not None for cause in found] == [label.isupper() for label in labels]
    assert causes([label.swapcase() for label in labels])[0] is None or labels[0].isupper()


def test_two_strays_among_forty_are_found_as_well_as_one() -> None:
    assert [cause is not None for cause in causes([*texts(40), "holiday", "holiday"])] == [*[False] * 40, True, True]


@pytest.mark.parametrize("seed", range(40))
def test_labels_of_generators_are_in_no_doubt(seed: int) -> None:
    chance = random.Random(seed)
    characters = chance.choice(["01", string.digits, string.ascii_lowercase, string.ascii_letters + string.digits])
    least = chance.choice([1, 3, 4])
    labels = texts(chance.choice([3, 12, 40, 200, 800]), characters, (least, least + chance.choice([0, 0, 1, 3])), seed)
    assert set(causes(labels)) == {None}


def test_large_alphabets_whose_characters_are_all_rare_are_in_no_doubt() -> None:
    characters = "".join(chr(0x4E00 + number) for number in range(3000))
    assert set(causes(texts(1000, characters))) == {None}


def test_blanks_and_full_width_digits_are_right_where_all_labels_have_them() -> None:
    assert set(causes([f"{label[:2]} {label[2:]}" for label in texts(50)])) == {None}
    assert set(causes(texts(50, "０１２３４５６７８９"))) == {None}


def test_accepted_characters_are_in_no_doubt_and_moved_labels_count() -> None:
    labels = [*texts(40), "a2c4"]
    assert causes(labels)[-1] is not None
    assert set(causes(labels, accepted="0123456789ac")) == {None}
    assert causes(["a2c4"], known=texts(40))[0] is not None
    assert causes(["a2c4"])[0] is None


def test_characters_seen_fewer_than_ten_times_are_counted() -> None:
    assert rare_characters(["a" * 10, "b" * 9, "c"]) == {"c": 1, "b": 9}


def test_labels_of_either_case_that_hardly_mix_them_are_said() -> None:
    lower, upper = texts(30, "abcd"), texts(20, "ABCD", seed=1)
    said = mixed_case([*lower, *upper, "aBcd"])
    assert said
    assert said.startswith("20 labels are in upper case, 30 in lower case, and 1 in both: ")


def test_labels_whose_letters_have_their_case_by_chance_are_fine() -> None:
    assert mixed_case(texts(200, "abcdABCD")) is None
    assert mixed_case(texts(200, "abcd")) is None
    assert mixed_case(texts(200)) is None
    assert mixed_case([]) is None
