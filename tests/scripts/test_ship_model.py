import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import train_model
from cnnlib.config import load_sample_config
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import GENERAL_MODEL
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import has_file, held, load_card
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import fill, write_config
from tools import ship_model


def test_copy_reads_alike_and_is_not_trained_on(trained: SimpleNamespace, tmp_path: Path) -> None:
    source, target = trained.config.model_save_dir, tmp_path / "model"
    assert ship_model.main([str(source), str(target)]) == 0
    picture = list_entries(trained.config.test_image_dir)[0].read_bytes()
    assert Recognizer(target).recognize([picture]) == Recognizer(source).recognize([picture])
    assert {path.suffix for path in target.iterdir() if path.name != ".lock"} == {".json", ".npz", ".tflite"}
    card = load_card(target)
    assert set(card.files) == {"weights", card.reads}
    config = load_sample_config(write_config(tmp_path, acc_stop=1))
    fill(config.train_image_dir, 4)
    with pytest.raises(ModelError, match="expected a model with a checkpoint to continue its training"):
        train_model.TrainModel(config).train_cnn("none")
    assert ship_model.main([str(target), str(target)]) == 2, "the folders are the same"


@pytest.mark.parametrize("kind", ["float32", "quantised"])
def test_copy_reads_with_the_chosen_file(trained: SimpleNamespace, tmp_path: Path, kind: str) -> None:
    source, target = trained.config.model_save_dir, tmp_path / "model"
    assert ship_model.main([str(source), str(target), "--reads", kind]) == 0
    card = load_card(target)
    assert card.reads == kind
    assert set(card.files) == {"weights", kind}
    name = load_card(source).files[kind].name
    assert (target / card.files[kind].name).read_bytes() == (source / name).read_bytes()


def test_model_that_can_be_trained_on_is_not_replaced(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "other"
    shutil.copytree(trained.config.model_save_dir, target)
    assert ship_model.main([str(GENERAL_MODEL), str(target)]) == 2
    assert "it holds a model that can be trained on, which stays" in capsys.readouterr().err
    assert has_file(target, "checkpoint")


def test_folder_that_a_training_holds_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "copy"
    with held(target):
        assert ship_model.main([str(GENERAL_MODEL), str(target)]) == 2
    assert "another training is using this folder" in capsys.readouterr().err
    assert [path.name for path in target.iterdir()] == [".lock"]
    assert ship_model.main([str(GENERAL_MODEL), str(target)]) == 0
    assert load_card(target).characters == load_card(GENERAL_MODEL).characters
