from functools import cache

import keras
import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet, Prediction
from cnnlib.codec.images import Shape
from cnnlib.core.errors import ModelError
from cnnlib.inference.litert import LiteRT
from cnnlib.network.architectures import network_class
from cnnlib.training.export import check_litert, choose, litert_predictions, to_float32, to_litert
from tests.small_network import Small

PICTURES = np.random.default_rng(0).integers(0, 255, (4, 16, 32, 1)).astype(np.uint8)


@cache
def exported(name: str) -> tuple[keras.Model, bytes]:
    """A network with random weights that was trained in half precision, in float32 and as LiteRT."""
    network = network_class(name)(Shape(16, 32), classes=3, length=2)
    model = to_float32(network, network.model("mixed_bfloat16"))
    return model, to_litert(model)


@pytest.fixture
def small() -> Small:
    return Small(Shape(16, 32), classes=3, length=2)


@pytest.mark.slow
def test_litert_reads_as_keras_does() -> None:
    """Of the other networks, each save compares the two: test_loop.py saves every network."""
    model, content = exported("columns")
    assert len(content) > 4 * model.count_params() * 0.9, "the weights are in the file"
    check_litert(content, model, PICTURES)


def test_litert_model_with_other_weights_is_refused(small: Small) -> None:
    content = to_litert(small.model())
    with pytest.raises(ModelError, match=r"expected probabilities of LiteRT within 0\.001 of Keras's"):
        check_litert(content, small.model(), PICTURES)


@pytest.mark.slow
def test_quantised_model_is_smaller_and_reads_nearly_alike() -> None:
    model, float32 = exported("columns")
    quantised = to_litert(model, quantised=True)
    assert len(quantised) < 0.4 * len(float32)
    readers = LiteRT(quantised), LiteRT(float32)
    for picture in PICTURES:
        np.testing.assert_allclose(*(reader.probabilities(picture) for reader in readers), atol=0.1)


@pytest.mark.parametrize(("lost", "expected"), [(-0.01, "quantised"), (0.001, "quantised"), (0.0015, "float32")])
def test_quantised_model_is_read_with_unless_it_costs_accuracy(lost: float, expected: str) -> None:
    assert choose({"float32": 0.97, "quantised": 0.97 - lost}) == expected


def test_predictions_are_those_of_the_litert_model(small: Small) -> None:
    content = to_litert(small.model())
    alphabet = Alphabet(("a", "b"))

    def decode(answer: np.ndarray) -> Prediction:
        return alphabet.decode(answer, small.decoding, (0, 2))

    expected = [decode(LiteRT(content).probabilities(picture)) for picture in PICTURES]
    assert litert_predictions(content, PICTURES, decode) == expected
