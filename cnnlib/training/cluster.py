"""The workers of a training on several machines, as TF_CONFIG names them.

As a command it makes TF_CONFIG from a number, such as the index of a Kubernetes
job, and runs a training with it:

  python -m cnnlib.training.cluster --workers 3 --host train-{}.train:2222 \\
      --index 0 -- python train_model.py
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlib.core.errors import ConfigError
from cnnlib.core.printable import excerpt

EXAMPLE = '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}'
INDEX = "JOB_COMPLETION_INDEX"  # of an indexed job of Kubernetes


@dataclass(frozen=True)
class Cluster:
    """Addresses HOST:PORT of all workers, the same list on each of them, and the number of this one."""

    workers: tuple[str, ...]
    index: int

    def name(self, index: int) -> str:
        """What messages call a worker."""
        return f"worker {index} ({self.workers[index]})"


def read_cluster(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """The cluster that TF_CONFIG names; None without one, and when it names one worker, which needs no others.

    Raises ConfigError when TF_CONFIG is broken or names other roles.
    """
    cluster = _named(environment)
    return cluster if cluster and len(cluster.workers) > 1 else None


def _named(environment: Mapping[str, str]) -> Cluster | None:
    """The cluster that TF_CONFIG names, which may be one worker; None when it names none."""
    text = environment.get("TF_CONFIG", "").strip()
    if not text:
        return None
    try:
        content = json.loads(text)
    except ValueError as error:
        raise _fault("JSON", text, f"{error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("cluster", {}), dict):
        raise _fault("an object with the keys cluster and task", text)
    workers = _workers(content.get("cluster", {}))
    return Cluster(workers, _index(content.get("task"), len(workers))) if workers else None


def cluster_of(strategy: str, config_name: str) -> Cluster | None:
    """The workers that a training by this `strategy` of the config has; None where it needs no others.

    Raises ConfigError when TF_CONFIG is broken, or missing where the strategy needs it.
    """
    if strategy not in ("auto", "workers"):
        return None
    if strategy == "workers" and not _named(os.environ):
        got = "one that names no worker" if os.environ.get("TF_CONFIG", "").strip() else "none"
        remedy = 'set it on each machine as docs/distributed.md says, or take "auto"'
        raise ConfigError(f"{config_name}: key 'strategy': expected TF_CONFIG beside \"workers\"; got {got}; {remedy}")
    return read_cluster()


def _workers(roles: dict[str, Any]) -> tuple[str, ...]:
    """The addresses of the role worker. Raises ConfigError when there are other roles or faulty addresses."""
    others = sorted(role for role in roles if role != "worker" and roles[role])
    if others:
        raise _fault("workers alone", f"the role {', '.join(others)}", "worker 0 is the one that writes")
    workers = roles.get("worker", [])
    if not isinstance(workers, list) or not all(map(_is_address, workers)):
        raise _fault("a list of addresses HOST:PORT as cluster.worker", json.dumps(workers))
    if len({*workers}) < len(workers):
        raise _fault("another address for each worker", json.dumps(workers))
    return tuple(workers)


def _index(task: Any, count: int) -> int:
    """The number of this worker. Raises ConfigError when it is none of the cluster's."""
    if not isinstance(task, dict) or not {"type", "index"} <= task.keys():
        raise _fault('the key task with "type" and "index"', json.dumps(task))
    if task["type"] != "worker":
        raise _fault('"worker" as task.type', json.dumps(task["type"]))
    index = task["index"]
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < count:
        raise _fault(f"a whole number from 0 to {count - 1} as task.index", json.dumps(index))
    return index


def _is_address(text: Any) -> bool:
    """Whether a text is HOST:PORT."""
    if not isinstance(text, str):
        return False
    host, _, port = text.rpartition(":")
    return bool(host.strip()) and port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536


def _fault(expected: str, got: str, remedy: str = f"an example: {EXAMPLE}") -> ConfigError:
    return ConfigError(f"TF_CONFIG: expected {expected}; got {excerpt(got)}; {remedy}")


def tf_config(hosts: Sequence[str], index: int) -> str:
    """The text of TF_CONFIG for the worker of this number."""
    return json.dumps({"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": index}})


def main(argv: Sequence[str] | None = None) -> int:
    """Replace this process by the command, with TF_CONFIG set. Returns 2 after printing why it can't."""
    arguments = parser().parse_args(argv)
    hosts = [arguments.host.replace("{}", str(number)) for number in range(arguments.workers)]
    index = os.environ.get(INDEX, "") if arguments.index is None else arguments.index
    try:
        if not index.isdecimal():
            raise ConfigError(f"expected a whole number in --index or {INDEX}; got {excerpt(index) or 'none'}")
        environment = {**os.environ, "TF_CONFIG": tf_config(hosts, int(index))}
        read_cluster(environment)
        os.execvpe(arguments.command[0], arguments.command, environment)
    except ConfigError as error:
        print(error, file=sys.stderr)
    except OSError as error:
        command = excerpt(arguments.command[0])
        print(f"{command}: expected a command to run; it can't be run: {error.strerror}", file=sys.stderr)
    return 2


def parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m cnnlib.training.cluster", description=__doc__, formatter_class=formatter
    )
    parser.add_argument("--workers", type=int, required=True, metavar="N", help="how many workers there are")
    parser.add_argument("--host", required=True, help="address HOST:PORT of a worker, with {} in place of its number")
    parser.add_argument("--index", metavar="N", help=f"number of this worker (default: {INDEX} of the environment)")
    parser.add_argument("command", nargs="+", help="what to run, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
