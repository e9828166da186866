"""Layers that Keras lacks, or computes too slowly."""

from typing import Any

import keras
import tensorflow as tf

from cnnlib.network import keyed_random
from cnnlib.network.shared_norm import shared_batch_norm

Tensor = Any  # a symbolic or eager tensor


class Resize(keras.Layer):
    """Brings pictures to a size, float32, 0 to 255, by bilinear interpolation.

    Keras's own layer rounds to whole grey levels, which its exports do not.
    """

    def __init__(self, height: int, width: int, **options: Any) -> None:
        super().__init__(**options)
        self.height, self.width = height, width

    def call(self, pictures: Tensor) -> Tensor:
        return tf.image.resize(tf.cast(pictures, tf.float32), (self.height, self.width))


class Standardise(keras.Layer):
    """Zero mean and unit variance for each picture and channel, so that ink and ground differ in any colours."""

    def call(self, pictures: Tensor) -> Tensor:
        x = tf.cast(pictures, tf.float32)
        x -= tf.reduce_mean(x, axis=(1, 2), keepdims=True)
        spread = tf.sqrt(tf.reduce_mean(tf.square(x), axis=(1, 2), keepdims=True))
        return tf.cast(x / (spread + 1.0), self.compute_dtype)  # one grey level, so that a blank picture stays blank


class BatchNorm(keras.Layer):
    """Batch normalisation (Ioffe and Szegedy 2015) of (batch, ..., channels), by TensorFlow's fused operation.

    It reads and writes bfloat16 or float16 maps and keeps its statistics in float32. Keras's own layer writes whole
    float32 maps between its many steps; with it, a training step takes half as long again.
    Where several replicas share a batch, its statistics are those of all of it, so each has the same moving ones.
    With `shared` set to False, each replica takes those of its share, and who trains brings the moving ones together.
    """

    shared = True
    momentum = 0.95  # share of the moving statistics that each step keeps
    epsilon = 1e-3

    def build(self, shape: tuple[int, ...]) -> None:
        def weight(name: str, value: str, trainable: bool) -> Any:
            return self.add_weight(
                name=name, shape=shape[-1:], initializer=value, trainable=trainable, dtype="float32", autocast=False
            )

        self.gamma, self.beta = weight("gamma", "ones", True), weight("beta", "zeros", True)
        self.moving_mean = weight("moving_mean", "zeros", False)
        self.moving_variance = weight("moving_variance", "ones", False)

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not training:  # plain arithmetic, which an export folds into the convolution before it
            scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
            return tf.cast(tf.cast(x, tf.float32) * scale + (self.beta - self.moving_mean * scale), x.dtype)
        maps = x[:, tf.newaxis] if x.shape.rank == 3 else x  # as the operation expects
        if self.shared and tf.distribute.get_strategy().num_replicas_in_sync > 1:
            normed, mean, variance = shared_batch_norm(maps, self.gamma, self.beta, self.epsilon)
        else:
            normed, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=maps, scale=self.gamma, offset=self.beta, mean=[], variance=[], epsilon=self.epsilon
            )
        self.moving_mean.assign(self.momentum * self.moving_mean + (1 - self.momentum) * mean)
        self.moving_variance.assign(self.momentum * self.moving_variance + (1 - self.momentum) * variance)
        return normed[:, 0] if x.shape.rank == 3 else normed


class Dropout(keras.Layer):
    """Sets a share of the values to 0 in training and raises the others to keep the mean (Srivastava et al. 2014).

    Which values follows from the layer's name and the keys of the pictures, see `picture_keys`. So it does not matter
    how a batch is shared out, or whether a training was resumed. Keras's own layer draws for a whole batch, from a
    state of its own. Without keys, each call draws anew.
    """

    def __init__(self, share: float, **options: Any) -> None:
        super().__init__(**options)
        self.share = share

    def call(self, x: Tensor, training: bool = False) -> Tensor:
        if not training:
            return x
        keys = keyed_random.current_keys()
        if keys is None:
            return tf.nn.dropout(x, self.share)
        dropped = keyed_random.chosen(keys, x.shape[1:], self.share, self.name)
        return tf.where(dropped, tf.zeros((), x.dtype), x / (1 - self.share))


class Place(keras.Layer):
    """Adds a learned vector to each place of a row: (batch, places, channels) in and out."""

    def build(self, shape: tuple[int, ...]) -> None:
        self.place = self.add_weight(
            name="place", shape=shape[1:], initializer=keras.initializers.RandomNormal(stddev=0.1)
        )

    def call(self, x: Tensor) -> Tensor:
        return x + self.place


class Queries(keras.Layer):
    """A learned query per position over a map: (batch, places, channels) to (batch, length, channels)."""

    def __init__(self, length: int, **options: Any) -> None:
        super().__init__(**options)
        self.length = length

    def build(self, shape: tuple[int, ...]) -> None:
        _, places, channels = shape
        self.query = self.add_weight(name="query", shape=(self.length, channels), initializer="glorot_normal")
        self.place = self.add_weight(
            name="place", shape=(places, channels), initializer=keras.initializers.RandomNormal(stddev=0.5)
        )

    def call(self, places: Tensor) -> Tensor:
        x = places + self.place
        attention = tf.nn.softmax(tf.einsum("qc,bpc->bqp", self.query, x) / x.shape[-1] ** 0.5)
        return tf.einsum("bqp,bpc->bqc", attention, x)
