import base64
import csv
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import recognize_local
from cnnlib.client.api_client import Answer
from cnnlib.config import load_sample_config
from cnnlib.core.errors import ServiceError, UnreachableError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import draw, write_config

GENERAL_CONFIG = PROJECT_ROOT / "conf" / "general_config.json"


def test_folder_is_read_without_a_server_into_a_table(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, table = tmp_path / "pictures", tmp_path / "out.csv"
    shutil.copytree(trained.config.test_image_dir, folder)
    arguments = ["--config", str(trained.config_path), "--image", str(folder), "--offline", "--csv", str(table)]
    kept = trained.config.local_image_dir
    before = list_entries(kept) if kept.exists() else []
    assert recognize_local.main(arguments) == 0
    paths = list_entries(folder)
    expected = Recognizer(trained.config.model_save_dir).recognize([path.read_bytes() for path in paths])
    with table.open(newline="", encoding="utf-8-sig") as file:
        header, *rows = csv.reader(file)
    assert header == ["picture", "reading", "confidence"]
    assert [(row[0], row[1], float(row[2])) for row in rows] == [
        (path.as_posix(), each.text, pytest.approx(each.confidence, abs=1e-6))
        for path, each in zip(paths, expected, strict=True)
    ]
    assert capsys.readouterr().out.count("prediction: ") == len(paths)
    assert (list_entries(kept) if kept.exists() else []) == before


def test_pictures_alike_are_read_only_in_what_they_have_often(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in (f"{number:04d}" for number in range(1111, 9999, 400)):
        draw(text, tmp_path / f"{text}_1.png", size=(60, 24))
    arguments = [str(tmp_path), "--offline", "--config", str(GENERAL_CONFIG)]
    assert recognize_local.main([*arguments, "--alike"]) == 0
    alike = capsys.readouterr()
    assert alike.err == "Read as 4 of the characters 0123456789\n"
    assert alike.out.count("prediction: ") == 23
    assert recognize_local.main([*arguments, "--alike", "--count", "5"]) == 0
    assert capsys.readouterr().err.endswith("too few pictures were read to say what they have in common; it takes 20\n")
    with pytest.raises(SystemExit):
        recognize_local.main([str(tmp_path), "--alike"])
    assert "--alike needs --offline" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_file_with_a_name_that_is_not_utf_8_is_read_and_listed(trained: SimpleNamespace, tmp_path: Path) -> None:
    table = tmp_path / "out.csv"
    folder = tmp_path / "pictures"
    folder.mkdir()
    shutil.copy(list_entries(trained.config.test_image_dir)[0], folder / os.fsdecode(b"\xd6_1.png"))
    arguments = ["--config", str(trained.config_path), "--image", str(folder), "--offline", "--csv", str(table)]
    assert recognize_local.main(arguments) == 0
    assert "pictures/\\udcd6_1.png," in table.read_text(encoding="utf-8")


def test_broken_picture_is_named_and_the_others_are_read(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(list_entries(trained.config.test_image_dir)[0], tmp_path / "b_1.png")
    (tmp_path / "a_1.png").write_text("no picture")
    (tmp_path / ".DS_Store").write_text("no picture")
    arguments = ["--config", str(trained.config_path), "--image", str(tmp_path), "--offline"]
    assert recognize_local.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.out.count("prediction: ") == 1
    assert printed.err.count("\n") == 1
    assert "a_1.png: not a PNG, JPEG, GIF, BMP or WebP picture" in printed.err


def test_older_table_stays_when_nothing_could_be_read(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, picture = tmp_path / "out.csv", draw("01", tmp_path / "01_1.png")
    table.write_text("older")
    broken = tmp_path / "broken_1.png"
    broken.write_text("no picture")
    for config, image, status in ((write_config(tmp_path), picture, 2), (trained.config_path, broken, 1)):
        arguments = ["--config", str(config), "--image", str(image), "--offline", "--csv", str(table)]
        assert recognize_local.main(arguments) == status
        assert table.read_text() == "older"
    assert "expected a trained model; there is no model_card.json" in capsys.readouterr().err
    arguments = ["--config", str(trained.config_path), "--image", str(picture), "--csv", str(tmp_path / "no" / "a.csv")]
    assert recognize_local.main(arguments) == 2
    assert "a.csv: expected a file in an existing folder; the folder is missing" in capsys.readouterr().err


def test_prediction_is_printed_although_its_picture_cannot_be_saved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(2):
        draw("01", tmp_path / f"01_{number}.png")
    monkeypatch.setattr(recognize_local.Client, "recognize", lambda *_: Answer("01", 1.0, 1.0, 2.0))
    config = write_config(tmp_path / "suite", local_image_dir="/dev/null/local")
    assert recognize_local.main(["--config", str(config), "--image", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("prediction: 01") == 2
    assert printed.err.count("not saved in /dev/null: expected a folder; got a file") == 2


def test_request_without_an_answer_does_not_end_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        draw("01", tmp_path / "set" / f"01_{number}.png")
    good = Answer("01", 1.0, 1.0, 2.0)
    answers = [good, ServiceError("no answer"), good, UnreachableError("gone")]

    def recognize(*_: object) -> Answer:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(recognize_local.Client, "recognize", recognize)
    config = write_config(tmp_path / "suite")
    assert recognize_local.main(["--config", str(config), "--image", str(tmp_path / "set")]) == 1
    printed = capsys.readouterr()
    assert printed.out.count("prediction: 01") == 2
    assert printed.err.splitlines() == [
        f"{(tmp_path / 'set' / '01_1.png').as_posix()}: no answer",
        f"{(tmp_path / 'set' / '01_3.png').as_posix()}: gone; 1 more were not sent",
    ]


def test_several_pictures_and_folders_are_read_and_sub_folders_are_named(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = list_entries(trained.config.test_image_dir)[:3]
    (tmp_path / "set" / "deeper").mkdir(parents=True)
    (tmp_path / "set" / "other").mkdir()
    shutil.copy(pictures[2], tmp_path / "set")
    arguments = ["--config", str(trained.config_path), "--offline"]
    assert recognize_local.main([*arguments, *map(str, pictures[:2]), str(tmp_path / "set")]) == 0
    printed = capsys.readouterr()
    assert [line.split(":")[0].rpartition("/")[2] for line in printed.out.splitlines()] == [p.name for p in pictures]
    assert printed.err.splitlines() == [
        f"{tmp_path.as_posix()}/set/: sub-folders are not read: {tmp_path.as_posix()}/set/deeper/ and 1 more; "
        "name them to read their pictures too"
    ]
    assert recognize_local.main([*arguments, "--image", str(tmp_path)]) == 2
    assert f"got none; sub-folders are not read: {tmp_path.as_posix()}/set/; name them" in capsys.readouterr().err


def test_address_in_place_of_a_picture_is_told(trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert recognize_local.main(["--config", str(trained.config_path), "http://other/a.png"]) == 2
    assert "expected a picture or a folder; got an address; fetch it first" in capsys.readouterr().err


def test_file_that_is_no_picture_is_not_sent_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, sent = tmp_path / "set", []
    data = draw("01", folder / "01_9.png").read_bytes()
    encoded = base64.b64encode(data)
    (folder / "a.txt").write_bytes(encoded)
    (folder / "b.png").write_bytes(b"data:image/png;base64," + encoded)
    (folder / "c.png").write_bytes(data[:-30])
    (folder / "d").write_bytes(b"")

    def recognize(*arguments: object) -> Answer:
        sent.append(arguments[-1])
        return Answer("01", 1.0, 1.0, 2.0)

    monkeypatch.setattr(recognize_local.Client, "recognize", recognize)
    config = write_config(tmp_path / "suite", image_suffix="any")
    assert recognize_local.main(["--config", str(config), str(folder)]) == 1
    assert sent == ["01_9.png"]
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[0].rpartition("/")[2] for line in lines] == ["a.txt", "b.png", "c.png", "d"]
    assert lines[0].endswith("not a PNG, JPEG, GIF, BMP or WebP picture; got base64; decode it first")
    assert "a data URL; decode its base64 first" in lines[1]
    assert len(list_entries(load_sample_config(config).local_image_dir)) == 1


@pytest.mark.parametrize(
    ("drawn", "name", "saved"),
    [
        ("a.png", "captcha.php", ".png"),
        ("a.gif", "captcha", ".gif"),
        ("a.jpg", "captcha.png", ".jpg"),
        ("a.png", "captcha.jpeg", ".png"),
        ("a.webp", "captcha.ashx", ".webp"),
        ("a.jpg", "captcha.jpg", ".jpg"),
        ("a.jpg", "captcha.jpeg", ".jpeg"),
        ("a.jpg", "captcha.JPG", ".JPG"),
    ],
)
def test_picture_is_saved_under_the_suffix_of_its_format(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: str, name: str, saved: str
) -> None:
    """A suffix that says the format stays as it is spelled."""
    path = draw("01", tmp_path / drawn).rename(tmp_path / name)
    monkeypatch.setattr(recognize_local.Client, "recognize", lambda *_: Answer("01", 1.0, 1.0, 2.0))
    config = write_config(tmp_path / "suite")
    assert recognize_local.main(["--config", str(config), str(path)]) == 0
    (kept,) = list_entries(load_sample_config(config).local_image_dir)
    assert kept.suffix == saved
    assert kept.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("arguments", [[], ["--offline"]])
def test_without_a_test_picture_naming_one_is_proposed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    config = str(write_config(tmp_path))
    assert recognize_local.main(["--config", config, *arguments]) == 2
    assert capsys.readouterr().err.endswith(
        "verify_and_split_data.py puts them there; or name a picture, such as captcha.png\n"
    )
