from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.codec.characters import normalise
from cnnlib.codec.filenames import file_name, has_suffix, label_of, stem_in, suffix_in
from cnnlib.core.errors import SampleError


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("2e8j_17322d.jpg", "2e8j"),
        ("a_b_1.png", "a_b"),
        ("a%2Fb_1.png", "a/b"),
        ("50%_1.png", "50%"),
        ("天地_7.png", "天地"),
        ("e\u0301\u1112\u1161\u11ab_1.png", "é한"),  # as older macOS writes names
    ],
)
def test_label_ends_at_the_last_underscore(name: str, label: str) -> None:
    assert label_of(name) == label


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("2e8j.png", "no underscore"),
        ("_1.png", "no label"),
        ("0%0A_1.png", r"invisible characters: '\\n'"),
        ("12_\udcfc.png", "UTF-8"),
    ],
)
def test_name_without_label_is_refused(name: str, message: str) -> None:
    with pytest.raises(SampleError, match=message):
        label_of(name)


@settings(deadline=None, derandomize=True)
@given(st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8))
def test_any_label_survives_its_file_name(label: str) -> None:
    name = file_name(label, 17, "png")
    assert label_of(name) == normalise(label)
    assert not set(name[:-7]) & set('/\\:*?"<>|.')


def test_text_of_dots_and_slashes_stays_in_its_folder(tmp_path: Path) -> None:
    assert (tmp_path / file_name("../..", 1, "png")).parent == tmp_path


@pytest.mark.parametrize(
    ("name", "stem", "suffix"),
    [
        ("01_1.png", "01_1", ".png"),
        ("01_1.tar.PNG", "01_1.tar", ".PNG"),
        (".png", ".png", ""),
        ("._01_1.png", "._01_1", ".png"),
        ("01_1", "01_1", ""),
        ("01_1.", "01_1.", ""),
    ],
)
def test_name_is_divided_before_its_last_dot(name: str, stem: str, suffix: str) -> None:
    assert (stem_in(name), suffix_in(name)) == (stem, suffix)
    assert has_suffix(name, "png") == has_suffix(Path("folder.png", name), "png") == (suffix.lower() == ".png")
