import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlib.network.keyed_random import picture_keys
from cnnlib.network.layers import BatchNorm, Dropout, Place, Queries, Standardise


def test_standardised_picture_has_zero_mean_and_unit_spread_in_each_channel() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 20, 30, 3)).astype(np.uint8)
    pictures[..., 1] //= 8
    x = Standardise()(pictures).numpy()
    assert np.abs(x.mean(axis=(1, 2))).max() < 1e-3
    assert x.std(axis=(1, 2)) == pytest.approx(1, abs=0.15)
    assert not np.isnan(Standardise()(np.full((1, 4, 4, 1), 7, np.uint8)).numpy()).any()


@pytest.mark.parametrize("shape", [(8, 5, 7, 16), (8, 11, 16)])
def test_batch_norm_is_that_of_keras(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(2, 3, shape).astype(np.float32)
    ours, theirs = BatchNorm(), keras.layers.BatchNormalization(momentum=BatchNorm.momentum, epsilon=BatchNorm.epsilon)
    for training, tolerance in ((True, 1e-4), (True, 1e-4), (False, 0.05)):
        np.testing.assert_allclose(ours(x, training=training), theirs(x, training=training), atol=tolerance)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, atol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=2e-2)  # ours is the unbiased one


def test_batch_norm_keeps_half_precision_maps_and_float32_statistics() -> None:
    norm = BatchNorm(dtype="mixed_bfloat16")
    x = tf.cast(np.random.default_rng(0).normal(2, 3, (8, 5, 7, 16)), tf.bfloat16)
    assert norm(x, training=True).dtype == norm(x, training=False).dtype == tf.bfloat16
    assert {weight.dtype for weight in norm.weights} == {"float32"}


def test_dropout_keeps_the_mean_and_follows_the_keys_of_the_pictures() -> None:
    layer, x = Dropout(0.25, name="first"), np.ones((64, 9, 32), np.float32)
    keys = tf.constant(np.random.default_rng(0).integers(0, 2**32, 64, np.uint32))
    with picture_keys(keys):
        dropped = layer(x, training=True).numpy()
        assert (Dropout(0.25, name="second")(x, training=True).numpy() != dropped).any()
    with picture_keys(keys[10:20]):
        assert (layer(x[10:20], training=True).numpy() == dropped[10:20]).all()
    assert dropped.mean() == pytest.approx(1, abs=0.02)
    assert np.unique(dropped) == pytest.approx([0, 1 / 0.75])
    assert (layer(x, training=False).numpy() == x).all()


def test_dropout_without_keys_draws_anew_at_each_call() -> None:
    layer, x = Dropout(0.25), np.ones((64, 9, 32), np.float32)
    first, second = (layer(x, training=True).numpy() for _ in range(2))
    assert (first != second).any()
    assert first.mean() == pytest.approx(1, abs=0.02)


def test_dropout_keeps_half_precision() -> None:
    x = tf.ones((4, 8), tf.bfloat16)
    with picture_keys(tf.constant(np.arange(4, dtype=np.uint32))):
        assert Dropout(0.25, dtype="mixed_bfloat16")(x, training=True).dtype == tf.bfloat16


def test_place_adds_one_learned_vector_to_each_place() -> None:
    layer = Place()
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    added = layer(x).numpy() - x
    np.testing.assert_allclose(added, np.broadcast_to(layer.place.numpy(), x.shape), atol=1e-6)
    assert layer.place.shape == (5, 4)


def test_each_query_takes_the_mean_of_the_places_it_looks_at() -> None:
    layer = Queries(2)
    x = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    assert layer(x).shape == (3, 2, 4)
    layer.place.assign(np.zeros((5, 4)))
    layer.query.assign(np.zeros((2, 4)))  # it looks at all places alike
    np.testing.assert_allclose(layer(x).numpy(), np.repeat(x.mean(axis=1, keepdims=True), 2, axis=1), atol=1e-6)
    layer.query.assign(1000 * x[0, [1, 4]])  # each looks at the place that is most like it
    expected = [x[0, (x[0] @ x[0, number]).argmax()] for number in (1, 4)]
    np.testing.assert_allclose(layer(x).numpy()[0], expected, atol=1e-4)
