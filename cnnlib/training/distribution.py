"""How a training is spread over GPUs and machines, by a strategy of tf.distribute.

Each replica trains on its share of every batch, and all replicas always have the same weights. One code path serves
all: with a single replica TensorFlow's default strategy calls what it is given, and every function here gives back its
argument.
"""

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
from tensorflow.python.eager import context as tensorflow_context

from cnnlib.config import SampleConfig
from cnnlib.core.errors import CaptchaError, ConfigError, WorkerError, WorkerLostError
from cnnlib.core.printable import excerpt
from cnnlib.core.version import __version__
from cnnlib.training import peers as peers_module
from cnnlib.training.cluster import Cluster, cluster_of
from cnnlib.training.peers import Message, Peers

Batch = tuple[Any, Any, Any]  # pictures, labels and keys
BROKEN = (  # what a collective may raise when another worker is lost
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
)
STOP_STEPS = 5  # from one agreement on stopping to the next
GRACE_S = 15.0  # for a training that has lost a worker to end by itself
UNSHARED = (
    "_dir",
    "_file",
    "generator_config",
    "api_",
    "remote_url",
    "schema_link",
)  # parts of keys that workers may differ in


class Distribution:
    """The replicas of a training, and what they tell each other; without arguments one replica on one device."""

    def __init__(self, strategy: tf.distribute.Strategy | None = None, peers: Peers | None = None) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        self._peers = peers
        self.worker = peers.cluster.index if peers else 0
        self.workers = len(peers.cluster.workers) if peers else 1
        self._loss: CaptchaError | None = None
        self._lost = threading.Event()
        self._grace: threading.Timer | None = None
        self._all_gather = tf.function(self._gather_replicas, reduce_retracing=True)

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes and reads the model folder: worker 0."""
        return self.worker == 0

    @property
    def own_replicas(self) -> range:
        """The numbers of the replicas of this process."""
        count = self.replicas // self.workers
        return range(self.worker * count, (self.worker + 1) * count)

    def batches(self, share: Callable[[tuple[int, int]], Iterable[Batch]]) -> Iterable[Batch]:
        """The batches of this process's replicas. `share` gives those of a replica, by its number and their count."""
        if self.replicas == 1:
            return share((0, 1))
        shares = [share((number, self.replicas)) for number in self.own_replicas]
        return map(self._spread, zip(*shares, strict=True))

    def _spread(self, batches: Sequence[Batch]) -> Batch:
        """A batch of each of this process's replicas as one value of the strategy."""
        first = self.own_replicas.start
        spread: Batch = self.strategy.experimental_distribute_values_from_function(
            lambda context: batches[context.replica_id_in_sync_group - first]
        )
        return spread

    def mean(self, values: list[Any]) -> list[Any]:
        """The means over all replicas of tensors that each has, in one collective. For a replica's own context."""
        if self.replicas == 1:
            return values
        means: list[Any] = tf.distribute.get_replica_context().all_reduce("mean", values)
        return means

    def takes_means(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Let an optimizer apply gradients as they are. Keras's would sum over the replicas what is a mean already.

        It would do so after the check for infinite gradients, which must come out the same on all replicas.
        """
        if self.replicas > 1:
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            inner._all_reduce_sum_gradients = list

    def any_of(self, value: Any) -> Any:
        """The value of any of this process's replicas, for one that all have in common."""
        return self.strategy.experimental_local_results(value)[0]

    def join(self, value: Any) -> Any:
        """(batch, ...) of all replicas one behind the other, of a value of which each has its share."""
        return value if self.replicas == 1 else self._all_gather(value)

    def _gather_replicas(self, value: Any) -> Any:
        def gather(share: Any) -> Any:
            return tf.distribute.get_replica_context().all_gather(tf.identity(share), axis=0)

        return self.any_of(self.strategy.run(gather, args=(value,)))

    def exchange(self, content: bytes) -> list[bytes]:
        """What each worker gives, by its number."""
        if self.workers == 1:
            return [content]
        padding = -len(content) % 8
        head = np.array([len(content)], np.int64)
        own = np.concatenate([head, np.frombuffer(content + bytes(padding), np.int64)])
        none, first = own[:0], self.own_replicas.start
        spread = self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(own if context.replica_id_in_sync_group == first else none)
        )
        numbers, contents = self.join(spread).numpy(), []
        while len(numbers):
            size = int(numbers[0])
            words = 1 + -(-size // 8)
            contents.append(numbers[1:words].tobytes()[:size])
            numbers = numbers[words:]
        return contents

    def gather(self, value: Any) -> list[Any]:
        """What JSON can hold, of each worker by its number."""
        return [value] if self.workers == 1 else [*map(json.loads, self.exchange(json.dumps(value).encode()))]

    def from_first(self, make: Callable[[], bytes]) -> bytes:
        """What `make` gives on worker 0, on all workers."""
        return self.exchange(make() if self.writes else b"")[0]

    def own_share(self, count: int) -> slice:
        """Which of `count` things are this worker's to do, so that the shares in their order make up the whole."""
        return slice(self.worker * count // self.workers, (self.worker + 1) * count // self.workers)

    def in_shares(self, work: Callable[[np.ndarray], list[Any]], numbers: np.ndarray) -> list[Any]:
        """What `work` gives for numbers, a row of JSON for each, in their order. Each worker does its share."""
        shares = self.gather(work(numbers[self.own_share(len(numbers))]))
        return [row for share in shares for row in share]

    def agreed_signal(self, signal: int | None, step: int = 0) -> int | None:
        """The signal that any worker got, on all of them at the same step; without others, one's own at once."""
        if self.workers == 1 or step % STOP_STEPS:
            return signal if self.workers == 1 else None
        return max(self.gather(signal or 0)) or None

    def agreed_seconds(self, seconds: float, before: float, step: int) -> float:
        """How long the training has taken by the clock of worker 0, looked at every few steps; `before`: agreed last.

        What is done after some time, such as a save, has to be done by all workers at the same step.
        """
        if self.workers == 1:
            return seconds
        return before if step % STOP_STEPS else float(self.gather(seconds)[0])

    def check_same(self, what: str, value: str) -> None:
        """Raise ConfigError, on all workers, unless all have the same value."""
        values = self.gather(value)
        different = [number for number, other in enumerate(values) if other != values[0]]
        if different:
            names = ", ".join(self.name(number) for number in different)
            raise ConfigError(f"{names}: expected {what} of {self.name(0)}; got others; give all workers the same")

    def name(self, worker: int) -> str:
        """What messages call a worker."""
        return self._peers.cluster.name(worker) if self._peers else "this machine"

    def lose(self, sentence: str, status: int | None) -> None:
        """Note that the training can't go on, from any thread, and end it: by an error, or else the whole process.

        `status` is that of a worker that said why it ended, None for one that died.
        """
        if self._loss:
            return
        if status is None:
            sentence += "; the last save stays: start all workers again to go on"
        kind = WorkerError if status == WorkerError.status else WorkerLostError
        self._loss = kind(sentence)
        self._lost.set()
        tensorflow_context.context().abort_collective_ops(tf.errors.UNAVAILABLE, sentence)
        self._grace = threading.Timer(GRACE_S, _end_process, [self._loss])
        self._grace.daemon = True
        self._grace.start()

    @contextmanager
    def training(self) -> Iterator[None]:
        """The time in which this worker needs the others: they learn how it ends, and it ends when one of them does.

        Raises WorkerError, or WorkerLostError when a worker died.
        """
        if not self._peers:
            yield
            return
        try:
            yield
        except BROKEN as error:
            self._lost.wait(peers_module.ANSWER_S)  # a broken collective may be noticed before its cause
            broken = WorkerLostError(f"the connection with the other workers broke: {error.message[:200]}")
            self._peers.part("lost the connection with another worker")
            raise self._loss or broken from error
        except CaptchaError as error:
            self._peers.part(f"{error}", None if isinstance(error, WorkerLostError) else error.status)
            raise
        except BaseException as error:
            self._peers.part(f"ended by {type(error).__name__} {error}".strip())
            raise
        else:
            self._peers.part()
        finally:
            if self._grace:
                self._grace.cancel()


def _end_process(error: CaptchaError) -> None:
    """End this process although something still computes or waits. Files are written whole or not at all."""
    print(error, file=sys.stderr, flush=True)
    os._exit(error.status)


def distribute(config: SampleConfig) -> Distribution:
    """The distribution that `strategy` of the config asks for; with several workers, once all have met.

    Call it before TensorFlow computes anything. Raises ConfigError when TF_CONFIG is broken or workers disagree,
    WorkerLostError when one does not come.
    """
    cluster = cluster_of(config.strategy, config.name)
    if cluster:
        return _join_workers(config, cluster)
    gpus = tf.config.list_logical_devices("GPU")
    mirrored = config.strategy == "mirrored" or (config.strategy == "auto" and len(gpus) > 1)
    devices = (gpus or tf.config.list_logical_devices("CPU")) if mirrored else []
    several = [device.name for device in devices] if len(devices) > 1 else None
    return Distribution(tf.distribute.MirroredStrategy(several) if several else None)


def _join_workers(config: SampleConfig, cluster: Cluster) -> Distribution:
    """Meet the other workers, compare what all say of themselves, and let TensorFlow connect them."""
    peers = Peers(cluster, _hello(config, cluster))
    hellos = peers.meet()
    fault = disagreement(hellos, cluster)
    if fault:
        peers.part(fault, ConfigError.status)
        raise ConfigError(fault)
    # Peers notices lost workers in place of TensorFlow's services, which do so later and hold up the end of a process.
    tensorflow_context.context().configure_coordination_service(service_type="")
    CollectiveAllReduceExtended._enable_check_health = False
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.workers)}), task_type="worker", task_id=cluster.index
    )
    distribution = Distribution(tf.distribute.MultiWorkerMirroredStrategy(resolver), peers)
    peers.watch(distribution.lose)
    return distribution


def _hello(config: SampleConfig, cluster: Cluster) -> Message:
    """What workers have to agree on."""
    keys = {key: value for key, value in config.model_dump().items() if not any(part in key for part in UNSHARED)}
    versions = {"version": __version__, "tensorflow": tf.__version__, "keras": keras.__version__}
    devices = len(tf.config.list_physical_devices("GPU")) if config.enable_gpu else 0
    alphabet = str(config.alphabet)
    return {**versions, "TF_CONFIG": [*cluster.workers], "GPUs": devices, **keys, "char_set": alphabet}


def disagreement(hellos: Sequence[Message], cluster: Cluster) -> str:
    """A sentence about the first worker that differs from worker 0, empty when all agree."""
    first = json.loads(json.dumps(hellos[0]))
    for number, hello in enumerate(hellos):
        other = json.loads(json.dumps(hello))
        different = [key for key in first if key != "worker" and first[key] != other.get(key)]
        if different:
            ours, theirs = (
                ", ".join(f"{key} {excerpt(each.get(key))}" for key in different) for each in (first, other)
            )
            remedy = "give all workers the same version and config"
            return f"{cluster.name(number)}: expected {ours} as {cluster.name(0)} has; got {theirs}; {remedy}"
    return ""
