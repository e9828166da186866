"""Names, labels and answers that forge what a terminal shows, through the scripts themselves."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, Response

from cnnlib.cli import shell_word
from cnnlib.core.printable import is_obeyed
from tests.helpers import draw, fill, run_script, running, write_config

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Windows has no such names"),
]

FORGED = "\x1b[2J\x1b[HPicture accuracy: 100%"
NAMES = {
    "line end": "01_1\n[Picture 9] [forged.png] [sound].png",
    "escape": "01_\x1b[2J.png",
    "C1": "01_\x9b2J.png",
    "right to left": "01_\u202egnp.exe.png",
    "zero width": "01_1\u200b.png",
    "line separator in the label": "0\u20281_1.png",
    "no suffix": "\x1b]0;owned\x07",
}


def is_plain(text: str) -> bool:
    """Whether a terminal obeys nothing in a text but its line ends."""
    return not any(is_obeyed(character) for character in text if character != "\n")


def test_listing_is_a_line_for_each_name_and_such_names_stay(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    origin = tmp_path / "sample" / "origin"
    for number, name in enumerate(NAMES.values()):
        draw("01", origin / "x.png", seed=number).rename(origin / name)
    fill(origin, 3)
    run = run_script("verify_and_split_data.py", config)
    assert run.returncode == 0, run.stderr
    assert is_plain(run.stdout + run.stderr)
    listed = [line for line in run.stdout.splitlines() if line.startswith("[Picture ")]
    assert len(listed) == len(NAMES), "a line for each, and no forged one"
    assert f"====The following {len(NAMES)} pictures are abnormal====" in run.stdout
    assert {path.name for path in origin.iterdir() if path.name != ".lock"} == {*NAMES.values()}
    assert any(line.endswith(r"[Bad name: the serial number has invisible characters: '\x1b']") for line in listed)


def test_folders_keys_and_values_of_a_config_are_plain(tmp_path: Path) -> None:
    folder = tmp_path / FORGED.replace("/", "")
    run = run_script("verify_and_split_data.py", write_config(folder), "--dry-run")
    assert is_plain(run.stdout + run.stderr)
    assert r"\x1b[2J\x1b[HPicture accuracy: 100%/sample_config.json" in run.stderr + run.stdout
    path = write_config(
        tmp_path, **{f"key\n{FORGED}": 1, "network": f"a\x9b2J\u202e{FORGED}", "char_set": "\x1b\x1b\n\n"}
    )
    run = run_script("train_model.py", path)
    assert run.returncode == 2
    assert is_plain(run.stderr)
    assert all(line.startswith(f"{path}: key '") for line in run.stderr.splitlines())
    twice = tmp_path / "twice.json"
    twice.write_text(json.dumps({"a\x1b\n": 1})[:-1] + ', "a\\u001b\\n": 2}')
    run = run_script("train_model.py", twice)
    assert run.stderr == f"{twice}: key 'a\\x1b\\n': expected once; got it 2 times\n"


@pytest.mark.parametrize("script", ["recognize_local.py", "train_model.py", "gen_image/collect_labels.py"])
def test_argument_is_quoted_plainly(script: str, tmp_path: Path) -> None:
    run = run_script(script, f"--{FORGED}", tmp_path / f"{FORGED}.json", "more", "and more")
    assert run.returncode == 2
    assert is_plain(run.stderr)


@pytest.fixture
def hostile_url(tmp_path: Path) -> Iterator[str]:
    """A captcha source and API in one, whose label, text and candidate forge the end of a run."""
    app = Flask("hostile")
    label = "%1b%5b2J%0aPicture accuracy of 1 captchas: 100.0%25"
    picture = draw("01", tmp_path / "01_1.png").read_bytes()
    answer = json.dumps({"value": FORGED + "\n", "confidence": 1, "speed_time(ms)": 0})
    app.add_url_rule("/captcha/", "captcha", lambda: Response(picture, headers={"X-Captcha-Label": label}))
    app.add_url_rule("/b", "b", lambda: answer, methods=["POST"])
    with running(app) as address:
        yield address


def test_label_and_text_of_a_server_are_plain(hostile_url: str, tmp_path: Path) -> None:
    config = write_config(tmp_path, remote_url=f"{hostile_url}/captcha/")
    run = run_script("recognize_online.py", config, "--url", f"{hostile_url}/b")
    assert run.returncode == 0, run.stderr
    assert is_plain(run.stdout + run.stderr)
    first, last = run.stdout.splitlines()
    assert r"label: \x1b[2J\nPicture accuracy of 1 captchas: 100.0%, prediction: \x1b[2J" in first
    assert last == "Picture accuracy of 1 captchas: 0.0%"
    (saved,) = (tmp_path / "sample" / "online").iterdir()
    assert is_plain(saved.name)


def test_stress_run_is_plain(hostile_url: str, tmp_path: Path) -> None:
    arguments = ("--url", f"{hostile_url}/b", "--count", "2", "--output", tmp_path, "--config", write_config(tmp_path))
    run = run_script("recognize_time_test.py", tmp_path / "01_1.png", *arguments)
    assert run.returncode == 0, run.stderr
    assert is_plain(run.stdout + run.stderr)
    assert run.stdout.startswith(r"1, \x1b[2J\x1b[HPicture accuracy: 100%\n, ")
    assert is_plain((tmp_path / "test.csv").read_text(encoding="utf-8-sig"))


def test_text_that_is_too_long_for_a_name_ends_no_client(tmp_path: Path) -> None:
    app = Flask("long")
    picture = draw("01", tmp_path / "01_1.png").read_bytes()
    answer = json.dumps({"value": "天" * 200, "speed_time(ms)": 0})
    app.add_url_rule("/captcha/", "captcha", lambda: picture)
    app.add_url_rule("/b", "b", lambda: answer, methods=["POST"])
    with running(app) as address:
        config = write_config(tmp_path, remote_url=f"{address}/captcha/")
        online = run_script("recognize_online.py", config, "--url", f"{address}/b", "--count", "2")
        local = run_script("recognize_local.py", tmp_path / "01_1.png", "--config", config, "--url", f"{address}/b")
    for run, count in ((online, 2), (local, 1)):
        assert run.returncode == 1
        assert len(run.stdout.splitlines()) == count
        assert run.stderr.count("File name too long") == count
        assert "Traceback" not in run.stderr


@pytest.mark.parametrize("name", ["a b'c.json", "a\x1b[2J\n'b\\.json", os.fsdecode(b"\xd6\xff.json"), "天 \u202e.json"])
def test_printed_path_can_be_copied_into_bash(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("content")
    word = shell_word(path)
    assert is_plain(word)
    shown = subprocess.run(["bash", "-c", f"cat -- {word}"], capture_output=True, text=True, check=True).stdout
    assert shown == "content"
