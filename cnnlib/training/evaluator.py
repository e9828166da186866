"""Evaluates a network in training: what it reads on labelled pictures, with which accuracy and loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cnnlib.codec.alphabet import Prediction
from cnnlib.evaluation import metrics
from cnnlib.evaluation.diagnosis import Diagnosis, LabelledPrediction, accuracy_of, diagnose
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.hints import Reading
from cnnlib.network.architectures import CNN
from cnnlib.training.order import picture_numbers
from cnnlib.training.pictures import Dataset

TRAINING_LIMIT = 20_000  # training pictures that are evaluated, at most


# Gives what its first argument gives for the second, which is a row for each number, by sharing out the numbers.
Spread = Callable[[Callable[[np.ndarray], list[Any]], np.ndarray], list[Any]]


@dataclass(frozen=True)
class Evaluation:
    """Accuracy and mean loss on some pictures."""

    accuracy: Accuracy
    loss: float


class Evaluator:
    """Evaluates a network with the weights that `model` has at each call, `batch_size` pictures at a time.

    `reading` says how answers become text. Labels are compared as they are read: in lower case if case is ignored.
    """

    def __init__(
        self,
        network: CNN,
        model: keras.Model,
        reading: Reading,
        training: Dataset,
        verification: Dataset,
        batch_size: int,
        spread: Spread | None = None,
    ) -> None:
        self.network, self.model, self.reading = network, model, reading
        self.training, self.verification, self.batch_size = training, verification, batch_size
        self.spread = spread
        pictures = tf.TensorSpec(model.input_shape, tf.uint8)  # of any batch size, so that one trace does for all
        labels = tf.TensorSpec((None, network.length), tf.int32)
        self._predict = tf.function(self._predict_batch, input_signature=[pictures, labels])
        self._answer = tf.function(self._answer_batch, input_signature=[pictures])

    def predict(self, data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        """Predictions for the pictures with these numbers, integers (n,), in their order. Workers share the work."""
        if not self.spread:
            return self._predict_alone(data, numbers)
        rows = self.spread(lambda own: [_row(each) for each in self._predict_alone(data, own)], numbers)
        return [self._labelled(data, number, *row) for number, row in zip(numbers, rows, strict=True)]

    def _predict_alone(self, data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
        predictions: list[LabelledPrediction] = []
        for part in np.split(numbers, range(self.batch_size, len(numbers), self.batch_size)) if len(numbers) else ():
            losses, answers = self._predict(*data.take(part))
            for number, probabilities, loss in zip(part, answers.numpy(), losses.numpy().tolist(), strict=True):
                label, prediction = self.label(data, number), self.decode(probabilities)
                confidence = self.reading.confidence(probabilities, self._learned(data.labels[number]))
                predictions.append(LabelledPrediction(data.path(number), label, prediction, confidence, loss))
        return predictions

    def _labelled(
        self,
        data: Dataset,
        number: int,
        text: str,
        confidence: float,
        parts: list[float],
        label_confidence: float,
        loss: float,
    ) -> LabelledPrediction:
        prediction = Prediction(text, confidence, tuple(parts))
        return LabelledPrediction(data.path(number), self.label(data, number), prediction, label_confidence, loss)

    def label(self, data: Dataset, number: int) -> str:
        """The label of a picture, as it is read."""
        return self.reading.fold(self._learned(data.labels[number]))

    def _learned(self, numbers: np.ndarray) -> str:
        return self.reading.alphabet.text(numbers)

    def read(self, pictures: np.ndarray) -> list[Prediction]:
        """Predictions for uint8 (n, height, width, channels) without labels, read in this process."""
        parts = np.split(pictures, range(self.batch_size, len(pictures), self.batch_size))
        return [self.decode(answer) for part in parts if len(part) for answer in self._answer(part).numpy()]

    def decode(self, probabilities: np.ndarray) -> Prediction:
        """The prediction of float32 (rows, classes) probabilities."""
        return self.reading.decode(probabilities)

    def accuracy(self, labels: np.ndarray, probabilities: np.ndarray) -> Accuracy:
        """Accuracy of float32 (n, rows, classes) probabilities against int32 (n, length) labels."""
        texts = [self.decode(answer).text for answer in probabilities]
        return metrics.accuracy([self.reading.fold(self._learned(numbers)) for numbers in labels], texts)

    def evaluate(self, count: int | None = None, turn: int = 0) -> Evaluation:
        """Evaluate the whole verification set, or `count` pictures of it, others at each `turn`."""
        size = len(self.verification)
        first = turn * count % size if count else 0
        numbers = (first + np.arange(min(count or size, size))) % size
        predictions = self.predict(self.verification, numbers)
        return Evaluation(accuracy_of(predictions), float(np.mean([each.loss for each in predictions])))

    def evaluate_training(self, seed: int) -> list[LabelledPrediction]:
        """Predictions for the training pictures, or for as many of them as the limit allows, drawn by `seed`."""
        count = min(TRAINING_LIMIT, len(self.training))
        numbers = picture_numbers(np.arange(count), len(self.training), seed)
        return self.predict(self.training, numbers)

    def diagnose(self, seed: int, earlier_suspects: Sequence[LabelledPrediction]) -> Diagnosis:
        """What the training achieved, on the verification pictures and on the training pictures that `seed` draws."""
        trained = self.evaluate_training(seed)
        verified = self.predict(self.verification, np.arange(len(self.verification)))
        # A name that is still there has the same label.
        known = [self._as_read(suspect) for suspect in earlier_suspects if self.training.has(suspect.path.name)]
        return replace(diagnose(trained, verified, known), unread=len(self.training) - len(trained))

    def _as_read(self, suspect: LabelledPrediction) -> LabelledPrediction:
        """A suspect of a checkpoint, which an older version may have read in another case."""
        prediction = replace(suspect.prediction, text=self.reading.fold(suspect.prediction.text))
        path = self.training.folder / suspect.path.name
        return replace(suspect, path=path, label=self.reading.fold(suspect.label), prediction=prediction)

    def _predict_batch(self, pictures: Any, labels: Any) -> tuple[Any, Any]:
        scores = self.model(pictures, training=False)
        return self.network.loss(labels, scores), tf.nn.softmax(scores)

    def _answer_batch(self, pictures: Any) -> Any:
        return tf.nn.softmax(self.model(pictures, training=False))


def _row(each: LabelledPrediction) -> tuple[Any, ...]:
    """What a worker tells the others about a picture that all of them have."""
    prediction = each.prediction
    return prediction.text, prediction.confidence, prediction.character_confidences, each.label_confidence, each.loss
