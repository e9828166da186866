import io
from pathlib import Path

import keras
import numpy as np
import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.images import Shape
from cnnlib.core.errors import ModelError
from cnnlib.core.joined_array import JoinedArray
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.network.architectures import network_class
from cnnlib.network.names import NETWORKS
from cnnlib.training.checkpoint import Progress, known_names, knows_any, pack, unpack
from cnnlib.training.pictures import Dataset


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_optimizer_and_progress_come_back(name: str) -> None:
    network = network_class(name)(Shape(16, 32), classes=3, length=2)
    model, optimizer = network.model(), network.optimizer(10)
    optimizer.build(model.trainable_variables)
    optimizer.apply([keras.ops.ones_like(variable) for variable in model.trainable_variables])
    suspects = [LabelledPrediction(Path("é_1.png"), "é", Prediction("e", 0.75, ()), 0.1, 2.3)]
    progress = Progress(7, 12.5, 0.5, 3, [(10, 0.25)], [], labels_checked=True, suspects=suspects, names_hash="ab12")
    averaged = network.model()
    content = pack(model, averaged, optimizer, progress)
    other, other_averaged, other_optimizer = network.model(), network.model(), network.optimizer(10)
    other_optimizer.build(other.trainable_variables)
    assert unpack(content, other, other_averaged, other_optimizer) == progress
    weights = zip(model.weights + averaged.weights, other.weights + other_averaged.weights, strict=True)
    for before, after in weights:
        assert (before.numpy() == after.numpy()).all()
    for before, after in zip(optimizer.variables, other_optimizer.variables, strict=True):
        assert (before.numpy() == after.numpy()).all()
    assert np.any(optimizer.variables[-1].numpy())


def test_every_part_of_a_progress_comes_back() -> None:
    model, optimizer = network_class("positions")(Shape(16, 32), classes=3, length=2).model(), keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    suspects = [LabelledPrediction(Path("01_1.png"), "01", Prediction("10", 0.75, ()), 0.1, 2.3)]
    start, known = {"a/b": np.ones(2, np.float32)}, np.array([3, 2**64 - 1], np.uint64)
    curves = [(10, 0.25)], [(10, 0.5), (20, 0.75)]
    progress = Progress(7, 12.5, 0.5, 3, *curves, True, suspects, "ab12", start, 6, 0.7, known)
    assert not [each for each in vars(Progress()) if repr(vars(progress)[each]) == repr(vars(Progress())[each])]
    after = unpack(pack(model, model, optimizer, progress), model, model, optimizer)
    assert after == progress
    assert (after.start.keys(), after.start["a/b"].tolist()) == (start.keys(), [1, 1])
    assert (after.known.dtype, after.known.tolist()) == (known.dtype, known.tolist())


def test_checkpoint_of_an_early_version_is_loaded() -> None:
    network = network_class("positions")(Shape(16, 32), classes=3, length=2)
    model, optimizer = network.model(), keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)
    with np.load(
        io.BytesIO(pack(model, model, optimizer, Progress(7, labels_checked=True, names_hash="ab12")))
    ) as arrays:
        first = ("step", "best_accuracy", "best_step", "training_curve", "verification_curve")
        kept = {f"progress/{name}" for name in first}
        older = {name: value for name, value in arrays.items() if name in kept or not name.startswith("progress/")}
    content = io.BytesIO()
    np.savez(content, **older)
    assert unpack(content.getvalue(), model, model, optimizer) == Progress(7, mixed_step=7), "it is mixed no more"


def test_other_network_is_refused() -> None:
    models = [network_class(name)(Shape(16, 32), classes=3, length=2).model() for name in ("positions", "columns")]
    optimizer = keras.optimizers.SGD()
    with pytest.raises(ModelError, match="expected the weights of this network; got others"):
        unpack(pack(models[0], models[0], optimizer, Progress()), models[1], models[1], optimizer)


def test_training_in_float16_goes_on_in_another_precision() -> None:
    network = network_class("positions")(Shape(16, 32), classes=3, length=2)
    model, scaled, plain = (
        network.model(),
        keras.optimizers.LossScaleOptimizer(network.optimizer(10)),
        network.optimizer(10),
    )
    for optimizer in (scaled, plain):
        optimizer.build(model.trainable_variables)
    scaled.inner_optimizer.iterations.assign(7)
    unpack(pack(model, model, scaled, Progress()), model, model, plain)
    assert int(plain.iterations) == 7
    unpack(pack(model, model, plain, Progress()), model, model, scaled)
    assert int(scaled.inner_optimizer.iterations) == 7


def test_few_pictures_are_known_among_many() -> None:
    def named(*numbers: range) -> list[Dataset]:
        return [
            Dataset(Path(), [f"ab_{n}.png" for n in part], np.zeros((0, 2)), JoinedArray.join([])) for part in numbers
        ]

    known = known_names(named(range(20)))
    grown = named(range(40_000), range(40_000, 50_000))
    assert (len(known), len(known_names(grown))) == (20, 1000)
    assert not np.isin(known, known_names(grown)).any(), "none is among the lowest of all"
    assert knows_any(known, grown)
    assert not knows_any(known, named(range(20, 50_000)))
