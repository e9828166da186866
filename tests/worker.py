"""train_model.py as a process of a test: with the small network, short waits, and its losses in a file.

python -m tests.worker CONFIG [option of train_model.py ...], with settings in the environment: WORKER_LOSSES names the
file, WORKER_PAUSE_S makes steps longer, WORKER_DEVICES is the number of logical CPU devices. WORKER_WAIT_S and others
replace the constants of `peers`.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import tensorflow as tf

import cnnlib.training  # noqa: F401 (the environment, before TensorFlow is imported)
import train_model
from cnnlib.network.names import NETWORKS
from cnnlib.training import peers
from cnnlib.training.trainer import Trainer
from tests.conftest import SMALL


def main() -> int:
    NETWORKS["small"] = SMALL
    for name in ("WAIT_S", "SILENCE_S", "BEAT_S"):
        setattr(peers, name, float(os.environ.get(f"WORKER_{name}", getattr(peers, name))))
    processors = tf.config.list_physical_devices("CPU")
    count = int(os.environ.get("WORKER_DEVICES", "1"))
    tf.config.set_logical_device_configuration(processors[0], [tf.config.LogicalDeviceConfiguration()] * count)
    if path := os.environ.get("WORKER_LOSSES"):
        record_losses(Path(path))
    return train_model.main(sys.argv[1:])


def record_losses(path: Path) -> None:
    """Write the loss of every step into a file, one a line."""
    step = Trainer.step

    def recorded(trainer: Trainer, *batch: Any) -> Any:
        loss, probabilities = step(trainer, *batch)
        time.sleep(float(os.environ.get("WORKER_PAUSE_S", "0")))
        with path.open("a") as file:
            file.write(json.dumps(float(loss)) + "\n")
        return loss, probabilities

    Trainer.step = recorded


if __name__ == "__main__":
    sys.exit(main())
