"""What a second worker adds: two processes with a core each against one with one core, side by side.

Rounds alternate, so that a busy moment slows all. A third kind of run leaves each worker its own batch statistics: the
difference is the cost of sharing them. Nothing is trained to an end.
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cnnlib.config import load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks.headline import headline
from tests.benchmarks.runs import WORK, Result, store, stored, worker_environments, write_config

NAME = "workers"
ROUNDS, WARM_STEPS, STEPS = 3, 5, 25
FROM_RUN = ("precision", "gradient_bytes", "statistics_bytes", "collectives", "collective_ms")
KINDS = {"one": (1, "shared"), "two": (2, "shared"), "two_own_statistics": (2, "own")}


def measure() -> Result:
    """Stored, or measured now: milliseconds a step, medians of rounds, and what crosses the network in a step."""
    found = stored(NAME)
    if found is not None:
        return found
    keys = headline("0.7.0", 3000, 1).prepare(WORK / NAME)
    for kind, (_, batch_statistics) in KINDS.items():
        write_config(config_of(kind), keys | {"batch_statistics": batch_statistics})
    rounds = [{kind: run(config_of(kind), count) for kind, (count, _) in KINDS.items()} for _ in range(ROUNDS)]
    last = rounds[-1]["two"]
    step_ms = {kind: statistics.median(each[kind]["step_ms"] for each in rounds) for kind in KINDS}
    shares, own_shares = (
        [each["one"]["step_ms"] / each[kind]["step_ms"] / 2 for each in rounds]
        for kind in ("two", "two_own_statistics")
    )
    costs = [each["two"]["step_ms"] / each["two_own_statistics"]["step_ms"] - 1 for each in rounds]
    figures = {
        "rounds": ROUNDS,
        "steps": STEPS,
        "step_ms": step_ms,
        "share_of_twice": statistics.median(shares),
        "shares_of_twice": shares,
        "own_statistics_share_of_twice": statistics.median(own_shares),
        "own_statistics_shares_of_twice": own_shares,
        "cost_of_shared_statistics": statistics.median(costs),
        **{key: last[key] for key in FROM_RUN},
    }
    return store(NAME, figures)


def config_of(kind: str) -> Path:
    """The config of a kind of run."""
    return WORK / NAME / f"{kind}.json"


def run(config: Path, count: int) -> dict[str, Any]:
    """What worker 0 of `count` measured, each on a core of its own."""
    processes = []
    for number, environment in enumerate(worker_environments(count)):
        command = ["taskset", "--cpu-list", str(number), sys.executable, "-m", "tests.benchmarks.workers", str(config)]
        pipe = subprocess.PIPE if number == 0 else subprocess.DEVNULL
        processes.append(subprocess.Popen(command, cwd=PROJECT_ROOT, env=environment, stdout=pipe, text=True))
    said, _ = processes[0].communicate()
    if any(process.wait() for process in processes):
        raise SystemExit("a worker failed")
    measured: dict[str, Any] = json.loads(said.splitlines()[-1])
    return measured


def main() -> int:
    """Train some steps as one worker, and print what was measured."""
    import tensorflow as tf

    from cnnlib.network import layers
    from cnnlib.training import devices
    from cnnlib.training.distribution import distribute
    from cnnlib.training.trainer import Trainer

    config = load_sample_config(sys.argv[1])
    devices.use_gpu(False)
    distribution = distribute(config)
    with distribution.training():
        trainer = Trainer(config, distribution=distribution)
        batches = iter(trainer.batches())
        for _ in range(WARM_STEPS):
            trainer.step(*next(batches))
        start = time.perf_counter()
        for _ in range(STEPS):
            loss, _ = trainer.step(*next(batches))
        float(loss)
        step_ms = 1000 * (time.perf_counter() - start) / STEPS
        norms = [layer for layer in trainer.model.layers if isinstance(layer, layers.BatchNorm)]
        small = distribution.strategy.experimental_distribute_values_from_function(lambda _: tf.zeros((128,)))
        mean = tf.function(lambda x: distribution.strategy.run(lambda y: distribution.mean([tf.identity(y)]), (x,)))
        mean(small)
        start = time.perf_counter()
        for _ in range(200):
            mean(small)
        figures = {
            "step_ms": step_ms,
            "precision": norms[0].compute_dtype,
            "gradient_bytes": sum(4 * int(tf.size(each)) for each in trainer.model.trainable_variables),
            "statistics_bytes": sum(4 * 4 * int(norm.gamma.shape[0]) for norm in norms),
            "collectives": 2 * len(norms) + 1,
            "collective_ms": 1000 * (time.perf_counter() - start) / 200,
        }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
