"""Scripts in processes that lack something: a standard stream, or the script's folder on Python's path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from tests.helpers import fill, run_script, write_config

pytestmark = pytest.mark.slow

SCRIPTS = sorted(path for folder in (".", "gen_image", "tools") for path in (PROJECT_ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("script", [path for path in SCRIPTS if path.name != "__init__.py"], ids=lambda path: path.name)
def test_script_is_found_without_its_folder_on_the_path(script: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-I", str(script), "--help"]  # isolated: what -P and -s leave out, and more
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (run.returncode, run.stdout[:6], run.stderr) == (0, "usage:", "")


@pytest.mark.skipif(os.name == "nt", reason="no shell that closes descriptors")
@pytest.mark.parametrize("closed", ["2>&-", "1>&-", "0<&- 1>&- 2>&-"])
def test_pictures_are_split_without_standard_streams(closed: str, tmp_path: Path) -> None:
    path = write_config(tmp_path)
    fill(tmp_path / "sample" / "origin", 8)
    command = f'"{sys.executable}" "{PROJECT_ROOT / "verify_and_split_data.py"}" "{path}" {closed}'
    assert subprocess.run(["sh", "-c", command], check=False, stdout=subprocess.DEVNULL).returncode == 0
    assert len([*(tmp_path / "sample").glob("t*/*.png")]) == 8


@pytest.mark.skipif(os.name == "nt", reason="no shell that closes descriptors")
def test_training_and_generator_run_without_standard_error(tmp_path: Path) -> None:
    path = write_config(tmp_path, cycle_stop=10, cycle_save=10, acc_stop=1)
    fill(tmp_path / "sample" / "train", 40)
    train = f'"{sys.executable}" "{PROJECT_ROOT / "train_model.py"}" "{path}" 0<&- 1>&- 2>&-'
    draw = f'"{sys.executable}" "{PROJECT_ROOT / "gen_image" / "gen_sample_by_captcha.py"}" --count 40 2>&-'
    assert subprocess.run(["sh", "-c", train], check=False).returncode == 0
    assert (tmp_path / "model" / "model_card.json").exists()
    config = tmp_path / "captcha.json"
    look = {"root_dir": str(tmp_path / "drawn"), "image_suffix": "png", "characters": "01"}
    config.write_text(json.dumps(look | {"count": 40, "char_count": 2, "width": 60, "height": 30}))
    assert (
        subprocess.run(["sh", "-c", f'{draw} --config "{config}"'], check=False, stdout=subprocess.DEVNULL).returncode
        == 0
    )
    assert len([*(tmp_path / "drawn").glob("*.png")]) == 40


@pytest.mark.skipif(os.name == "nt", reason="no shell that closes descriptors")
def test_no_other_file_takes_the_place_of_standard_error(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = [sys.argv[1]]; import cnnlib, os; file = open(sys.argv[0] + '.out', 'w');"
        "os.write(2, b'noise'); print('noise', file=sys.stderr); file.write(str(file.fileno()))"
    )
    script = tmp_path / "out"
    command = f'"{sys.executable}" -c "{code}" "{PROJECT_ROOT / "train_model.py"}" 2>&-'
    assert subprocess.run(["sh", "-c", command], cwd=PROJECT_ROOT, check=False).returncode == 0
    written = PROJECT_ROOT / "train_model.py.out"
    try:
        assert int(written.read_text()) > 2
    finally:
        written.unlink()
    assert not script.exists()


def test_progress_bar_without_standard_error_counts_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnnlib.core.progress import print_above, progress_bar

    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    assert list(progress_bar([1, 2], unit=" pictures")) == [1, 2]
    print_above("a line")


def test_wrong_argument_without_standard_error_is_status_2(tmp_path: Path) -> None:
    assert run_script("train_model.py", "--no-such-option", folder=tmp_path).returncode == 2
