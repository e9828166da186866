import numpy as np
import pytest

from cnnlib.codec.alphabet import Alphabet, Prediction
from cnnlib.codec.images import Shape
from cnnlib.core.errors import ModelError
from cnnlib.inference.litert import LiteRT
from cnnlib.network.architectures import network_class
from cnnlib.network.names import NETWORKS
from cnnlib.training.export import accuracy_of, check_litert, choose, to_float32, to_litert

PICTURES = np.random.default_rng(0).integers(0, 255, (4, 16, 32, 1)).astype(np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_litert_reads_as_keras_does(name: str) -> None:
    network = network_class(name)(Shape(16, 32), classes=3, length=2)
    model = to_float32(network, network.model("mixed_bfloat16"))
    content = to_litert(model)
    assert len(content) > 4 * model.count_params() * 0.9, "the weights are in the file"
    check_litert(content, model, PICTURES)


def test_other_weights_are_noticed() -> None:
    network = network_class("positions")(Shape(16, 32), classes=3, length=2)
    content = to_litert(network.model())
    with pytest.raises(ModelError, match=r"expected probabilities of LiteRT within 0\.001 of Keras's"):
        check_litert(content, network.model(), PICTURES)


def test_quantised_model_is_smaller_and_reads_nearly_alike() -> None:
    network = network_class("columns")(Shape(16, 32), classes=3, length=2)
    model = to_float32(network, network.model())
    quantised, float32 = (to_litert(model, quantised=small) for small in (True, False))
    assert len(quantised) < 0.4 * len(float32)
    small, whole = LiteRT(quantised), LiteRT(float32)
    for picture in PICTURES:
        np.testing.assert_allclose(small.probabilities(picture), whole.probabilities(picture), atol=0.1)


@pytest.mark.parametrize(("lost", "expected"), [(-0.01, "quantised"), (0.001, "quantised"), (0.0015, "float32")])
def test_quantised_model_is_read_with_unless_it_costs_accuracy(lost: float, expected: str) -> None:
    assert choose({"float32": 0.97, "quantised": 0.97 - lost}) == expected


def test_accuracy_is_that_of_the_litert_model() -> None:
    network = network_class("positions")(Shape(16, 32), classes=3, length=2)
    content = to_litert(network.model())
    alphabet = Alphabet(("a", "b"))

    def decode(answer: np.ndarray) -> Prediction:
        return alphabet.decode(answer, network.decoding, (0, 2))

    texts = [decode(LiteRT(content).probabilities(one)).text for one in PICTURES]
    assert accuracy_of(content, PICTURES, texts, decode) == 1
    assert accuracy_of(content, PICTURES, [*texts[:3], "other"], decode) == 0.75
