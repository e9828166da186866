import numpy as np
import pytest

from cnnlib.errors import ModelError
from cnnlib.export import check_litert, to_float32, to_litert
from cnnlib.network import NETWORKS
from cnnlib.pictures import Shape

PICTURES = np.random.default_rng(0).integers(0, 255, (4, 16, 32, 1)).astype(np.uint8)


@pytest.mark.parametrize("name", NETWORKS)
def test_litert_reads_as_keras_does(name: str) -> None:
    network = NETWORKS[name](Shape(16, 32), classes=3, length=2)
    model = to_float32(network, network.model("mixed_bfloat16"))
    content = to_litert(network, model)
    assert len(content) > 4 * model.count_params() * 0.9, "the weights are in the file"
    check_litert(content, model, PICTURES)


def test_other_weights_are_noticed() -> None:
    network = NETWORKS["positions"](Shape(16, 32), classes=3, length=2)
    content = to_litert(network, network.model())
    with pytest.raises(ModelError, match=r"expected LiteRT's probabilities within 0\.001 of Keras's"):
        check_litert(content, network.model(), PICTURES)
