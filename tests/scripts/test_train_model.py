import re
import sys
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["--clear-cache", "--forecast"],
        ["--forecast", "--export-only"],
        ["--recognize", "a_1.png", "--clear-cache"],
        ["--export-only", "--warm-start", "none"],
    ],
)
def test_options_of_which_one_would_be_ignored_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        train_model.main(["--config", str(write_config(tmp_path)), *arguments])
    assert ended.value.code == 2
    assert re.search(r"not allowed with argument|--warm-start is for a training", capsys.readouterr().err)


@pytest.mark.parametrize("key", ["model_save_dir", "log_dir"])
@pytest.mark.parametrize("lost", [True, False], ids=["a link to nothing", "a file"])
def test_folder_on_a_missing_disk_is_named_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, key: str, lost: bool
) -> None:
    monkeypatch.setitem(sys.modules, "cnnlib.training.loop", None)  # an import of it fails
    fill(tmp_path / "sample" / "train", 4)
    place = tmp_path / "place"
    place.symlink_to("disk") if lost else place.write_text("no folder")
    path = write_config(tmp_path, **{key: str(place)})
    assert train_model.main(["--config", str(path)]) == 2
    got = "a link to nothing: disk; is its disk mounted?" if lost else "a file"
    assert f"place: expected a folder; got {got}" in capsys.readouterr().err


def test_report_that_can_not_be_written_is_named_before_pictures_are_missed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "report").write_text("no folder")
    assert train_model.main(["--forecast", str(path)]) == 2
    assert "model/report: expected a folder; got a file" in capsys.readouterr().err
