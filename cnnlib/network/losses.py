"""Losses that are no network's own."""

from typing import Any

import tensorflow as tf

Tensor = Any  # a symbolic or eager tensor


def consistency_loss(scores: Tensor, others: Tensor) -> Tensor:
    """float32 (batch,): the disagreement of two views, float32 (batch, rows, classes), summed over all rows, in nats.

    The mean of the Kullback-Leibler divergences in both directions (Yao et al. 2024). Each view learns from the other,
    which counts as fixed.
    """
    first, second = tf.nn.log_softmax(scores), tf.nn.log_softmax(others)

    def divergence(target: Tensor, logs: Tensor) -> Tensor:
        target = tf.stop_gradient(target)
        return tf.reduce_sum(tf.exp(target) * (target - logs), axis=(1, 2))

    return (divergence(first, second) + divergence(second, first)) / 2
