import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlib.network.optimizer import LIKE_ADAM, Muon, matrix_shape, orthogonal


@pytest.mark.parametrize("shape", [(64, 16), (16, 64), (32, 32)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).normal(size=shape).astype(np.float32) * 100
    values = np.linalg.svd(orthogonal(tf.constant(matrix)).numpy(), compute_uv=False)
    assert values.min() > 0.5
    assert values.max() < 1.3


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((3, 3, 64, 128), (576, 128)), ((256, 4, 32), (256, 128)), ((4, 32, 256), (128, 256)), ((5, 7), (5, 7))],
)
def test_kernels_are_taken_as_the_squarest_matrix(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert matrix_shape(shape) == expected


def test_others_vectors_and_biases_are_updated_as_by_adamw() -> None:
    start = {"kernel": np.eye(4, 6), "gamma": np.ones(6), "bias": np.eye(4, 3), "classes": np.eye(6, 3)}
    after = {}
    for name, optimizer in (("muon", Muon(0.1, ["classes"])), ("adamw", keras.optimizers.AdamW(0.1))):
        weights = {key: keras.Variable(value.astype(np.float32), name=key) for key, value in start.items()}
        optimizer.build([*weights.values()])
        for number in range(3):
            gradients = [
                tf.constant(np.random.default_rng(number).normal(size=value.shape).astype(np.float32))
                for value in start.values()
            ]
            optimizer.apply_gradients(zip(gradients, weights.values(), strict=True))
        after[name] = {key: weight.numpy() for key, weight in weights.items()}
    for key in ("gamma", "bias", "classes"):
        np.testing.assert_allclose(after["muon"][key], after["adamw"][key], rtol=1e-5)
    assert not np.allclose(after["muon"]["kernel"], after["adamw"]["kernel"], atol=0.01)


def test_update_is_as_large_as_adamws() -> None:
    weight = keras.Variable(np.zeros((32, 64), np.float32), name="kernel")
    optimizer = Muon(1.0, [], weight_decay=0)
    optimizer.build([weight])
    gradient = tf.constant(np.random.default_rng(0).normal(size=(32, 64)).astype(np.float32))
    optimizer.apply_gradients([(gradient, weight)])
    assert np.sqrt(np.mean(weight.numpy() ** 2)) == pytest.approx(LIKE_ADAM, rel=0.2)
