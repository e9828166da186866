"""Batch normalisation on two logical devices against one, in a process of its own; prints the differences as JSON.

TensorFlow takes logical devices only before it computes anything.
"""

import json
import sys

import numpy as np
import tensorflow as tf

PROCESSOR = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(PROCESSOR, [tf.config.LogicalDeviceConfiguration()] * 2)

from cnnlib.network.layers import BatchNorm  # noqa: E402 (after the devices)

SHAPES = {"map": (8, 3, 5, 4), "row": (8, 5, 4)}
chance = np.random.default_rng(0)


def results(strategy: tf.distribute.Strategy, maps: np.ndarray, upstream: np.ndarray) -> list[np.ndarray]:
    """Output, gradients of input, scale and offset, and moving statistics after a step on equal shares of the maps."""
    count = strategy.num_replicas_in_sync
    with strategy.scope():
        layer = BatchNorm()
        layer.build(maps.shape)
        layer.gamma.assign(np.linspace(0.5, 2, 4))
        layer.beta.assign(np.linspace(-1, 1, 4))

    def share(values: np.ndarray) -> tf.Tensor:
        parts = np.split(values, count)
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group])
        )

    def run(x: tf.Tensor, upstream: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
        return [y, *tape.gradient(y, [x, layer.gamma.value, layer.beta.value], output_gradients=upstream)]

    outputs = tf.function(lambda *arguments: strategy.run(run, args=arguments))(share(maps), share(upstream))
    y, x, gamma, beta = (strategy.experimental_local_results(each) for each in outputs)
    moving = layer.moving_mean.numpy(), layer.moving_variance.numpy()
    return [np.concatenate(y), np.concatenate(x), np.sum(gamma, axis=0), np.sum(beta, axis=0), *moving]


def main() -> int:
    strategy = tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices("CPU")])
    found = {}
    for name, shape in SHAPES.items():
        maps = chance.normal(3, 2, shape).astype(np.float32)
        upstream = chance.normal(size=shape).astype(np.float32)
        one, two = (results(each, maps, upstream) for each in (tf.distribute.get_strategy(), strategy))
        found[name] = [float(np.abs(a - b).max() / np.abs(a).max()) for a, b in zip(one, two, strict=True)]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
