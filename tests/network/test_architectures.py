from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.images import Shape, open_picture
from cnnlib.core.errors import ConfigError
from cnnlib.network.architectures import Columns, network_class
from cnnlib.network.names import NETWORKS
from tests.helpers import draw

# At 100x60, grey, four of 36 characters and the blank.
PARAMETERS = {"columns": 973_637, "large": 1_647_813, "positions": 716_741, "classic": 13_876_884}
ROWS = {"columns": 25, "large": 40, "positions": 4, "classic": 4}


@pytest.mark.parametrize("name", NETWORKS)
def test_network_has_its_rows_parameters_and_layer_names(name: str) -> None:
    model = network_class(name)(Shape(60, 100), classes=37, length=4).model()
    assert model.count_params() == PARAMETERS[name]
    assert model(np.zeros((2, 60, 100, 1), np.uint8)).shape == (2, ROWS[name], 37)
    again = network_class(name)(Shape(60, 100), classes=37, length=4).model()
    assert [weight.path for weight in model.weights] == [weight.path for weight in again.weights], (
        "every layer has a name"
    )
    assert any(weight.path.startswith("classes/") for weight in model.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_sixteen_pictures_are_learned_by_heart(name: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    alphabet, shape = Alphabet(tuple("abcd")), Shape(20, 40)
    chance = np.random.default_rng(0)
    labels = ["".join(chance.choice(list("abcd"), chance.integers(1, 4))) for _ in range(16)]
    drawn = [draw(label, tmp_path / f"{label}_{n}.png", size=(40, 20), seed=n) for n, label in enumerate(labels)]
    pictures = np.stack([open_picture(path.read_bytes(), shape) for path in drawn])
    expected = np.stack([alphabet.encode(label, 3) for label in labels])
    network = network_class(name)(shape, alphabet.classes, 3)
    model, steps = network.model(), 200
    optimizer = network.optimizer(steps) if network.augmented else keras.optimizers.Adam(1e-3)
    optimizer.build(model.trainable_variables)

    @tf.function
    def train() -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network.loss(expected, model(pictures, training=True)))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    texts: list[str] = []
    for step in range(1, steps + 1):
        train()
        if step % 20 == 0 and texts != labels:
            answers = tf.nn.softmax(model(pictures, training=False)).numpy()
            texts = [alphabet.decode(answer, network.decoding, (1, 3)).text for answer in answers]
        if texts == labels:
            break
    assert texts == labels


@pytest.mark.parametrize(("width", "rows"), [(100, 25), (40, 10), (24, 12)])
def test_columns_are_enough_for_repeated_characters(width: int, rows: int) -> None:
    network = network_class("columns")(Shape(16, width), classes=3, length=4)
    assert network.model().output_shape == (None, rows, 3)


def test_picture_too_narrow_for_its_label_is_refused() -> None:
    with pytest.raises(ConfigError, match="expects a width of at least 14 pixels for 4 characters; got 12"):
        network_class("columns")(Shape(16, 12), classes=3, length=4).model()


def test_subclass_names_itself_when_a_picture_is_too_narrow() -> None:
    class Wider(Columns):
        pass

    with pytest.raises(ConfigError, match="the network 'wider' expects a width of at least 14 pixels"):
        Wider(Shape(16, 12), classes=3, length=4).model()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [Shape(16, 40), pytest.param(Shape(160, 400, 3), marks=pytest.mark.slow)])
def test_smallest_and_largest_pictures_have_finite_loss(name: str, shape: Shape) -> None:
    network = network_class(name)(shape, classes=11, length=4)
    pictures = (
        np.random.default_rng(0).integers(0, 255, (2, shape.height, shape.width, shape.channels)).astype(np.uint8)
    )
    labels = np.array([[1, 1, 1, 1], [2, 10, 10, 10]], np.int32)
    assert np.isfinite(network.loss(labels, network.model()(pictures, training=True))).all()


@pytest.mark.parametrize("name", ["columns", "large", "positions"])
def test_longest_labels_have_finite_loss(name: str) -> None:
    network = network_class(name)(Shape(16, 600), classes=3, length=64)
    labels = np.stack([np.arange(64) % 2, np.where(np.arange(64) < 1, 0, 2)]).astype(np.int32)  # of 64, and of one
    pictures = np.random.default_rng(0).integers(0, 255, (2, 16, 600, 1)).astype(np.uint8)
    assert np.isfinite(network.loss(labels, network.model()(pictures, training=True))).all()


def test_large_brings_pictures_of_any_size_to_that_of_the_general_model() -> None:
    general, other, long = (
        network_class("large")(Shape(*size), classes=11, length=length).model()
        for size, length in (((64, 160), 12), ((128, 320), 4), ((24, 30), 64))
    )
    pictures = np.random.default_rng(0).integers(20, 235, (2, 64, 160, 1)).astype(np.uint8)
    other.set_weights(general.get_weights())
    doubled = pictures.repeat(2, axis=1).repeat(2, axis=2)
    noise = np.random.default_rng(1).integers(0, 20, (2, 64, 320, 1)).astype(np.uint8)
    doubled[:, ::2] += noise  # the mean of four pixels stays what it was
    doubled[:, 1::2] -= noise
    np.testing.assert_allclose(other(doubled).numpy(), general(pictures).numpy(), atol=1e-3)
    assert long(np.zeros((1, 24, 30, 1), np.uint8)).shape == (1, 127, 11), "a column between repeated characters"


def test_thousands_of_classes_are_computed() -> None:
    network = network_class("columns")(Shape(60, 100), classes=3756, length=4)
    labels = np.array([[0, 3754, 17, 17], [5, 3755, 3755, 3755]], np.int32)
    scores = network.model()(np.zeros((2, 60, 100, 1), np.uint8), training=True)
    assert scores.shape == (2, 25, 3756)
    assert np.isfinite(network.loss(labels, scores)).all()
