import json
import shutil
import subprocess
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

import label_pictures
from cnnlib.config import load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.files import take_lock
from cnnlib.core.paths import GENERAL_MODEL, PROJECT_ROOT
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.labelling import known_texts
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.model_in_use import ModelInUse
from cnnlib.labelling.session import Label, Labelling
from tests.helpers import draw, fill, write_config


def open_folder(tmp_path: Path, folder: Path) -> Labelling:
    path = write_config(tmp_path)
    return label_pictures.open_labelling(load_sample_config(path), path, folder)


def test_folder_and_zip_are_labelled_by_the_general_model(tmp_path: Path) -> None:
    drawn = fill(tmp_path / "pictures" / "sub", 3)
    (tmp_path / "pictures" / "notes.txt").write_text("no picture")
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in drawn:
            archive.write(path, path.name)
    for place in (tmp_path / "pictures", tmp_path / "pictures.zip"):
        labelling = open_folder(tmp_path, place)
        question = labelling.next_question("tab")
        assert question
        assert labelling.progress().left == 3
        labelling.label(question.number, Label("01"))
    journals = [path.name for path in tmp_path.glob("*.jsonl")]
    assert len(journals) == 2, "a journal for each source"


def test_pictures_of_the_sets_are_not_asked_about(tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "train", 3)
    fill(tmp_path / "sample" / "more", 2)
    assert open_folder(tmp_path, tmp_path / "sample").progress().left == 2


def test_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SampleError, match="empty/: expected pictures; got none"):
        open_folder(tmp_path, tmp_path / "empty")


def test_what_is_passed_over_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4 cut off")
    with pytest.raises(
        SampleError, match=r"expected pictures; got none\nSkipped broken\.zip: the archive can't be opened"
    ):
        open_folder(tmp_path, tmp_path / "broken.zip")
    fill(tmp_path / "pictures", 2)
    (tmp_path / "broken.zip").rename(tmp_path / "pictures/more.zip")
    assert open_folder(tmp_path, tmp_path / "pictures").progress().left == 2
    assert "Skipped more.zip: the archive can't be opened" in capsys.readouterr().out


