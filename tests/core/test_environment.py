"""Settings of imported libraries that come from outside, and that are not ours to obey."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlib.core.environment import SETTINGS, settle, settled
from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import fill, run_script, write_config

NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
RC = "text.usetex: True\nbackend: nowhere\nfont.size: 70\n"
OTHERS = {
    "KERAS_BACKEND": "jax",
    "KERAS_NNX_ENABLED": "1",
    "KERAS_MAX_EPOCHS": "many",
    "TF_USE_LEGACY_KERAS": "1",
    "TQDM_NCOLS": "wide",
    "TQDM_MININTERVAL": "often",
    "FLASK_DEBUG": "1",
}


@pytest.fixture
def hostile(tmp_path: Path) -> dict[str, str]:
    """An environment in which a notebook, another backend of Keras and odd config files steer what they can."""
    home = tmp_path / "home"
    (home / ".keras").mkdir(parents=True)
    settings = {"backend": "torch", "image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1}
    (home / ".keras" / "keras.json").write_text(json.dumps(settings))
    (home / ".config" / "matplotlib").mkdir(parents=True)
    (home / ".config" / "matplotlib" / "matplotlibrc").write_text(RC)
    return os.environ | NOTEBOOK | OTHERS | {"HOME": str(home), "USERPROFILE": str(home)}


def python(code: str, env: dict[str, str]) -> str:
    run = subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.slow
def test_training_and_batch_test_run_under_foreign_settings(tmp_path: Path, hostile: dict[str, str]) -> None:
    path = write_config(tmp_path, cycle_stop=10, cycle_save=10, acc_stop=1)
    fill(tmp_path / "sample" / "train", 40)
    fill(tmp_path / "sample" / "test", 4, seed=1)
    for script in ("train_model.py", "test_batch.py"):
        run = run_script(script, path, env=hostile)
        assert run.returncode == 0, run.stdout + run.stderr
        assert "[Warning]" not in run.stdout + run.stderr
    assert (tmp_path / "model" / "test_acc.png").exists()
    drawn = (tmp_path / "model" / "report" / "confusion.png").exists()
    assert drawn or "rate of 100.0%" in run.stdout


def test_plots_are_drawn_in_a_process_of_the_users(tmp_path: Path, hostile: dict[str, str]) -> None:
    draw = "from cnnlib.evaluation.plots import draw_confusions; from pathlib import Path; import sys, os;"
    draw += "draw_confusions(Path(sys.argv[1]), [('a', 'b', 3)]); print(os.environ['MPLBACKEND'])"
    for name, env in {"plain": dict(os.environ) | {"MPLBACKEND": "svg"}, "hostile": hostile}.items():
        command = [sys.executable, "-c", draw, str(tmp_path / f"{name}.png")]
        run = subprocess.run(command, cwd=PROJECT_ROOT, env=env, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        assert run.stdout.strip() == env["MPLBACKEND"], "the user's own code finds it as it was"
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "hostile.png").read_bytes()


def test_backend_of_matplotlib_that_is_there_stays_the_users() -> None:
    code = "import cnnlib.evaluation.plots, matplotlib; print(matplotlib.rcParams['backend'])"
    assert python(code, os.environ | {"MPLBACKEND": "svg"}) == "svg"


def test_fonts_of_the_machine_are_found_in_a_child_of_a_notebook(hostile: dict[str, str]) -> None:
    code = "from cnnlib.synthesis.generators import system_fonts; print(len(system_fonts()) > 0)"
    assert python(code, hostile) in ("True", "False")


@pytest.mark.slow
def test_keras_computes_on_tensorflow_with_the_channels_last(hostile: dict[str, str]) -> None:
    code = (
        "import cnnlib.training.trainer, keras; c = keras.config; print(c.backend(), c.image_data_format(), c.floatx())"
    )
    assert python(code, hostile) == "tensorflow channels_last float32"


def test_settings_of_the_user_are_back_after_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (NOTEBOOK | OTHERS).items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with settled():
        assert {name: os.environ.get(name) for name in SETTINGS} == SETTINGS
        assert not any(name.startswith("TQDM_") for name in os.environ)
    assert dict(os.environ) == before


def test_importing_the_library_changes_nothing_of_the_users_own_settings(hostile: dict[str, str]) -> None:
    code = "import os; from cnnlib import Recognizer; print(os.environ['KERAS_BACKEND'], os.environ['MPLBACKEND'])"
    assert python(code, hostile) == f"jax {NOTEBOOK['MPLBACKEND']}"


def test_service_answers_errors_in_json_in_flasks_debug_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    from flask import Flask

    from cnnlib.web.api_errors import answer_errors_in_json

    monkeypatch.setenv("FLASK_DEBUG", "1")
    app = Flask("test")
    answer_errors_in_json(app)

    @app.get("/")
    def fail() -> str:
        raise OSError("broken")

    answer = app.test_client().get("/")
    assert (answer.status_code, answer.json["error_code"]) == (500, "500")


def test_settling_twice_is_settling_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.setenv(name, "x")  # restores it after the test
    settle()
    settle()
    assert {name: os.environ.get(name) for name in SETTINGS} == SETTINGS
