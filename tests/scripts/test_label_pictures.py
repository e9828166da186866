import zipfile
from pathlib import Path

import pytest

import label_pictures
from cnnlib.config import load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.labelling.session import Label, Labelling
from tests.helpers import fill, write_config


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
