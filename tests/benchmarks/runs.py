"""One benchmark run: the suite's own scripts in a folder of their own, its result stored and never run twice.

A run that was killed goes on where it stopped. Pictures, models and logs lie in `bench/`; results, a few lines of
JSON each, in `tests/benchmarks/results/`, from which the pages are written.
"""

import io
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.config import SAMPLE_CONFIG
from cnnlib.core.files import read_json_object, write_atomically
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.inference.model_card import load_card, load_model
from cnnlib.training.cluster import tf_config
from tests.helpers import free_port

RESULTS = Path(__file__).parent / "results"
WORK = PROJECT_ROOT / "bench"

Result = dict[str, Any]
Config = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """A training and its test: `prepare` fills the folders of the config, given the run's own folder.

    `options` are the training's, `unseen` fills the test folder after it, `about` is stored with the result. `workers`
    processes of one thread each share the training.
    """

    name: str
    prepare: Callable[[Path], Config]
    unseen: Callable[[Config], None] = lambda _: None
    options: tuple[str, ...] = ()
    about: Result = field(default_factory=dict)
    workers: int = 1


def shipped_config(folder: Path, **keys: Any) -> Config:
    """The shipped config with every folder below `folder`, and `keys`."""
    config = {key: value for key, value in read_json_object(SAMPLE_CONFIG).items() if key != "$schema"}
    config |= {key: str(folder / value) for key, value in config.items() if key.endswith("_dir")}
    return config | {"cache_dir": str(folder / "cache"), "log_dir": str(folder / "logs")} | keys


def write_config(path: Path, config: Config) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(config, indent=2).encode())


def stored(name: str) -> Result | None:
    """The result of a run, None before it."""
    path = RESULTS / f"{name}.json"
    return read_json_object(path) if path.exists() else None


def store(name: str, measured: Result) -> Result:
    """Write what was measured under a name, with the day, the commit and the machine; returns all of it."""
    origin = {"date": date.today().isoformat(), "commit": commit(), "machine": machine()}
    result = {"name": name, **measured, **origin}
    RESULTS.mkdir(exist_ok=True)
    write_atomically(RESULTS / f"{name}.json", (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    return result


def perform(run: Run) -> Result:
    """The stored result of a run, or that of running it now."""
    found = stored(run.name)
    if found is not None:
        return found
    folder = WORK / run.name
    config = run.prepare(folder)
    path = folder / "config.json"
    write_config(path, config)
    print(f"{run.name}: training", flush=True)
    said = train(run, path)
    run.unseen(config)
    call("test_batch.py", "--config", str(path), log=folder / "test.log")
    general = config.get("network") != "classic" and "none" not in run.options  # what the training started from
    about = {**run.about, "warm_start": general}
    result = store(run.name, about | figures(Path(config["model_save_dir"]), said))
    print(f"{run.name}: {result['picture_accuracy']:.2%} in {result['seconds']:.0f} s", flush=True)
    return result


def train(run: Run, config: Path) -> str:
    """Train with the config in a run's folder, and return what worker 0 said."""
    command = ["train_model.py", "--config", str(config), *run.options]
    log = config.with_name("train.log")
    if run.workers == 1:
        return call(*command, log=log)
    first, *others = worker_environments(run.workers)
    full = [sys.executable, str(PROJECT_ROOT / command[0]), *command[1:]]
    with log.with_name("other_workers.log").open("a", encoding="utf-8") as file:
        processes = [subprocess.Popen(full, env=each, stdout=file, stderr=file, cwd=PROJECT_ROOT) for each in others]
        said = call(*command, log=log, env=first)
        if any(process.wait() for process in processes):
            raise SystemExit(f"a worker failed; see {file.name}")
    return said


def worker_environments(count: int) -> list[dict[str, str]]:
    """The environments of workers on this machine, of one thread each."""
    hosts = [f"127.0.0.1:{free_port()}" for _ in range(count)]
    threads = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    return [{**os.environ, **threads, "TF_CONFIG": tf_config(hosts, number)} for number in range(count)]


def call(script: str, *arguments: str, log: Path, env: dict[str, str] | None = None) -> str:
    """Run a script of the suite, what it says going into `log`; returns that. Ends the bench where it fails."""
    command = [sys.executable, str(PROJECT_ROOT / script), *arguments]
    with log.open("a", encoding="utf-8") as file:
        environment = {**os.environ, **(env or {})}
        done = subprocess.run(command, cwd=PROJECT_ROOT, stdout=file, stderr=file, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"{script} failed with status {done.returncode}; see {log}")
    return log.read_text(encoding="utf-8")


def figures(model_dir: Path, said: str) -> Result:
    """What is kept of a training and its test."""
    card, content = load_model(model_dir, "checkpoint")
    with np.load(io.BytesIO(content)) as arrays:
        curve = arrays["progress/verification_curve"].tolist()
    test = read_json_object(model_dir / "report" / "test.json")
    rates = [(0, 0), *re.findall(r"matrix product (\d+) GFLOP/s in bfloat16, (\d+) in float32", said)][-1]
    trained = re.findall(r"Training pictures, unchanged.*: picture accuracy ([\d.]+)%", said)
    speed = [(0, 0), *re.findall(r"(\d+) pictures/s, (\d+) GFLOP/s", said)][-1]  # none where it was killed at its end
    return {
        "picture_accuracy": test["picture_accuracy"],
        "interval": test["picture_accuracy_interval"],
        "samples": test["samples"],
        "character_accuracy": test["character_accuracy"],
        "confusions": test["confusions"][:8],
        "training_picture_accuracy": round(float(trained[-1]) / 100, 6) if trained else None,
        "training_pictures": card.training_pictures,
        "network": card.network,
        "step": card.step,
        "seconds": card.training_seconds,
        "pictures_per_s": float(speed[0]),
        "gflops": float(speed[1]),
        "machine_gflops": {"bfloat16": float(rates[0]), "float32": float(rates[1])},
        "curve": [[int(step), round(share, 4)] for step, share in curve],
        "versions": load_card(model_dir).versions,
    }


def commit() -> str:
    """The last commit that changed code; empty without Git."""
    command = ["git", "log", "-1", "--format=%h", "--", "*.py"]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False).stdout.strip()


def machine() -> str:
    """Processor and number of cores."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"model name\s*: (.*)", cpuinfo.read_text(encoding="utf-8"))
        name = found[1] if found else name
    return f"{name}, {os.cpu_count()} cores"
