from pathlib import Path

import pytest

import recognize_online
from cnnlib.client.api_client import Captcha
from tests.helpers import write_config


def test_source_that_gives_no_picture_is_named_and_nothing_is_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [b"<html>", b""]
    monkeypatch.setattr(recognize_online.Client, "fetch_captcha", lambda *_: Captcha(answers.pop(0), None))
    config = write_config(tmp_path, remote_url="http://source/")
    assert recognize_online.main(["--config", str(config), "--count", "2"]) == 1
    page, nothing = capsys.readouterr().err.splitlines()
    assert page.startswith("http://source/: not a PNG, JPEG, GIF, BMP or WebP picture; got HTML, a web page")
    assert nothing == "http://source/: not a PNG, JPEG, GIF, BMP or WebP picture; got 0 bytes"
