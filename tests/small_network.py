"""A network of two convolutions, which is traced in a tenth of the time of `columns`, for the tests of the training."""

from typing import Any

import tensorflow as tf
from keras import layers

from cnnlib.network.architectures import CNN
from cnnlib.network.layers import BatchNorm, Dropout, Standardise


class Small(CNN):
    """It has what a training treats apart: batch statistics, dropout, matrices for Muon, an average, two views."""

    consistency = 0.2
    channels = (32, 64)

    def scores(self, pictures: Any) -> Any:
        x = Standardise(name="standardise")(pictures)
        for name, channels, size in zip(("stem", "map"), self.channels, (5, 3), strict=True):
            x = layers.Conv2D(channels, size, 2, padding="same", use_bias=False, name=name)(x)
            x = layers.ReLU(name=f"{name}_relu")(BatchNorm(name=f"{name}_norm")(x))
        x = Dropout(0.1, name="map_dropout")(layers.Flatten(name="flat")(x))
        x = layers.Dense(self.length * self.classes, name="classes")(x)
        return layers.Reshape((self.length, self.classes), name="positions")(x)

    def loss(self, labels: Any, scores: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores), axis=1)
