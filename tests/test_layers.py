import re
import subprocess
import sys

import pytest

from cnnlib.core.paths import PROJECT_ROOT

LOADED = "import sys, {}; print(*{{'tensorflow', 'keras', 'matplotlib'}} & sys.modules.keys())"
LIGHT = (
    "cnnlib.inference.recognizer",
    "cnnlib.web.app",
    "cnnlib.web.captcha_app",
    "cnnlib.client.api_client",
    "cnnlib.synthesis.generate",
    "cnnlib.synthesis.random_looks",
    "cnnlib.evaluation.diagnosis",
    "cnnlib.data.verify_and_split",
    "webserver_recognize_api",
    "webserver_captcha_image",
    "recognize_local",
    "recognize_online",
    "verify_and_split_data",
    "test_batch",
    "train_model",
)


@pytest.mark.parametrize("module", LIGHT)
def test_serving_clients_and_checking_import_nothing_heavy(module: str) -> None:
    assert loaded_by(module) == ""


def test_stress_test_imports_no_tensorflow() -> None:
    assert loaded_by("recognize_time_test") == "matplotlib"


def test_server_loads_nothing_that_its_own_requirements_lack() -> None:
    lines = (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    others = {re.split("[=;]", line)[0] for line in lines if line[:1].isalpha()}
    assert {"requests", "tensorflow"} < others
    code = (
        "import sys, webserver_recognize_api; from importlib.metadata import packages_distributions as made_by;"
        "known = made_by(); print(*{one for name in sys.modules for one in known.get(name, ())})"
    )
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert "Flask" in loaded or "flask" in loaded
    assert others.isdisjoint(map(str.lower, loaded))


def loaded_by(module: str) -> str:
    """The heavy packages that importing `module` in a fresh interpreter loads."""
    command = [sys.executable, "-c", LOADED.format(module)]
    return subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout.strip()
