"""Exports a trained Keras model to LiteRT, which takes a decoded picture and gives probabilities, and to others."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib.codec.alphabet import Prediction
from cnnlib.core.errors import ModelError
from cnnlib.core.files import check_replaceable, check_writable
from cnnlib.core.paths import display_path
from cnnlib.core.stderr import muted_stderr
from cnnlib.inference.litert import LiteRT
from cnnlib.network.architectures import CNN

TOLERANCE = 1e-3  # of a probability, between Keras and LiteRT in float32
OPSET = 18  # version of the operations of an ONNX model
QUANTISATION_COST = 0.001  # of picture accuracy, at most; for it the model is smaller and faster


def to_float32(network: CNN, trained: keras.Model) -> keras.Model:
    """The same network with the same weights, computing in float32."""
    model = network.model("float32")
    model.set_weights(trained.get_weights())
    return model


def to_saved_model(model: keras.Model, folder: Path) -> None:
    """Write a SavedModel of a model that computes in float32.

    Its signature takes uint8 `pictures` (batch, height, width, channels) and gives float32 `probabilities`
    (batch, rows, classes), each row adding up to 1.
    """
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", _probabilities(model), input_signature=_signature(model))
    archive.write_out(folder, verbose=False)


def _probabilities(model: keras.Model) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
    return lambda pictures: {"probabilities": tf.nn.softmax(model(pictures, training=False))}


def _signature(model: keras.Model, batch: int | None = None) -> list[tf.TensorSpec]:
    return [tf.TensorSpec((batch, *model.input_shape[1:]), tf.uint8, name="pictures")]


def check_targets(saved_model: Path | None, onnx: Path | None) -> None:
    """Check where exports are to be written, before there is anything to export.

    Raises ModelError for an ONNX file of another suffix or a missing package, OSError when a place can't be written.
    """
    if saved_model:
        check_writable(saved_model)
    if not onnx:
        return
    if onnx.suffix.lower() != ".onnx":
        raise ModelError(f"{display_path(onnx)}: expected the name of an ONNX file, *.onnx; got another one")
    if onnx.is_dir():
        raise ModelError(f"{display_path(onnx)}: expected the name of an ONNX file; got a folder")
    check_writable(onnx.parent)
    check_replaceable(onnx)
    _onnx_packages()


def _onnx_packages() -> tuple[Any, Any]:
    """The packages tf2onnx and onnxruntime. Raises ModelError when one is not installed."""
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise ModelError(f"ONNX needs the packages of requirements-onnx.txt: {error}") from error
    return tf2onnx, onnxruntime


def to_onnx(model: keras.Model) -> bytes:
    """An ONNX model with the input `pictures` and the output `probabilities`, as `to_saved_model` has them.

    `model` computes in float32. Raises ModelError when tf2onnx is not installed.
    """
    tf2onnx, _ = _onnx_packages()
    signature = _signature(model)
    function = tf.function(_probabilities(model), input_signature=signature)
    with muted_stderr():
        converted, _ = tf2onnx.convert.from_function(function, input_signature=signature, opset=OPSET)
    return bytes(converted.SerializeToString())


def to_litert(model: keras.Model, *, quantised: bool = False) -> bytes:
    """A LiteRT model: uint8 (1, height, width, channels) to float32 (1, rows, classes), each row adding up to 1.

    `model` computes in float32. Quantised, the weights are int8, and layers compute with them in int8 (dynamic range).
    """
    signature = _signature(model, batch=1)
    with muted_stderr():
        function = tf.function(_probabilities(model), input_signature=signature).get_concrete_function()
        weights = tf.Module()  # the converter leaves out the weights of a Keras model without saying so
        weights.variables_of_keras = [weight.value for weight in model.weights]
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], weights)
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if quantised else []
        return bytes(converter.convert())


def check_litert(content: bytes, model: keras.Model, pictures: np.ndarray) -> None:
    """Raise ModelError when LiteRT and Keras read uint8 (n, height, width, channels) pictures differently."""
    litert = LiteRT(content)
    _check("LiteRT", np.stack([litert.probabilities(picture) for picture in pictures]), model, pictures)


def check_saved_model(folder: Path, model: keras.Model, pictures: np.ndarray) -> None:
    """Raise ModelError when a SavedModel and Keras read uint8 (n, height, width, channels) pictures differently."""
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    _check("the SavedModel", serve(pictures=tf.constant(pictures))["probabilities"].numpy(), model, pictures)


def check_onnx(content: bytes, model: keras.Model, pictures: np.ndarray) -> None:
    """Raise ModelError when ONNX Runtime and Keras read uint8 (n, height, width, channels) pictures differently."""
    _, onnxruntime = _onnx_packages()
    (answers,) = onnxruntime.InferenceSession(content).run(["probabilities"], {"pictures": pictures})
    _check("ONNX Runtime", answers, model, pictures)


def _check(name: str, answers: np.ndarray, model: keras.Model, pictures: np.ndarray) -> None:
    with tf.device("CPU"):  # GPUs compute float32 products with fewer bits
        expected = tf.nn.softmax(model(pictures, training=False)).numpy()
    difference = float(np.abs(answers - expected).max())
    if not difference <= TOLERANCE:  # NaN does not agree either
        raise ModelError(
            f"export: expected probabilities of {name} within {TOLERANCE} of Keras's; they differ by {difference}"
        )


def litert_predictions(
    content: bytes, pictures: np.ndarray, decode: Callable[[np.ndarray], Prediction]
) -> list[Prediction]:
    """What a LiteRT model reads on uint8 (n, height, width, channels) pictures."""
    litert = LiteRT(content)
    return [decode(litert.probabilities(picture)) for picture in pictures]  # one by one, to hold one answer


def choose(accuracies: Mapping[str, float]) -> str:
    """Which exported file is used for reading: the quantised one unless it costs too much accuracy."""
    return "quantised" if accuracies["float32"] - accuracies["quantised"] <= QUANTISATION_COST + 1e-9 else "float32"
