import numpy as np
import pytest
import tensorflow as tf

from cnnlib.training.augment import augment, erase
from cnnlib.training.order import change_keys

KEYS = tf.constant(change_keys(np.arange(64), 0))


def letters() -> np.ndarray:
    """Eight white pictures with a black L left of the middle."""
    pictures = np.full((8, 60, 100, 1), 255, np.uint8)
    pictures[:, 20:40, 30:34] = 0
    pictures[:, 36:40, 30:44] = 0
    return pictures


def test_shape_type_and_background_are_kept() -> None:
    changed = augment(letters(), KEYS[:8], 1.0).numpy()
    assert (changed.shape, changed.dtype) == ((8, 60, 100, 1), np.uint8)
    assert (changed[:, :5] >= 254).all(), "what comes in from outside repeats the edge"


def test_key_of_a_picture_decides_its_changes() -> None:
    first = augment(letters(), KEYS[:8], 1.0).numpy()
    assert (augment(letters(), KEYS[:8], 1.0).numpy() == first).all()
    assert (augment(letters(), KEYS[8:16], 1.0).numpy() != first).any()
    assert (first[0] != first[1]).any(), "each picture of a batch is changed by itself"
    assert (augment(letters()[:3], KEYS[2:5], 1.0).numpy() == first[2:5]).all(), "in whatever batch it comes"


def test_strength_zero_changes_nothing() -> None:
    assert (np.asarray(augment(letters(), KEYS[:8], 0.0)) == letters()).all()


def test_nothing_is_flipped() -> None:
    """The foot of the L stays right of its stem and below its top, at three times the strength."""
    for picture in augment(letters(), KEYS[:8], 3.0).numpy()[..., 0] < 128:
        rows = np.flatnonzero(picture.any(axis=1))
        top, foot = picture[rows[0] : rows[0] + 4], picture[rows[-1] - 3 : rows[-1] + 1]
        assert np.flatnonzero(foot.any(axis=0)).max() > np.flatnonzero(top.any(axis=0)).max()


def test_erased_rectangles_take_the_mean_colour_and_leave_the_rest() -> None:
    before = np.random.default_rng(0).integers(0, 256, (64, 30, 90, 3), np.uint8)
    after = erase(before, KEYS, 1.0).numpy()
    changed = (before != after).any(axis=-1)
    means = np.broadcast_to(before.mean(axis=(1, 2), keepdims=True).astype(np.uint8), before.shape)
    assert (after[changed] == means[changed]).all()
    assert 0.02 < changed.mean() < 0.2, "three rectangles of up to 13x13 pixels"
    assert changed.any(axis=(1, 2)).mean() > 0.9, "in nearly every picture"
    assert (changed[0] != changed[1]).any(), "each picture of a batch by itself"
    assert (changed[..., :30].mean(), changed[..., 60:].mean()) == pytest.approx((changed.mean(),) * 2, rel=0.4)


def test_rectangles_of_a_picture_do_not_depend_on_its_batch() -> None:
    before = np.random.default_rng(0).integers(0, 256, (64, 30, 90, 3), np.uint8)
    assert (erase(before[7:9], KEYS[7:9], 1.0).numpy() == erase(before, KEYS, 1.0).numpy()[7:9]).all()


def test_wider_pictures_have_more_erased_and_weak_changes_erase_less() -> None:
    def erased(width: int, strength: float) -> float:
        pictures = np.zeros((64, 30, width, 1), np.uint8)
        pictures[:, ::2] = 255
        return float((erase(pictures, KEYS, strength).numpy() == 127).mean())

    assert erased(10, 1.0) < erased(30, 1.0)
    assert erased(300, 1.0) == pytest.approx(erased(30, 1.0), rel=0.4)
    assert erased(90, 4.0) == erased(90, 1.0) > 3 * erased(90, 0.5) > 0
    assert erased(90, 0.0) == 0
