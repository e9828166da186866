import numpy as np
import pytest
import tensorflow as tf

from cnnlib.network.losses import consistency_loss


def test_consistency_loss_of_two_views_by_hand() -> None:
    first = np.log(np.array([[[0.5, 0.5], [0.9, 0.1]]], np.float32))
    second = np.log(np.array([[[0.8, 0.2], [0.9, 0.1]]], np.float32)) + 3  # scores are free of a constant
    forth = 0.5 * np.log(0.5 / 0.8) + 0.5 * np.log(0.5 / 0.2)
    back = 0.8 * np.log(0.8 / 0.5) + 0.2 * np.log(0.2 / 0.5)
    assert consistency_loss(first, second).numpy() == pytest.approx([(forth + back) / 2], rel=1e-5)
    assert consistency_loss(second, first).numpy() == pytest.approx([(forth + back) / 2], rel=1e-5)
    assert consistency_loss(first, first + 1).numpy() == pytest.approx([0], abs=1e-6)


def test_consistency_loss_pulls_each_view_towards_the_other() -> None:
    views = tf.constant([[[1.0, 0.0]]]), tf.constant([[[0.0, 0.0]]])
    with tf.GradientTape() as tape:
        tape.watch(views)
        apart = consistency_loss(*views)
    first, second = tape.gradient(apart, views)
    assert first[0, 0, 0] > 0 > second[0, 0, 0], "a step down the gradient brings them nearer"
