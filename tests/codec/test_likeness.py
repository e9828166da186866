import io

import numpy as np
import pytest
from PIL import Image

from cnnlib.codec.images import Shape, open_picture
from cnnlib.codec.likeness import SMALL, nearly_alike, small_of

CONTRASTS = np.where(np.arange(SMALL.width) % 4 < 2, 20, 220)  # so strong that a changed level changes no bit of a hash


def stripes(more: int = 0) -> np.ndarray:
    """A small version with vertical stripes, all of it brighter by some levels."""
    return np.tile((CONTRASTS + more)[np.newaxis, :, np.newaxis], (SMALL.height, 1, 3)).astype(np.uint8)


def dotted(levels: int, row: int = 7, column: int = 1) -> np.ndarray:
    """The stripes with one pixel brighter by some levels."""
    picture = stripes()
    picture[row, column] += levels
    return picture


@pytest.mark.parametrize(("levels", "alike"), [(0, True), (6, True), (8, False), (20, False)])
def test_pictures_that_differ_on_the_whole_are_not_alike(levels: int, alike: bool) -> None:
    assert nearly_alike(np.array([stripes(), stripes(levels)])) == ({1: 0} if alike else {})


@pytest.mark.parametrize(("levels", "alike"), [(0, True), (24, True), (28, False)])
def test_pictures_that_differ_in_one_place_are_not_alike(levels: int, alike: bool) -> None:
    """The contrast is 200 levels, of which 26 are allowed. On the whole, 28 levels in one pixel are 1.7."""
    expected = {1: 0} if alike else {}
    assert nearly_alike(np.array([stripes(), dotted(levels)])) == expected
    others = np.random.default_rng(0).integers(0, 256, (50, 16, 17, 3), np.uint8)
    others[:, 7, 1] = stripes()[7, 1]  # so that other pixels tell more pictures apart
    assert nearly_alike(np.array([stripes(), dotted(levels), *others])) == expected


@pytest.mark.parametrize("column", [1, 5])
def test_first_one_counts_where_a_later_one_has_a_hash_of_its_own(column: int) -> None:
    for row in range(SMALL.height):
        assert nearly_alike(np.array([stripes(), dotted(9, row, column), stripes(1)])) == {1: 0, 2: 0}


def test_each_picture_is_found_with_the_first_of_its_likes() -> None:
    pictures = [stripes(), dotted(100), stripes(3), dotted(102), stripes(9), stripes(5)]
    assert nearly_alike(np.array(pictures)) == {2: 0, 3: 1, 4: 2, 5: 0}


def test_first_of_many_pictures_with_one_hash_is_found() -> None:
    """Their hashes are the same. The last is like the one before alone."""
    pictures = np.array([dotted(100)] * 300 + [dotted(60), dotted(62)])
    assert nearly_alike(pictures) == dict.fromkeys(range(1, 300), 0) | {301: 300}


@pytest.mark.parametrize("channels", [1, 3])
def test_small_version_of_a_decoded_picture_is_that_of_its_file(channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 120, channels), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels.squeeze()).save(file, "PNG")
    decoded = open_picture(file.getvalue(), Shape(50, 120, channels))
    assert np.array_equal(small_of(decoded), open_picture(file.getvalue(), SMALL))
