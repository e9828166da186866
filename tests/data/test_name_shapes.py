import random
from collections.abc import Callable

import pytest

from cnnlib.data.name_shapes import read_names, strip_copy_mark

MARKS = [
    " (1)",
    "(12)",
    "（2）",
    " - Copy",
    " - Copy (2)",
    " copy",
    " copy 2",
    " (copy)",
    " (another copy)",
    " (3rd copy)",
]
MARKS += [" - Kopie", " - 副本", "的副本", " - copia (3)", "_copy"]


@pytest.mark.parametrize("mark", MARKS)
def test_marks_of_copies_are_no_part_of_a_label(mark: str) -> None:
    assert strip_copy_mark(f"2e8j{mark}") == "2e8j"
    assert strip_copy_mark(f"2e8j{mark} (1)") == "2e8j"


@pytest.mark.parametrize("stem", ["2e8j", "copy", "photocopy", "(1)", "2e8j_1", "副本", "2e8j (a)"])
def test_other_names_are_as_they_are(stem: str) -> None:
    assert strip_copy_mark(stem) == stem


def labels(count: int, characters: str) -> list[str]:
    return ["".join(random.Random(number).choices(characters, k=4)) for number in range(count)]


WORDS, DIGITS = labels(30, "abcdefgh2345"), labels(30, "0123456789")


@pytest.mark.parametrize("texts", [WORDS, DIGITS], ids=["letters", "digits"])
@pytest.mark.parametrize(
    "name",
    [
        lambda n, label: f"{label}_{n}",
        lambda _, label: f"{label}_1",
        lambda n, label: f"{label}_17322d3d4226f0b5c5a71d797d2ba7f{n % 8}",
        lambda n, label: f"{label}_16501243{n:02d}-000001",
        lambda _, label: f"{label}_2024-05-06",
        lambda _, label: label,
        lambda n, label: f"{n:04d}_{label}",
        lambda n, label: f"{n}_{label}",
        lambda _, label: f"captcha_{label}",
        lambda n, label: f"captcha_{n}_{label}",
        lambda n, label: f"captcha_{label}_{n}",
    ],
)
def test_label_is_found_wherever_it_stands(name: Callable[[int, str], str], texts: list[str]) -> None:
    assert [named.label for named in read_names([name(n, label) for n, label in enumerate(texts)])] == texts


@pytest.mark.parametrize("texts", [WORDS, DIGITS], ids=["letters", "digits"])
@pytest.mark.parametrize("sign", ["-", " ", ".", " - "])
@pytest.mark.parametrize("others", [0, 5, 90])
def test_other_signs_divide_names_also_among_plain_ones(sign: str, texts: list[str], others: int) -> None:
    plain = labels(others, "uvwxyz6789")
    names = [f"{label}{sign}{n % 7}" for n, label in enumerate(texts)] + plain
    assert [named.label for named in read_names(names)] == [*texts, *plain]


def test_parts_of_a_date_are_no_label() -> None:
    names = [f"{label}_20240506_{10_1010 + 977 * n}" for n, label in enumerate(WORDS)]
    assert [named.label for named in read_names(names)] == WORDS


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        ([f"IMG_{n:04d}" for n in range(9)], "all such names begin with 'IMG', which is likely no label"),
        ([f"DSC{n:05d}" for n in range(3, 9)], "the name is that of a camera or program"),
        ([f"IMG_20240506_{10_1010 + 977 * n}" for n in range(9)], "all such names begin with 'IMG'"),
        ([f"thing_{n:04d}" for n in range(9)], "all such names begin with 'thing'"),
        ([f"{n:04d}" for n in range(9)], "the name is a serial number"),
        ([f"{n}17322d3d4226f0b5" for n in range(9)], "the name is a serial number"),
        (["Screenshot 2024-05-06 101010", "微信图片(3)"], "the name is that of a camera or program"),
        (["captcha", *(f"captcha ({n})" for n in range(1, 9))], "the name is that of a camera or program"),
        (["Code (1)", "code - Copy"], "the name is that of a camera or program"),
        ([f"a{n % 4}b_c{n % 3}d_{n}" for n in range(9)], "two underscores: it is not clear which part is the label"),
    ],
)
def test_names_without_a_clear_label_have_none_and_a_cause(names: list[str], cause: str) -> None:
    for named in read_names(names):
        assert named.label is None
        assert named.cause.startswith(cause)


def test_names_of_a_camera_among_labelled_ones_are_told_apart() -> None:
    names = [f"{label}_{n}" for n, label in enumerate(WORDS)] + [f"IMG_{n:04d}" for n in range(5)]
    assert [named.label for named in read_names(names)] == [*WORDS, *[None] * 5]


def test_word_of_a_program_is_a_label_where_it_is_not_numbered() -> None:
    names = ["code", "test", "test (1)", *WORDS]
    assert [named.label for named in read_names(names)] == ["code", "test", "test", *WORDS]


def test_few_pictures_of_one_label_are_labelled() -> None:
    assert {named.label for named in read_names([f"01_{n}" for n in range(20)])} == {"01"}
    assert [named.label for named in read_names(["01_0", "10_2", "00_1"])] == ["01", "10", "00"]


@pytest.mark.parametrize("texts", [WORDS, DIGITS], ids=["letters", "digits"])
@pytest.mark.parametrize("sign", [*"~,$@&;!:^|+=", " & ", "—", "，", "～"])
def test_any_sign_divides_a_label_from_a_number(sign: str, texts: list[str]) -> None:
    assert [named.label for named in read_names([f"{label}{sign}{n}" for n, label in enumerate(texts)])] == texts
    assert [named.label for named in read_names([f"{n:04d}{sign}{label}" for n, label in enumerate(texts)])] == texts


def test_names_of_requests_hold_the_label_among_their_values() -> None:
    names = [f"label={label}&id={n}" for n, label in enumerate(WORDS)]
    assert [named.label for named in read_names(names)] == WORDS
    assert [named.label for named in read_names([f"{label}@2x" for label in WORDS])] == WORDS


@pytest.mark.parametrize(
    "names",
    [
        [f"{n}+{7 * n % 10}" for n in range(10)],
        [f"{11 + 7 * n % 10}+{n}=" for n in range(10)],
        [f"{3 * n % 17}+{n % 7}=?" for n in range(30)],
        [f"{label[:2]}${label[2:]}" for label in WORDS],
        [f"{label[:2]}={label[2:]}" for label in WORDS],
        ["abc-xyz", "abd-xyz", "abe-xya", "abf-xyb", "abg-xyc"],
    ],
)
def test_signs_without_a_number_beside_them_are_parts_of_labels(names: list[str]) -> None:
    assert [named.label for named in read_names(names)] == names
