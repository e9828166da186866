"""Batch normalisation of a batch that several replicas share."""

from typing import Any

import tensorflow as tf

Tensor = Any


def shared_batch_norm(maps: Tensor, gamma: Tensor, beta: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise this replica's share of a batch, (batch, height, width, channels), by the statistics of all shares.

    Returns the maps, and mean and unbiased variance, float32 (channels,), without gradients. All shares have one size.
    Two collectives of two vectors cross the network: the statistics, and what their gradients need. All passes over the
    maps are TensorFlow's fused operation, which is three to five times as fast as plain arithmetic on a processor.
    """
    context = tf.distribute.get_replica_context()
    size = tf.cast(tf.size(maps) // maps.shape[-1], tf.float32)  # of a channel, in this share
    total = size * context.num_replicas_in_sync

    @tf.custom_gradient
    def norm(maps: Tensor, gamma: Tensor, beta: Tensor) -> Any:
        _, own_mean, own_variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=maps, scale=gamma, offset=beta, mean=[], variance=[], epsilon=epsilon
        )
        own_square = own_variance * (size - 1) / size + tf.square(own_mean)  # the operation gives the unbiased variance
        mean, square = context.all_reduce("mean", [own_mean, own_square])
        variance = square - tf.square(mean)

        def line(slope: Tensor, offset: Tensor) -> Tensor:
            """Each channel's values, normed, times its slope, plus its offset."""
            normed, *_ = tf.raw_ops.FusedBatchNormV3(
                x=maps, scale=slope, offset=offset, mean=mean, variance=variance, epsilon=epsilon, is_training=False
            )
            return normed

        def gradient(upstream: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            direct, for_gamma, for_beta, *_ = tf.raw_ops.FusedBatchNormGradV3(
                y_backprop=upstream,
                x=maps,
                scale=gamma,
                reserve_space_1=mean,
                reserve_space_2=variance,
                reserve_space_3=[],
                epsilon=epsilon,
                is_training=False,
            )
            # Mean and variance depend on the maps too (Ioffe and Szegedy 2015, section 3).
            all_gamma, all_beta = context.all_reduce("sum", [for_gamma, for_beta])
            share = -gamma * tf.math.rsqrt(variance + epsilon) / total
            return direct + line(share * all_gamma, share * all_beta), for_gamma, for_beta

        return (line(gamma, beta), mean, variance * total / (total - 1)), gradient

    normed, mean, variance = norm(maps, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))
    return normed, tf.stop_gradient(mean), tf.stop_gradient(variance)
