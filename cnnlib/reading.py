"""What a network in training reads: labelled pictures to readings with their losses, probabilities to texts."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib import evaluation
from cnnlib.alphabet import Alphabet, Reading
from cnnlib.dataset import Dataset
from cnnlib.decoding import Lengths
from cnnlib.evaluation import Accuracy
from cnnlib.network import CNN
from cnnlib.review import Read

BATCH = 256  # pictures that are read at a time


class Reader:
    """A network with the weights of `model`, as they are at each call."""

    def __init__(self, network: CNN, model: keras.Model, alphabet: Alphabet, lengths: Lengths) -> None:
        self.network, self.model, self.alphabet, self.lengths = network, model, alphabet, lengths
        pictures = tf.TensorSpec(model.input_shape, tf.uint8)  # any number of them: one trace for all batches
        labels = tf.TensorSpec((None, network.length), tf.int32)
        self._predict = tf.function(self._predict_batch, input_signature=[pictures, labels])

    def read(self, data: Dataset, chosen: np.ndarray) -> list[Read]:
        """The pictures numbered `chosen`."""
        reads: list[Read] = []
        for part in np.split(chosen, range(BATCH, len(chosen), BATCH)):
            losses, answers = self._predict(data.pictures[part], data.labels[part])
            for number, answer, loss in zip(part, answers.numpy(), losses.numpy().tolist(), strict=True):
                label, decoding = data.texts[number], self.network.decoding
                reading = self.alphabet.decode(answer, decoding, self.lengths)
                confidence = self.alphabet.confidence(answer, decoding, label)
                reads.append(Read(data.paths[number], label, reading, confidence, loss))
        return reads

    def accuracy(self, labels: np.ndarray, probabilities: np.ndarray) -> Accuracy:
        """Accuracy of float32 (n, rows, classes) probabilities against int32 (n, length) labels."""
        read = [reading.text for reading in self.decode(probabilities)]
        return evaluation.accuracy([self.alphabet.text(numbers) for numbers in labels], read)

    def decode(self, probabilities: np.ndarray) -> list[Reading]:
        """Readings of float32 (n, rows, classes) probabilities."""
        return self.alphabet.decode_batch(probabilities, self.network.decoding, self.lengths)

    def _predict_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        scores = self.model(pictures, training=False)
        return self.network.loss(labels, scores), tf.nn.softmax(scores)
