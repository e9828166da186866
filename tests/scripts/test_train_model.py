import re
from pathlib import Path
from types import SimpleNamespace

import pytest

import train_model
from cnnlib.data.folders import list_entries
from tests.helpers import fill, run_script, write_config


@pytest.mark.slow
def test_training_starts_from_another_model_and_ends_with_advice(trained: SimpleNamespace, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "train", 40)
    path = write_config(tmp_path, cycle_stop=3, cycle_save=3, acc_stop=1)
    run = run_script("train_model.py", "--config", path, "--warm-start", trained.config.model_save_dir)
    assert (run.returncode, run.stderr) == (0, "")
    folder = re.escape(trained.config.model_save_dir.as_posix())
    assert re.search(rf"^Warm start from {folder}/: \d+% of the weights, 2 of 2 characters$", run.stdout, re.MULTILINE)
    assert re.search(r"^To try next: .+$", run.stdout, re.MULTILINE)


def test_missing_model_to_start_from_is_one_line_and_status_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "train", 4)
    path = write_config(tmp_path)
    assert train_model.main(["--config", str(path), "--warm-start", str(tmp_path / "nothing")]) == 2
    assert "nothing/: expected a trained model; there is no model_card.json" in capsys.readouterr().err


def test_recognition_demonstration_reads_one_picture(trained: SimpleNamespace) -> None:
    run = run_script(
        "train_model.py", "--config", trained.config_path, "--recognize", list_entries(trained.config.test_image_dir)[0]
    )
    assert run.returncode == 0
    assert re.search(r"label: [01]{2}, prediction: [01]*, picture: .*\.png\n", run.stdout)
    text = train_model.TrainModel(trained.config).recognize_captcha()
    assert f"prediction: {text}, picture: " in run.stdout


def test_cache_is_cleared_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_config(tmp_path)
    part = tmp_path / "cache" / "train-0" / "0.pictures"
    part.parent.mkdir(parents=True)
    part.write_bytes(bytes(2_000_000))
    drawn = tmp_path / "cache" / "gen_sample_by_captcha-0123456789abcdef" / "training-0" / "ab_0-000001.png"
    drawn.parent.mkdir(parents=True)
    drawn.write_bytes(bytes(500_000))
    mine = tmp_path / "cache" / "gen_sample_by_captcha-mine" / "ab_1.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    assert train_model.main(["--config", str(path), "--clear-cache"]) == 0
    assert capsys.readouterr().out == f"Deleted 2.5 MB in {tmp_path.as_posix()}/cache/\n"
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [mine]
