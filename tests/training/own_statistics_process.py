"""A training on two logical devices with batch statistics of their own, in a process of its own; prints JSON.

`python -m tests.training.own_statistics_process CONFIG`. TensorFlow takes logical devices only before it computes
anything.
"""

import json
import sys

import tensorflow as tf

PROCESSOR = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(PROCESSOR, [tf.config.LogicalDeviceConfiguration()] * 2)

from cnnlib.config import load_sample_config  # noqa: E402 (after the devices)
from cnnlib.network.names import NETWORKS  # noqa: E402
from cnnlib.training.distribution import distribute  # noqa: E402
from cnnlib.training.trainer import Trainer  # noqa: E402
from tests.conftest import SMALL  # noqa: E402


def main() -> int:
    """Print the moving statistics after two steps, a list of numbers for each device."""
    NETWORKS["small"] = SMALL
    config = load_sample_config(sys.argv[1])
    distribution = distribute(config)
    trainer = Trainer(config, distribution=distribution)
    for _, batch in zip(range(2), trainer.batches(), strict=False):
        trainer.step(*batch)
    moving = [
        distribution.strategy.experimental_local_results(each.value) for each in trainer.model.non_trainable_variables
    ]
    print(json.dumps([[float(x) for one in device for x in one.numpy()] for device in zip(*moving, strict=True)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
