"""What a network in training reads: labelled pictures to readings with their losses, probabilities to texts."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib.codec.alphabet import Alphabet, Reading
from cnnlib.codec.decoding import Lengths
from cnnlib.evaluation import metrics
from cnnlib.evaluation.diagnosis import Read
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.network.architectures import CNN
from cnnlib.training.dataset import Dataset


class Reader:
    """A network with the weights of `model`, as they are at each call; it reads `batch_size` pictures at a time."""

    def __init__(self, network: CNN, model: keras.Model, alphabet: Alphabet, lengths: Lengths, batch_size: int) -> None:
        self.network, self.model, self.alphabet, self.lengths = network, model, alphabet, lengths
        self.batch_size = batch_size
        pictures = tf.TensorSpec(model.input_shape, tf.uint8)  # any number of them: one trace for all batches
        labels = tf.TensorSpec((None, network.length), tf.int32)
        self._predict = tf.function(self._predict_batch, input_signature=[pictures, labels])

    def read(self, data: Dataset, chosen: np.ndarray) -> list[Read]:
        """The pictures numbered `chosen`, integers (n,), in their order."""
        reads: list[Read] = []
        for part in np.split(chosen, range(self.batch_size, len(chosen), self.batch_size)):
            losses, answers = self._predict(data.pictures[part], data.labels[part])
            for number, answer, loss in zip(part, answers.numpy(), losses.numpy().tolist(), strict=True):
                label = data.texts[number]
                confidence = self.alphabet.confidence(answer, self.network.decoding, label)
                reads.append(Read(data.paths[number], label, self.decode(answer), confidence, loss))
        return reads

    def accuracy(self, labels: np.ndarray, probabilities: np.ndarray) -> Accuracy:
        """Accuracy of float32 (n, rows, classes) probabilities against int32 (n, length) labels."""
        read = [self.decode(answer).text for answer in probabilities]
        return metrics.accuracy([self.alphabet.text(numbers) for numbers in labels], read)

    def decode(self, probabilities: np.ndarray) -> Reading:
        """The reading of float32 (rows, classes) probabilities."""
        return self.alphabet.decode(probabilities, self.network.decoding, self.lengths)

    def _predict_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        scores = self.model(pictures, training=False)
        return self.network.loss(labels, scores), tf.nn.softmax(scores)
