from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlib.codec.characters import normalise
from cnnlib.codec.filenames import file_name, label_of
from cnnlib.core.errors import SampleError
from cnnlib.data.folders import save_picture


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


def test_pictures_of_one_reading_do_not_write_over_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5)  # a clock that ticks slowly
    paths = [save_picture(tmp_path / "new", "a/b", "png", bytes([n])) for n in range(3)]
    assert [path.name for path in paths] == ["a%2Fb_5.png", "a%2Fb_6.png", "a%2Fb_7.png"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]


def test_reading_of_dots_and_slashes_stays_in_its_folder(tmp_path: Path) -> None:
    assert (tmp_path / file_name("../..", 1, "png")).parent == tmp_path
