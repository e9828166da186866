"""Copies of a model for others, and the lock of the folder that they go into."""

from pathlib import Path

import pytest

from cnnlib.core.paths import GENERAL_MODEL
from cnnlib.inference.model_card import held, load_card
from tools import ship_model


def test_folder_that_a_training_holds_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "copy"
    with held(target):
        assert ship_model.main([str(GENERAL_MODEL), str(target)]) == 2
    assert "another training is using this folder" in capsys.readouterr().err
    assert [path.name for path in target.iterdir()] == [".lock"]
    assert ship_model.main([str(GENERAL_MODEL), str(target)]) == 0
    assert load_card(target).characters == load_card(GENERAL_MODEL).characters
