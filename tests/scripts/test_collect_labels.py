import json
from pathlib import Path

import pytest

import verify_and_split_data
from cnnlib.config import load_sample_config
from gen_image import collect_labels
from tests.helpers import draw, fill, run_script, write_config


def test_characters_of_all_folders_become_the_alphabet(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    for folder, label in (("origin", "b天"), ("new_train", "a"), ("train", "0/"), ("test", "a")):
        draw("x", tmp_path / "sample" / folder / f"{label.replace('/', '%2F')}_1.png")
    (tmp_path / "sample" / "origin" / "nolabel.png").write_bytes(b"")
    (tmp_path / "sample" / "origin" / "._c_1.png").write_bytes(b"")  # as macOS leaves beside pictures
    (tmp_path / "sample" / "origin" / "d_1.png").mkdir()
    run = run_script("gen_image/collect_labels.py", "--config", path)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("5 characters are in ")
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == ["/", "0", "a", "b", "天"]
    config = load_sample_config(write_config(tmp_path, use_labels_json_file=True))
    assert str(config.alphabet) == "/0ab天"


def test_characters_of_every_look_become_the_alphabet(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder in folders:
        draw("x", folder / f"{folder.name}_1.png")
    path = write_config(tmp_path, origin_image_dir=[*map(str, folders)])
    assert collect_labels.main(["--config", str(path)]) == 0
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == ["a", "b", "c"]


def test_labels_file_is_made_although_the_config_already_names_it(tmp_path: Path) -> None:
    path = write_config(tmp_path, use_labels_json_file=True)
    for label in ("a", "b"):
        draw("x", tmp_path / "sample" / "origin" / f"{label}_1.png")
    assert collect_labels.main(["--config", str(path)]) == 0
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == ["a", "b"]


def test_empty_folders_are_status_two_and_write_nothing(tmp_path: Path) -> None:
    run = run_script("gen_image/collect_labels.py", "--config", write_config(tmp_path))
    assert run.returncode == 2
    assert "expected labels with 2 or more different characters; got 0" in run.stderr
    assert not (tmp_path / "labels.json").exists()


WRONG = ("1\u00a02", "12\ufe0f", "1\u0430", "\uff11\uff12", "IMG_0001", "12 (1)", "1" * 9)


def spoiled(folder: Path) -> Path:
    """The config of 200 pictures with right labels and one each with a label of `WRONG`."""
    path = write_config(folder, use_labels_json_file=True, max_captcha=9)
    for number in range(200):
        name = f"{number % 10}{number // 10 % 10}{'abcd'[number % 4]}_{number}.png"
        draw("x", folder / "sample" / "origin" / name, seed=number)
    for number, label in enumerate(WRONG, 200):
        name = f"{label}{'' if label.startswith('IMG') else '_1'}.png"
        draw("x", folder / "sample" / "origin" / name, seed=number)
    return path


def test_nothing_is_collected_from_labels_that_are_likely_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = spoiled(tmp_path)
    assert collect_labels.main(["--config", str(path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count("[Doubtful label '") == len(WRONG)
    assert "rename them, or take them as they are with --accept-labels" in printed
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == [*"0123456789abcd"]
    assert verify_and_split_data.main(["--config", str(path), "--dry-run"]) == 0
    assert "A total of 200 images" in capsys.readouterr().out, "what was in doubt when collected is so when verified"


def test_labels_that_are_likely_wrong_are_collected_when_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert collect_labels.main(["--config", str(spoiled(tmp_path)), "--accept-labels"]) == 0
    assert "Doubtful" not in capsys.readouterr().out
    characters = {*json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))}
    assert characters == {*"0123456789abcd", *"".join(WRONG).replace("_0001", "")}


def test_labels_of_moved_pictures_are_in_no_doubt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spoiled(tmp_path)
    (tmp_path / "sample" / "origin").rename(tmp_path / "sample" / "train")
    assert collect_labels.main(["--config", str(path)]) == 0
    assert "Doubtful" not in capsys.readouterr().out
    assert "\u0430" in json.loads((tmp_path / "labels.json").read_text(encoding="utf-8"))


def test_small_look_is_not_judged_by_the_labels_of_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tmp_path / "looks" / name for name in ("first", "second")]
    path = write_config(tmp_path, origin_image_dir=[*map(str, folders)], max_captcha=6)
    train = tmp_path / "sample" / "train"
    train.mkdir(parents=True)
    for number in range(2100):
        (train / f"{number:04d}_1.png").touch()
    fill(folders[1], 10, "abc", 6)
    assert collect_labels.main(["--config", str(path)]) == 0
    assert "Doubtful" not in capsys.readouterr().out
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == [*"0123456789abc"]