def test_pictures_are_known_by_their_content_and_others_named_by_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    for path, name in zip(fill(tmp_path / "drawn", 3), ("captcha_0", "b.php", "a.jfif"), strict=True):
        path.rename(tmp_path / "pictures" / name)
    for number in range(4):
        (tmp_path / f"pictures/{number}.TIFF").write_bytes(b"II*\0")
    assert open_folder(tmp_path, tmp_path / "pictures").progress().left == 3
    assert "Skipped 4: .tiff files are not read, such as 0.TIFF, 1.TIFF, 2.TIFF: convert" in capsys.readouterr().out
    (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(SampleError, match=r"got none\nSkipped a\.tar\.gz: \.gz files are not read: unpack them, and"):
        open_folder(tmp_path, tmp_path / "a.tar.gz")


def test_no_received_pictures_are_said_with_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label_pictures.main(["--config", str(write_config(tmp_path))]) == 2
    said = capsys.readouterr().err
    assert "expected pictures that the service received; got none" in said
    assert "name a folder: python label_pictures.py my_pictures/" in said


def test_folder_that_is_not_there_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(tmp_path)
    before = {*tmp_path.iterdir()}
    assert label_pictures.main([str(tmp_path / "mistyped"), "--config", str(path)]) == 2
    assert "expected a folder, a zip file or a suspects.csv; there is none" in capsys.readouterr().err
    assert {*tmp_path.iterdir()} == before


def test_two_pictures_of_one_name_in_an_archive_are_both_asked_about(tmp_path: Path) -> None:
    drawn = fill(tmp_path / "drawn", 3)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the doubled name
        for path in drawn:
            archive.write(path, "x.png")
    labelling = open_folder(tmp_path, tmp_path / "pictures.zip")
    assert labelling.progress().left == 3
    while question := labelling.next_question("tab"):
        labelling.label(question.number, Label("01"))
    assert len([*(tmp_path / "sample/origin").iterdir()]) == 3


def test_pictures_of_another_size_than_the_own_model_takes_are_read_by_the_general_one(
    trained: SimpleNamespace,
) -> None:
    reader = ModelInUse(trained.config.model_save_dir)
    assert reader.trained
    assert reader.recognize(Image.new("RGB", (99, 33), "white"), NO_HINTS).confidence > 0


def test_readings_are_in_lower_case_where_the_config_ignores_case(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    draw("HEX", tmp_path / "pictures" / "x.png", size=(60, 24))
    texts = []
    for ignore_case in (False, True):
        path = write_config(tmp_path, ignore_case=ignore_case)
        question = label_pictures.open_labelling(load_sample_config(path), path, tmp_path / "pictures").next_question(
            "tab"
        )
        assert question
        texts.append(question.reading.text)
    assert texts == ["HEX", "hex"]


def test_model_of_capitals_is_narrowed_to_the_labels_where_case_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_texts, "NARROWED_FROM", 1)
    for name in ("x.png", "y.png"):
        draw("HEX", tmp_path / "pictures" / name, size=(60, 24), seed=ord(name[0]))
    path = write_config(tmp_path, ignore_case=True)
    config = load_sample_config(path)
    shutil.copytree(GENERAL_MODEL, config.model_save_dir)
    card = config.model_save_dir / "model_card.json"
    keys = json.loads(card.read_text(encoding="utf-8"))
    keys["characters"] = [chr(0x4E00 + ord(each)) if each.islower() else each for each in keys["characters"]]
    card.write_text(json.dumps(keys), encoding="utf-8")
    labelling = label_pictures.open_labelling(config, path, tmp_path / "pictures")
    assert labelling.reader.trained
    labelling.label(0, Label("HEX"))
    question = labelling.next_question("tab")
    assert question
    assert question.reading.text == "hex"
    assert labelling.queue._hints() == Hints("ehx", 3, 3)


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(label_pictures, "PROJECT_ROOT", tmp_path)
    (tmp_path / "conf").mkdir()
    return tmp_path / "conf"


@pytest.mark.parametrize("name", ["captcha", "sample", "general", "general_training", "demo_sample"])
def test_folder_that_is_named_like_a_config_of_the_suite_gets_one_of_its_own(
    tmp_path: Path, conf: Path, name: str
) -> None:
    (tmp_path / name).mkdir()
    assert (PROJECT_ROOT / f"conf/{name}_config.json").exists()
    assert label_pictures.config_of(tmp_path / name) == conf / f"{name}_2_config.json"


def test_every_config_of_the_suite_is_known() -> None:
    listed = subprocess.run(["git", "ls-files", "conf"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
    shipped = {Path(line).name for line in listed.stdout.split() if line.endswith("_config.json")}
    assert shipped == {f"{name}_config.json" for name in label_pictures.SUITE_CONFIGS}


def test_folders_of_one_name_have_configs_of_their_own(tmp_path: Path, conf: Path) -> None:
    first, second = tmp_path / "a/captchas", tmp_path / "b/captchas"
    for folder, expected in ((first, "captchas"), (second, "captchas_2"), (first, "captchas"), (second, "captchas_2")):
        folder.mkdir(parents=True, exist_ok=True)
        path = label_pictures.config_of(folder)
        assert path == conf / f"{expected}_config.json"
        label_pictures.journal_path(path, folder).touch()
    path = conf / "other_config.json"
    label_pictures.journal_path(path, tmp_path / "suspects.csv").touch()
    assert label_pictures.config_of(tmp_path / "other") == path, "a second look is no other folder"


def test_labels_of_a_folder_that_was_moved_go_on(
    tmp_path: Path, conf: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_pictures, "serve", lambda *_, **__: None)
    first, other, path = tmp_path / "a/captchas", tmp_path / "c/captchas", conf / "captchas_config.json"
    fill(first, 3)
    fill(other, 3, seed=50)
    write_config(tmp_path).rename(path)
    label_pictures.open_labelling(load_sample_config(path), path, first).label(0, Label("01"))
    assert label_pictures.config_of(other) == conf / "captchas_2_config.json", "the first one is there"
    (tmp_path / "a").rename(tmp_path / "b")
    assert label_pictures.config_of(other) == conf / "captchas_2_config.json", "other pictures"
    assert label_pictures.config_of(tmp_path / "b/captchas") == path
    assert label_pictures.main([str(tmp_path / "b/captchas"), "--port", "0"]) == 0
    said = capsys.readouterr().out
    assert "its 1 answers count here" in said
    assert "1 labelled, 0 set aside, 2 left" in said
    assert not [*conf.glob("*.lock")]


def test_second_labelling_of_a_folder_is_refused_while_one_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = write_config(tmp_path), tmp_path / "pictures"
    fill(folder, 2)
    with take_lock(label_pictures.journal_path(path, folder).with_suffix(".lock"), 0):
        assert label_pictures.main([str(folder), "--config", str(path), "--port", "0"]) == 2
    assert "pictures/: another labelling of it is running; open its page" in capsys.readouterr().err


def test_folder_of_the_config_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served = []
    monkeypatch.setattr(label_pictures, "serve", lambda *arguments, **_: served.append(arguments[1:3]))
    fill(tmp_path / "pictures", 2)
    path = tmp_path / "none/yet/my_config.json"
    assert label_pictures.main([str(tmp_path / "pictures"), "--config", str(path), "--port", "0"]) == 0
    assert served == [("127.0.0.1", 0)]
    assert "0 labelled, 0 set aside, 2 left" in capsys.readouterr().out


def test_same_files_of_a_zip_are_asked_about_once(tmp_path: Path) -> None:
    (drawn,) = fill(tmp_path / "pictures", 1)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for name in ("a.png", "b.png"):
            archive.write(drawn, name)
    labelling = open_folder(tmp_path, tmp_path / "pictures.zip")
    labelling.leave_out_doubles()
    assert (labelling.progress().left, labelling.progress().doubles) == (1, 1)


def test_table_of_suspects_is_no_folder_to_train_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        label_pictures.main([str(tmp_path / "suspects.csv"), "--train"])
    assert ended.value.code == 2
    assert "--train needs the folder or zip file that was labelled" in capsys.readouterr().err


def test_training_finds_the_labels_of_a_folder_that_was_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, journals = write_config(tmp_path), list[Journal]()
    fill(tmp_path / "pictures", 3)
    labelling = open_folder(tmp_path, tmp_path / "pictures")
    labelling.label(0, Label("01"))
    (tmp_path / "pictures").rename(tmp_path / "renamed")
    monkeypatch.setattr(label_pictures.rounds, "run", lambda *arguments: journals.append(arguments[2]))
    assert label_pictures.main([str(tmp_path / "renamed"), "--config", str(path), "--train"]) == 0
    assert [len(journal.standing) for journal in journals] == [1]
