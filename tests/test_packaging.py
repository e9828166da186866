"""The wheel in a new environment: it reads a picture without TensorFlow, from any folder."""

import ast
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnlib import __version__
from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import draw

pytestmark = pytest.mark.slow

SIZE_LIMIT_MB = 240  # of the packages: what servers and readers need


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A new environment with the wheel alone: its `python`, its `command` and another working `folder`."""
    folder = tmp_path_factory.mktemp("installed")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(PROJECT_ROOT),
    ]
    subprocess.run(build, check=True)
    (wheel,) = folder.glob("cnnlib-*.whl")
    venv.create(folder / "env", with_pip=False)
    binaries = folder / "env" / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / ("python.exe" if os.name == "nt" else "python")
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True)
    (folder / "elsewhere").mkdir()
    return SimpleNamespace(python=python, command=binaries / "cnnlib", folder=folder / "elsewhere", env=folder / "env")


def run(installed: SimpleNamespace, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, command)], cwd=installed.folder, capture_output=True, text=True, encoding="utf-8", check=False
    )


def test_picture_is_read_in_a_new_environment_without_tensorflow(installed: SimpleNamespace) -> None:
    draw("4271", installed.folder / "captcha.png", size=(60, 20))
    code = (
        "import sys; from cnnlib import Recognizer; "
        "print(Recognizer.general('0123456789').recognize('captcha.png').text, 'tensorflow' in sys.modules)"
    )
    done = run(installed, installed.python, "-c", code)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "4271 False\n")


def test_environment_is_small(installed: SimpleNamespace) -> None:
    size = sum(path.stat().st_size for path in installed.env.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < SIZE_LIMIT_MB * 1e6


def test_command_reads_with_the_shipped_config(installed: SimpleNamespace) -> None:
    assert run(installed, installed.command, "--version").stdout == f"cnnlib {__version__}\n"
    draw("4271", installed.folder / "4271_1.png", size=(60, 20))
    done = run(installed, installed.command, "read", "--offline", "--config", "conf/general_config.json", "4271_1.png")
    assert (done.returncode, done.stderr) == (0, "")
    assert "4271_1.png: label: 4271, prediction: " in done.stdout


def test_paths_of_a_config_are_relative_to_the_working_directory(installed: SimpleNamespace) -> None:
    done = run(installed, installed.command, "verify")
    assert done.returncode == 0, done.stderr
    assert (installed.folder / "sample" / "train").is_dir()
    assert "Total pictures in the original set: 0" in done.stdout


def test_every_folder_of_the_shipped_config_is_below_the_working_directory(installed: SimpleNamespace) -> None:
    code = (
        "from pathlib import Path; from cnnlib.config import SAMPLE_CONFIG, load_sample_config; "
        "paths = load_sample_config(SAMPLE_CONFIG).model_dump().values(); "
        "print(sorted({str(path.parent) for path in paths if isinstance(path, Path) if path != SAMPLE_CONFIG}))"
    )
    done = run(installed, installed.python, "-c", code)
    assert done.stderr == ""
    assert [path for path in ast.literal_eval(done.stdout) if not Path(path).is_relative_to(installed.folder)] == []


def test_command_that_needs_more_packages_names_them(installed: SimpleNamespace) -> None:
    done = run(installed, installed.command, "generate")
    assert done.returncode == 2
    comes_with = "the package is not installed; it comes with: pip install '.[train]', in the project's folder"
    assert done.stderr == f"captcha: {comes_with}\n"
