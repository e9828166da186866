import base64
from pathlib import Path

import pytest

import recognize_online
from cnnlib.client.api_client import Answer, Captcha
from cnnlib.config import load_sample_config
from cnnlib.data.folders import list_entries
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


def as_text(data: bytes) -> list[bytes]:
    """A picture as the texts that sites answer."""
    encoded = base64.b64encode(data)
    wrapped = base64.encodebytes(data)
    url = b"data:image/png;base64," + encoded
    return [encoded, wrapped, encoded.rstrip(b"="), base64.urlsafe_b64encode(data), url, b"  " + url + b"\r\n"]


def test_picture_as_base64_is_decoded_before_it_is_read_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = draw("01", tmp_path / "01.png").read_bytes()
    answers, sent = as_text(data), []

    def recognize(_client: object, _url: str, picture: bytes) -> Answer:
        sent.append(picture)
        return Answer("01", 1.0, 1.0, 2.0)

    monkeypatch.setattr(recognize_online.Client, "fetch_captcha", lambda *_: Captcha(answers.pop(), None))
    monkeypatch.setattr(recognize_online.Client, "recognize", recognize)
    config, count = write_config(tmp_path), len(answers)
    assert recognize_online.main(["--config", str(config), "--count", str(count)]) == 0
    saved = list_entries(load_sample_config(config).online_image_dir)
    assert sent == [path.read_bytes() for path in saved] == [data] * count
    assert {path.suffix for path in saved} == {".png"}


@pytest.mark.parametrize("answer", [b'{"code": 0, "img": "%s"}', b' [{"image": "%s"}]', b'"%s"'])
def test_picture_in_json_is_refused_with_the_way_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    data = answer % base64.b64encode(draw("01", tmp_path / "01.png").read_bytes())
    monkeypatch.setattr(recognize_online.Client, "fetch_captcha", lambda *_: Captcha(data, None))
    assert recognize_online.main(["--config", str(write_config(tmp_path, remote_url="http://source/"))]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "http://source/: expected a picture; got JSON; remote_url has to answer with the picture itself, or its base64"
    )


def test_user_and_password_of_the_source_are_not_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [draw("01", tmp_path / "01.png").read_bytes(), b"{}", b"<html>"]
    monkeypatch.setattr(recognize_online.Client, "fetch_captcha", lambda *_: Captcha(answers.pop(0), None))
    monkeypatch.setattr(recognize_online.Client, "recognize", lambda *_: Answer("01", 1.0, 1.0, 2.0))
    config = write_config(tmp_path, remote_url="http://ann:se%40same@source:81/c?a=b@c")
    assert recognize_online.main(["--config", str(config), "--count", "3"]) == 1
    printed = capsys.readouterr()
    lines = (printed.out + printed.err).splitlines()
    assert len(lines) == 3
    assert all(line.startswith("http://source:81/c?a=b@c: ") for line in lines)
