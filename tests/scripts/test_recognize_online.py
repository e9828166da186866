from pathlib import Path

import pytest

import recognize_online
from cnnlib.client.api_client import Answer, Captcha
from tests.helpers import draw, write_config


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


LOOKS = [("AbC1", "abc1", True), ("abc1", "ABC1", True), ("É1", "e\u03011", True), ("É1", "é1", True)]


@pytest.mark.parametrize(
    ("label", "text", "ignore_case", "share"),
    [*((*look, "100.0%") for look in LOOKS), ("AbC1", "abc1", False, "0.0%"), ("abd1", "abc1", True, "0.0%")],
)
def test_labels_are_compared_as_the_config_says(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    label: str,
    text: str,
    ignore_case: bool,
    share: str,
) -> None:
    captcha = Captcha(draw("01", tmp_path / "01.png").read_bytes(), label)
    monkeypatch.setattr(recognize_online.Client, "fetch_captcha", lambda *_: captcha)
    monkeypatch.setattr(recognize_online.Client, "recognize", lambda *_: Answer(text, 1.0, 1.0, 2.0))
    config = write_config(tmp_path, ignore_case=ignore_case, char_set="abc1")
    assert recognize_online.main(["--config", str(config)]) == 0
    assert capsys.readouterr().out.endswith(f"Picture accuracy of 1 captchas: {share}\n")
