"""TF_CONFIG: what is understood, what is refused and how."""

import json
import os
import sys

import pytest

from cnnlib.core.errors import ConfigError
from cnnlib.training.cluster import Cluster, cluster_of, read_cluster, tf_config
from tests.helpers import run_python

HOSTS = ("a:2222", "[::1]:2223", "10.0.0.3:1")


def test_workers_and_index_are_read() -> None:
    assert read_cluster({"TF_CONFIG": tf_config(HOSTS, 2)}) == Cluster(HOSTS, 2)


@pytest.mark.parametrize("text", ["", "  ", "{}", '{"cluster": {}}', tf_config(["a:1"], 0)])
def test_one_worker_needs_no_others(text: str) -> None:
    assert read_cluster({"TF_CONFIG": text}) is None
    assert read_cluster({}) is None


def changed(**parts: object) -> str:
    return json.dumps(json.loads(tf_config(["a:1", "b:2"], 0)) | parts)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{'cluster'}", "expected JSON; got {'cluster'}"),
        ("[1]", "expected an object with the keys cluster and task; got [1]"),
        (changed(cluster=[]), "expected an object with the keys cluster and task"),
        (changed(cluster={"worker": ["a:1", "b:2"], "ps": ["c:1"]}), "expected workers alone; got the role ps"),
        (changed(cluster={"worker": ["a:1"], "chief": ["c:1"]}), "got the role chief; worker 0 is the one that writes"),
        (changed(cluster={"worker": ["a:1"], "evaluator": ["c:1"]}), "got the role evaluator"),
        (changed(cluster={"worker": "a:1"}), "expected a list of addresses HOST:PORT as cluster.worker"),
        (changed(cluster={"worker": ["a:1", "b"]}), 'got ["a:1", "b"]'),
        (changed(cluster={"worker": ["a:1", "b:70000"]}), "expected a list of addresses"),
        (changed(cluster={"worker": ["a:1", "a:1"]}), "expected another address for each worker"),
        (changed(task=None), 'expected the key task with "type" and "index"; got null'),
        (changed(task={"type": "worker"}), 'expected the key task with "type" and "index"'),
        (changed(task={"type": "chief", "index": 0}), 'expected "worker" as task.type; got "chief"'),
        (changed(task={"type": "worker", "index": 2}), "expected a whole number from 0 to 1 as task.index; got 2"),
        (changed(task={"type": "worker", "index": "0"}), 'as task.index; got "0"'),
        (changed(task={"type": "worker", "index": True}), "as task.index; got true"),
    ],
)
def test_broken_tf_config_is_refused_in_a_sentence(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_cluster({"TF_CONFIG": text})
    assert str(caught.value).startswith("TF_CONFIG: ")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


COMMAND = (sys.executable, "-c", "import os; print(os.environ['TF_CONFIG'])")
MODULE = ("-m", "cnnlib.training.cluster", "--workers", "3", "--host", "train-{}.train:2222")
TRAINERS = [f"train-{number}.train:2222" for number in range(3)]


def test_command_runs_with_the_index_of_a_kubernetes_job() -> None:
    run = run_python(*MODULE, "--", *COMMAND, env=os.environ | {"JOB_COMPLETION_INDEX": "2"})
    assert json.loads(run.stdout) == json.loads(tf_config(TRAINERS, 2))
    run = run_python(*MODULE, "--index", "1", "--", *COMMAND, env=os.environ | {"JOB_COMPLETION_INDEX": "2"})
    assert json.loads(run.stdout)["task"]["index"] == 1


def test_command_says_which_index_is_expected() -> None:
    environment = {key: value for key, value in os.environ.items() if key != "JOB_COMPLETION_INDEX"}
    run = run_python(*MODULE, "--", *COMMAND, env=environment, check=False)
    expected = "expected a whole number in --index or JOB_COMPLETION_INDEX; got none\n"
    assert (run.returncode, run.stdout, run.stderr) == (2, "", expected)
    run = run_python(*MODULE, "--index", "3", "--", *COMMAND, check=False)
    assert (run.returncode, run.stdout) == (2, "")
    assert "expected a whole number from 0 to 2 as task.index; got 3" in run.stderr


@pytest.mark.parametrize(
    ("text", "got"),
    [
        (None, "none"),
        (" ", "none"),
        ("{}", "one that names no worker"),
        ('{"cluster": {}}', "one that names no worker"),
    ],
)
def test_strategy_of_workers_needs_some(text: str | None, got: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if text is not None:
        monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ConfigError, match=f"c.json: key 'strategy': expected TF_CONFIG beside \"workers\"; got {got}"):
        cluster_of("workers", "c.json")
    assert cluster_of("auto", "c.json") is None
    monkeypatch.setenv("TF_CONFIG", tf_config(["a:1"], 0))
    assert cluster_of("workers", "c.json") is None, "one worker needs no others"


def test_command_that_is_not_there_is_named() -> None:
    run = run_python(*MODULE, "--index", "0", "--", "no-such-command", check=False)
    expected = "no-such-command: expected a command to run; it can't be run: No such file or directory\n"
    assert (run.returncode, run.stdout, run.stderr) == (2, "", expected)
