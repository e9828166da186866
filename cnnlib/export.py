"""A trained Keras model as a LiteRT file that takes a picture's bytes and gives probabilities."""

import tempfile

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter

from cnnlib.errors import ModelError
from cnnlib.network import CNN
from cnnlib.quiet import quiet

TOLERANCE = 1e-3  # of a probability, between Keras and LiteRT in float32


def to_float32(network: CNN, trained: keras.Model) -> keras.Model:
    """The same network with the same weights, computing in float32."""
    model = network.model("float32")
    model.set_weights(trained.get_weights())
    return model


def to_litert(network: CNN, model: keras.Model) -> bytes:
    """A LiteRT model: uint8 (1, height, width, channels) to float32 (1, rows, classes), each row adding up to 1.

    `model` computes in float32. It goes through a SavedModel, because the converter silently leaves out
    the weights of a Keras 3 model that it is given directly.
    """
    shape = (1, network.shape.height, network.shape.width, network.shape.channels)
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(
        "probabilities",
        lambda pictures: tf.nn.softmax(model(pictures, training=False)),
        input_signature=[tf.TensorSpec(shape, tf.uint8, name="pictures")],
    )
    with tempfile.TemporaryDirectory() as folder, quiet():
        archive.write_out(folder, verbose=False)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def check_litert(content: bytes, model: keras.Model, pictures: np.ndarray) -> None:
    """Raise ModelError when LiteRT and Keras read uint8 (n, height, width, channels) pictures differently."""
    with quiet():
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    expected = tf.nn.softmax(model(pictures, training=False)).numpy()
    for picture, wanted in zip(pictures, expected, strict=True):
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture[np.newaxis])
        interpreter.invoke()
        got = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
        difference = float(np.abs(got - wanted).max())
        if not difference <= TOLERANCE:  # NaN is no agreement either
            raise ModelError(
                f"export: expected LiteRT's probabilities within {TOLERANCE} of Keras's; they differ by {difference}"
            )
