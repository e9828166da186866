import threading

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.network.keyed_random import chosen, current_keys, picture_keys, uniform

KEYS = tf.constant(np.random.default_rng(0).integers(0, 2**32, 256, np.uint32))


def test_numbers_are_uniform_and_independent() -> None:
    drawn = uniform(KEYS, 200, "a").numpy()
    assert drawn.shape == (200, 256)
    assert (drawn.min(), drawn.max()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert drawn.max() < 1
    assert np.histogram(drawn, 10, (0, 1))[0] / drawn.size == pytest.approx(0.1, abs=0.006)
    between = np.corrcoef(drawn) - np.eye(200)
    assert np.abs(between).max() < 0.35, "five standard deviations of 256 numbers"


def test_neighbouring_keys_draw_unlike_numbers() -> None:
    drawn = uniform(tf.constant(np.arange(256, dtype=np.uint32)), 200, "a")
    assert np.abs(np.corrcoef(drawn.numpy().T) - np.eye(256)).max() < 0.4


def test_numbers_follow_from_key_and_stream_alone() -> None:
    drawn = uniform(KEYS, 9, "a").numpy()
    assert (uniform(KEYS[5:7], 9, "a").numpy() == drawn[:, 5:7]).all()
    assert (uniform(KEYS, 4, "a").numpy() == drawn[:4]).all()
    assert (uniform(KEYS, 9, "b").numpy() != drawn).all()


def test_chosen_share_is_right_in_each_picture_and_at_each_place() -> None:
    mask = chosen(KEYS, (25, 64), 0.1, "a").numpy()
    assert mask.shape == (256, 25, 64)
    assert mask.mean(axis=(1, 2)) == pytest.approx(0.1, abs=0.04)
    assert mask.mean(axis=0) == pytest.approx(0.1, abs=0.1)
    between = np.corrcoef(mask.reshape(256, -1)) - np.eye(256)
    assert np.abs(between).max() < 0.15
    assert (chosen(KEYS[3:5], (25, 64), 0.1, "a").numpy() == mask[3:5]).all()
    assert (chosen(KEYS, (25, 64), 0.1, "b").numpy() != mask).any()


def test_keys_hold_inside_the_block_and_in_its_thread() -> None:
    seen = []
    with picture_keys(KEYS):
        with picture_keys(KEYS[:2]):
            assert len(current_keys()) == 2
        assert len(current_keys()) == 256
        thread = threading.Thread(target=lambda: seen.append(current_keys()))
        thread.start()
        thread.join()
    assert [*seen, current_keys()] == [None, None]
