"""What all scripts have in common: help, and one line for what is wrong."""

import json
import os
import re
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import train_model
import webserver_recognize_api
from cnnlib import cli
from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import SCRIPTS, fill, free_port, run_script, write_config

WITHOUT_CONFIG = ("tools/demo.py", "tools/ship_model.py")


def module_of(script: str) -> ModuleType:
    return import_module(script.removesuffix(".py").replace("/", "."))


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_fits_a_terminal_and_shows_examples(
    script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(sys, "argv", [str(PROJECT_ROOT / script)])
    monkeypatch.chdir(PROJECT_ROOT.parent)  # where paths are longer
    with pytest.raises(SystemExit, match=r"^0$"):
        module_of(script).main(["--help"])
    out, err = capsys.readouterr()
    assert err == ""
    assert max(map(len, out.splitlines())) <= 80
    assert "\nexamples:\n  python " in out
    assert ("--config PATH" in out) == (script not in WITHOUT_CONFIG)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_main_says_errors_as_scripts_do(script: str) -> None:
    assert module_of(script).main.__code__ is cli.script(lambda _: 0).__code__, "expected @script above main"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("script", ["train_model.py", "gen_image/collect_labels.py"])
def test_closed_pipe_is_no_traceback(script: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(PROJECT_ROOT / script), "--help"]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert run.stderr == b""
    assert run.returncode in (0, 128 + signal.SIGPIPE)


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in WITHOUT_CONFIG])
def test_broken_config_is_one_line_and_status_two(
    script: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"count": 1,}')
    assert module_of(script).main(["--config", str(path)]) == 2
    assert re.fullmatch(r".*broken\.json: line 1, column 1[23]: not JSON: .*\n", capsys.readouterr().err)


@pytest.mark.parametrize("script", ["recognize_local.py", "recognize_online.py", "recognize_time_test.py"])
def test_client_without_a_server_is_status_one_and_says_so(
    trained: SimpleNamespace, tmp_path: Path, script: str
) -> None:
    keys = json.loads(trained.config_path.read_text())
    config = tmp_path / "config.json"
    config.write_text(json.dumps(keys | {"remote_url": f"http://127.0.0.1:{free_port()}/captcha/"}))
    extra = ("--count", "3", "--output", tmp_path) if script == "recognize_time_test.py" else ("--count", "3")
    run = run_script(script, "--config", config, "--url", f"http://127.0.0.1:{free_port()}/b", *extra)
    assert run.returncode == 1
    assert "the server can't be reached; is it running?" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    if script == "recognize_time_test.py":
        assert "1 of 1 requests failed, the first ones: [1]" in run.stdout


@pytest.mark.parametrize("script", ["webserver_recognize_api.py", "test_batch.py"])
def test_missing_model_is_one_line_and_status_two(tmp_path: Path, script: str) -> None:
    path = write_config(tmp_path)
    fill(tmp_path / "sample" / "test", 2)
    run = run_script(script, "--config", path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "expected a trained model; there is no model_card.json; train one with train_model.py" in run.stderr


@pytest.mark.parametrize("script", ["train_model.py", "test_batch.py", "webserver_recognize_api.py"])
def test_changed_config_is_one_line_and_status_two(trained: SimpleNamespace, tmp_path: Path, script: str) -> None:
    keys = json.loads(trained.config_path.read_text())
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(keys | {"image_width": 50, "char_set": "012"}))
    run = run_script(script, "--config", path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert 'trained with image_width 32, char_set "01", but' in run.stderr
    assert 'says image_width 50, char_set "012"; set the config back, or name another model_save_dir' in run.stderr


@pytest.mark.parametrize(
    ("script", "arguments", "key"),
    [
        pytest.param("train_model.py", [], "model_save_dir", marks=pytest.mark.slow),  # imports TensorFlow
        ("train_model.py", ["--recognize", "/nope_1.png"], ""),
        ("verify_and_split_data.py", [], "train_image_dir"),
        ("recognize_time_test.py", ["--output", "LICENSE"], ""),
    ],
)
def test_path_that_cannot_be_used_is_one_line_and_status_two(
    trained: SimpleNamespace, tmp_path: Path, script: str, arguments: list[str], key: str
) -> None:
    run = run_script(script, "--config", blocked(trained.config_path, tmp_path, key), *arguments, folder=PROJECT_ROOT)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    reasons = "No such file or directory|Not a directory|File exists|expected a folder; got a file"
    assert re.search(rf": ({reasons})\n$", run.stderr)


def test_unwritable_log_dir_is_one_line_and_status_two(
    trained: SimpleNamespace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train_model.main(["--config", str(blocked(trained.config_path, tmp_path, "log_dir"))]) == 2
    assert re.fullmatch(r"[^\n]*: expected a folder; got a file\n", capfd.readouterr().err)


def blocked(config_path: Path, tmp_path: Path, key: str) -> Path:
    """A copy of a config in which the folder of this key can't be made, if there is a key."""
    (tmp_path / "file").write_text("no folder")
    changed = {key: str(tmp_path / "file" / "in")} if key else {}
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(config_path.read_text()) | changed))
    return path


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_port_out_of_range_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit) as ended:
        webserver_recognize_api.main([f"--port={port}"])
    assert ended.value.code == 2
    assert f"expected a port, 0 to 65535; got {port}" in capsys.readouterr().err
