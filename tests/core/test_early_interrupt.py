import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import SCRIPTS, run_python


@pytest.fixture
def slow_import(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing pydantic, as every script does, says so and takes a minute."""
    slow = tmp_path / "slow" / "pydantic.py"
    slow.parent.mkdir()
    slow.write_text("import time\nprint('importing', flush=True)\ntime.sleep(60)\n")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(slow.parent), str(PROJECT_ROOT)])}


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize("command", [*([script] for script in SCRIPTS), ["-m", "cnnlib", "train"]], ids=" ".join)
def test_ctrl_c_while_importing_ends_a_script_silently(command: list[str], slow_import: dict[str, str]) -> None:
    with subprocess.Popen(
        [sys.executable, *command], cwd=PROJECT_ROOT, env=slow_import, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"importing\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert errors == b""
    assert process.returncode in (-signal.SIGINT, 128 + signal.SIGINT)


def test_import_of_a_script_leaves_ctrl_c_as_it_was() -> None:
    code = "import signal, train_model; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    assert run_python("-c", code).stdout == "True\n"
