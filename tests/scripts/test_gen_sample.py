import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import Shape, open_picture
from gen_image import gen_sample_by_captcha
from tests.helpers import run_script, start_script


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    keys = {"root_dir": str(tmp_path / "origin"), "image_suffix": "png", "characters": "0123", "count": 70}
    path = tmp_path / "captcha_config.json"
    path.write_text(json.dumps(keys | {"char_count": 4, "width": 100, "height": 60}))
    return path


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.png")}


def test_labelled_pictures_are_drawn_as_configured(config_path: Path, tmp_path: Path) -> None:
    run = run_script("gen_image/gen_sample_by_captcha.py", "--config", config_path)
    assert (run.returncode, run.stderr) == (0, "")
    drawn = list((tmp_path / "origin").glob("*.png"))
    assert len(drawn) == 70
    for path in drawn:
        open_picture(path.read_bytes(), Shape(60, 100))
        assert len(label_of(path.name)) == 4
        assert set(label_of(path.name)) <= set("0123")
    assert len({label_of(path.name) for path in drawn}) > 20


def test_seed_decides_the_pictures_on_any_number_of_cores(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    for cores in (1, 3):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert gen_sample_by_captcha.main(["--config", str(config_path), "--seed", "7"]) == 0
        runs.append(digests(tmp_path / "origin"))
        for path in (tmp_path / "origin").glob("*.png"):
            path.unlink()
    assert runs[0] == runs[1]


def test_second_run_of_a_seed_adds_other_pictures(config_path: Path, tmp_path: Path) -> None:
    arguments = ["--config", str(config_path), "--seed", "7"]
    gen_sample_by_captcha.main([*arguments, "--count", "40"])
    first = digests(tmp_path / "origin")
    gen_sample_by_captcha.main([*arguments, "--count", "40"])
    both = digests(tmp_path / "origin")
    assert len(both) == 80
    assert first.items() <= both.items()
    assert len(set(both.values())) == 80


def test_pictures_missing_after_an_interruption_are_drawn(config_path: Path, tmp_path: Path) -> None:
    arguments = ["--config", str(config_path), "--seed", "7", "--count", "40"]
    gen_sample_by_captcha.main(arguments)
    whole = digests(tmp_path / "origin")
    for path in sorted((tmp_path / "origin").glob("*-00001*.png")):
        path.unlink()
    gen_sample_by_captcha.main([*arguments[:-1], "10"])
    assert digests(tmp_path / "origin") == whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_interrupted_run_leaves_whole_pictures_and_no_process(config_path: Path, tmp_path: Path, number: int) -> None:
    script = "gen_image/gen_sample_by_captcha.py"
    process = start_script(script, "--config", config_path, "--count", "100000", start_new_session=True)
    while len(list((tmp_path / "origin").glob("*.png"))) < 20:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(120) in (128 + number, -number)
    deadline = time.monotonic() + 120
    while group_lives(process.pid):
        assert time.monotonic() < deadline, "the drawing processes go on"
        time.sleep(0.05)
    process.communicate()
    for path in (tmp_path / "origin").glob("*.png"):
        open_picture(path.read_bytes(), Shape(60, 100))


def group_lives(number: int) -> bool:
    """Whether a process of this process group is left."""
    try:
        os.killpg(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_runs_without_seed_differ(config_path: Path, tmp_path: Path) -> None:
    for _ in range(2):
        gen_sample_by_captcha.main(["--config", str(config_path), "--count", "40"])
    assert len(set(digests(tmp_path / "origin").values())) == 80


def test_unusable_arguments_and_fonts_are_status_two(config_path: Path, tmp_path: Path) -> None:
    run = run_script("gen_image/gen_sample_by_captcha.py", "--config", config_path, "--count", "0")
    assert run.returncode == 2
    assert "argument --count: expected a whole number, 1 to 1000000000; got 0" in run.stderr
    config_path.write_text(config_path.read_text().replace("0123", "01天"))
    run = run_script("gen_image/gen_sample_by_captcha.py", "--config", config_path)
    assert run.returncode == 2
    assert "DroidSansMono.ttf: the font lacks 天; name another one with --fonts" in run.stderr
    assert not (tmp_path / "origin").exists()
