import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlib import __version__, commands
from cnnlib.core.errors import missing_package
from cnnlib.core.paths import PROJECT_ROOT
from tests.conftest import draw, run_script


def cnnlib(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m cnnlib` from a folder."""
    environ = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "cnnlib", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", commands.SCRIPTS)
def test_command_is_the_main_of_its_script(name: str, tmp_path: Path) -> None:
    own = cnnlib(name, "--help", folder=tmp_path)
    script = run_script(commands.SCRIPTS[name], "--help", folder=tmp_path)
    assert (own.returncode, own.stderr) == (0, "")
    usage = f"usage: cnnlib {name} "
    assert own.stdout.startswith(usage)
    assert own.stdout.split("\n\n", 1)[1] == script.stdout.split("\n\n", 1)[1]


def test_command_takes_no_script_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "recognize_local.py").write_text("raise SystemExit('the wrong script')")
    picture = draw("01", tmp_path / "01_1.png")
    run = cnnlib("read", "--offline", "--config", PROJECT_ROOT / "conf/general_config.json", picture, folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "label: 01, prediction: " in run.stdout


def test_version_help_and_a_wrong_command(tmp_path: Path) -> None:
    assert cnnlib("--version", folder=tmp_path).stdout == f"cnnlib {__version__}\n"
    assert cnnlib(folder=tmp_path).stdout == cnnlib("--help", folder=tmp_path).stdout
    wrong = cnnlib("trian", folder=tmp_path)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith(
        "cnnlib: expected one of generate, verify, train, test, serve, read, stress; got trian"
    )


def test_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    shutil.copytree(PROJECT_ROOT / "cnnlib", tmp_path / "cnnlib")
    for name in ("gen_image", "conf"):
        shutil.copytree(PROJECT_ROOT / name, tmp_path / name)
    code = "import sys; sys.modules['captcha'] = None; from cnnlib.commands import main; sys.exit(main(['generate']))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "captcha" in run.stderr
    assert run.stderr.endswith("the package is not installed; install it with: pip install 'cnnlib[train]'\n")
    assert len(run.stderr.splitlines()) == 1


def test_module_of_our_own_that_is_missing_is_no_package_to_install() -> None:
    error = ModuleNotFoundError("No module named 'cnnlib.gone'", name="cnnlib.gone")
    with pytest.raises(ModuleNotFoundError, match=r"cnnlib\.gone"):
        missing_package(error)
