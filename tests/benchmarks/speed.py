"""What the input pipeline costs a training step, and how near a step comes to the machine's matrix product.

Side by side in one process: a step on one batch again and again, and on the batches of the pipeline, augmented.
"""

import statistics
import time
from collections.abc import Iterator
from typing import Any

from cnnlib.config import load_sample_config
from cnnlib.training.devices import count_operations, matrix_product, rates
from cnnlib.training.trainer import Trainer
from tests.benchmarks.headline import headline
from tests.benchmarks.runs import WORK, Result, store, stored, write_config

ROUNDS, STEPS = 8, 10
NAME = "speed"


def measure() -> Result:
    """Stored, or measured now: milliseconds a step on a repeated batch and on the pipeline's, medians of rounds."""
    found = stored(NAME)
    if found is not None:
        return found
    folder = WORK / NAME
    write_config(folder / "config.json", headline("0.7.0", 3000, 1).prepare(folder))
    trainer = Trainer(load_sample_config(folder / "config.json"))
    batches = iter(trainer.batches())
    batch = next(batches)
    seconds_of(trainer, iter([batch] * 5), 5)  # the first steps trace and lay out
    repeated, piped, products = [], [], []
    for _ in range(ROUNDS):
        repeated.append(seconds_of(trainer, iter([batch] * STEPS), STEPS))
        piped.append(seconds_of(trainer, batches, STEPS))
        products.append(rates(matrix_product, 10)[0])
    step = statistics.median(repeated) / STEPS
    size = trainer.config.train_batch_size
    measured = {
        "rounds": ROUNDS,
        "repeated_ms": 1000 * step,
        "pipeline_ms": 1000 * statistics.median(piped) / STEPS,
        "pipeline_cost": statistics.median(b / a for a, b in zip(repeated, piped, strict=True)) - 1,
        "gflops": 3 * count_operations(trainer.model) * size / step / 1e9,
        "matrix_product_gflops": statistics.median(products),
    }
    return store(NAME, measured)


def seconds_of(trainer: Trainer, batches: Iterator[Any], count: int) -> float:
    """Seconds that `count` steps take, the fetching of their batches included."""
    start = time.perf_counter()
    for _ in range(count):
        loss, _ = trainer.step(*next(batches))
    float(loss)
    return time.perf_counter() - start
