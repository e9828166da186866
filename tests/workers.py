"""Starts trainings of several processes on loopback for the tests."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.training.cluster import tf_config
from tests.helpers import free_port

QUIET = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}  # a thread a process: they share the cores


def start(config: Path, *options: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start `tests.worker` on a config."""
    command = [sys.executable, "-m", "tests.worker", str(config), "--warm-start", "none", *options]
    variables = {key: value for key, value in os.environ.items() if key != "TF_CONFIG"} | QUIET | (environment or {})
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables, **pipes)


def start_workers(configs: Sequence[Path], **environment: str) -> list[subprocess.Popen[str]]:
    """Start a worker for each config. In values of the environment, {} stands for the worker's number."""
    hosts = [f"127.0.0.1:{free_port()}" for _ in configs]
    return [
        start(
            config,
            environment={key: value.replace("{}", str(number)) for key, value in environment.items()}
            | {"TF_CONFIG": tf_config(hosts, number)},
        )
        for number, config in enumerate(configs)
    ]


def end(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Status, standard output and the sentences on standard error of each, once all have ended."""
    results = []
    for process in processes:
        out, err = process.communicate(timeout=600)
        results.append((process.returncode, out, sentences(err)))
    return results


def sentences(err: str) -> str:
    """What we said on standard error, without the lines of native code."""
    lines = err.splitlines(keepends=True)
    ours = [line for line in lines if line.startswith(("worker ", "TF_CONFIG", "waited ", "Traceback", "/"))]
    return "".join(ours)


def wait_for(process: subprocess.Popen[str], text: str) -> None:
    """Read standard output up to a line with this text."""
    assert process.stdout
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"no line with {text}: {process.stderr and process.stderr.read()}")


def losses(path: Path) -> list[float]:
    """The losses that a process recorded, step by step."""
    return [json.loads(line) for line in path.read_text().splitlines()]
