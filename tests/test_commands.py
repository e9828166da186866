import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from cnnlib import __version__, commands
from cnnlib.core.environment import settled
from cnnlib.core.errors import missing_package
from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import draw


def cnnlib(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python -m cnnlib` from a folder."""
    environ = os.environ | {"PYTHONPATH": str(PROJECT_ROOT)}
    command = [sys.executable, "-m", "cnnlib", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", commands.SCRIPTS)
def test_command_shows_the_help_of_its_script(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # as help shows paths
    monkeypatch.setattr(sys, "argv", [sys.argv[0]])
    stem = Path(commands.SCRIPTS[name]).stem
    monkeypatch.setitem(sys.modules, stem, ModuleType(stem))  # the command puts its own there, until the test ends
    with settled(), pytest.raises(SystemExit, match=r"^0$"):
        commands.main([name, "--help"])
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"usage: cnnlib {name} ")
    expected = import_module(commands.SCRIPTS[name].removesuffix(".py").replace("/", ".")).parser().format_help()
    assert out.split("\n\n", 1)[1] == expected.split("\n\n", 1)[1]


@pytest.mark.slow
def test_command_is_a_module_of_python(tmp_path: Path) -> None:
    run = cnnlib("train", "--help", folder=tmp_path)
    assert (run.returncode, run.stdout[:20], run.stderr) == (0, "usage: cnnlib train ", "")


@pytest.mark.parametrize("name", commands.SCRIPTS)
def test_wheel_carries_the_script_of_a_command(name: str) -> None:
    text = (PROJECT_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = re.search(
        r"^\[tool\.hatch\.build\.targets\.wheel\.force-include\]\n(.*?)^\[", text, re.MULTILINE | re.DOTALL
    )
    assert section
    script = commands.SCRIPTS[name]
    line = f'"{script}" = "cnnlib/shipped/{script}"'
    assert line in section[1].splitlines(), (
        f"pyproject.toml, force-include of the wheel: expected the script of `cnnlib {name}`; add the line {line}"
    )


def test_command_takes_no_script_of_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "recognize_local.py").write_text("raise SystemExit('the wrong script')")
    picture = draw("01", tmp_path / "01_1.png")
    run = cnnlib("read", "--offline", "--config", PROJECT_ROOT / "conf/general_config.json", picture, folder=tmp_path)
    assert (run.returncode, run.stderr) == (0, "")
    assert "label: 01, prediction: " in run.stdout


def test_version_help_and_an_unknown_command(tmp_path: Path) -> None:
    assert cnnlib("--version", folder=tmp_path).stdout == f"cnnlib {__version__}\n"
    assert cnnlib(folder=tmp_path).stdout == cnnlib("--help", folder=tmp_path).stdout
    unknown = cnnlib("trian", folder=tmp_path)
    assert unknown.returncode == 2
    assert unknown.stderr.startswith(
        "cnnlib: expected one of generate, label, verify, train, test, serve, read, stress; got trian"
    )


def test_missing_package_is_named_with_the_command_that_installs_it(tmp_path: Path) -> None:
    shutil.copytree(PROJECT_ROOT / "cnnlib", tmp_path / "cnnlib")
    for name in ("gen_image", "conf"):
        shutil.copytree(PROJECT_ROOT / name, tmp_path / name)
    code = "import sys; sys.modules['captcha'] = None; from cnnlib.commands import main; sys.exit(main(['generate']))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "captcha" in run.stderr
    comes_with = "the package is not installed; it comes with: pip install '.[train]', in the project's folder"
    assert run.stderr.endswith(f"{comes_with}\n")
    assert len(run.stderr.splitlines()) == 1


def test_module_of_our_own_that_is_missing_is_no_package_to_install() -> None:
    error = ModuleNotFoundError("No module named 'cnnlib.gone'", name="cnnlib.gone")
    with pytest.raises(ModuleNotFoundError, match=r"cnnlib\.gone"):
        missing_package(error)
