import errno
import json
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import verify_and_split_data
from cnnlib.codec.filenames import SERIAL_DIGITS, label_of
from cnnlib.config import load_sample_config
from cnnlib.core.errors import ConfigError
from cnnlib.data import verify_and_split
from cnnlib.data.samples import inspect
from tests.helpers import draw, fill, run_script, write_config


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def names(tmp_path: Path, folder: str) -> set[str]:
    return {path.name for path in (tmp_path / "sample" / folder).glob("*.png")}


def test_console_is_that_of_the_original(config_path: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "origin", 100)
    (tmp_path / "sample" / "origin" / ".DStore").write_bytes(b"")
    run = run_script("verify_and_split_data.py", "--config", config_path)
    sample = f"{tmp_path.as_posix()}/sample"
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f">>> Start verification directory: [{sample}/origin/]",
        f"[Warning] The directory {sample}/train/ cannot be found, it will be created soon",
        f"[Warning] The directory {sample}/test/ cannot be found, it will be created soon",
        "Start to verify the original picture collection",
        "Total pictures in the original set: 101",
        "====The following 1 picture is abnormal====",
        "[Picture 0] [.DStore] [File extension is incorrect]",
        "========end",
        "Start to separate the original image set: test set (10%) and training set (90%)",
        "A total of 100 images are allocated to the training set and test set, "
        "one of which is an anomaly and remains in the original directory",
        "The number of test sets is: 10",
        "The number of training sets is: 90",
        f">>> Start verification directory: [{sample}/new_train/]",
        f"[Warning] The directory {sample}/new_train/ cannot be found, it will be created soon",
        "Start to verify the original picture collection",
        "Total pictures in the original set: 0",
        "====The following 0 pictures are abnormal====",
        "No abnormality found (0 pictures in total)",
        "========end",
        "Start to separate the original image set: test set (10%) and training set (90%)",
        "A total of 0 images are allocated to the training set and test set, "
        "0 of which are anomalies and remain in the original directory",
        "The number of test sets is: 0",
        "The number of training sets is: 0",
    ]
    assert len(names(tmp_path, "train")) == 90
    assert len(names(tmp_path, "test")) == 10
    assert {path.name for path in (tmp_path / "sample" / "origin").iterdir()} - {".lock"} == {".DStore"}


def test_without_test_all_are_for_the_training_and_the_test_set_stays(config_path: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "origin", 100)
    fill(tmp_path / "sample" / "test", 5, seed=9)
    run = run_script("verify_and_split_data.py", "--config", config_path, "--no-test")
    assert (run.returncode, run.stderr) == (0, "")
    assert "test set (5%) and training set (95%)" in run.stdout
    assert "The number of test sets is: 0\nThe number of training sets is: 100\n" in run.stdout
    assert (len(names(tmp_path, "train")), len(names(tmp_path, "test"))) == (100, 5)


@pytest.mark.parametrize("other", [["--doctor"], ["--write-config", "new.json"], ["--import", "pictures"]])
def test_without_test_goes_with_a_split_alone(
    config_path: Path, other: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        verify_and_split_data.main(["--config", str(config_path), "--no-test", *other])
    assert ended.value.code == 2
    assert "--no-test goes without" in capsys.readouterr().err


def test_later_samples_come_from_the_new_folder(config_path: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "origin", 30, seed=1)
    verify_and_split_data.main(["--config", str(config_path)])
    before = names(tmp_path, "test")
    later = {path.name for path in fill(tmp_path / "sample" / "new_train", 30, seed=2)}
    verify_and_split_data.main(["--config", str(config_path)])
    assert before < names(tmp_path, "test")
    assert later <= names(tmp_path, "train") | names(tmp_path, "test")


def test_interrupted_run_leaves_the_share_of_the_test_set_as_it_should_be(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "sample" / "origin", 200)
    move, moved = verify_and_split.move, []

    def move_until_the_disk_is_full(path: Path, folder: Path) -> None:
        if len(moved) == 100:
            raise OSError(errno.ENOSPC, "No space left on device", str(folder))
        move(path, folder)
        moved.append(path)

    monkeypatch.setattr(verify_and_split, "move", move_until_the_disk_is_full)
    assert verify_and_split_data.main(["--config", str(config_path)]) == 2
    monkeypatch.setattr(verify_and_split, "move", move)
    assert verify_and_split_data.main(["--config", str(config_path)]) == 0
    assert len(names(tmp_path, "train")) + len(names(tmp_path, "test")) == 200
    assert 17 <= len(names(tmp_path, "test")) <= 23  # 10%; 30 where all test pictures go first


def test_dry_run_prints_the_split_and_changes_nothing(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "origin", 10)
    assert verify_and_split_data.main(["--config", str(config_path), "--dry-run"]) == 0
    assert "The number of training sets is: 9" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "sample").iterdir()] == ["origin"]
    assert len(names(tmp_path, "origin")) == 10


def test_dry_run_prints_what_the_run_prints_about_both_folders(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, folder in enumerate(("train", "origin", "new_train"), 1):
        fill(tmp_path / "sample" / folder, 25, seed=number)
    shares = []
    for options in (["--dry-run"], []):
        verify_and_split_data.main(["--config", str(config_path), *options])
        out = capsys.readouterr().out
        shares.append([line for line in out.splitlines() if line.startswith("The number of")])
    assert shares[0] == shares[1] != []
    assert len(names(tmp_path, "test")) == 6, "three of each 25, at most: the first ones were not split"


def test_dry_run_prints_what_the_run_prints_about_taken_names(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, last = fill(tmp_path / "sample" / "origin", 10)
    fill(tmp_path / "sample" / "train", 4)
    (tmp_path / "sample" / "test").mkdir()
    (tmp_path / "sample" / "new_train").mkdir()
    shutil.copy(last, tmp_path / "sample" / "new_train" / f"{label_of(last.name)}_9.png")
    verify_and_split_data.main(["--config", str(config_path), "--dry-run"])
    dry = capsys.readouterr().out
    assert len(names(tmp_path, "origin")) == 10
    verify_and_split_data.main(["--config", str(config_path)])
    assert dry.replace("would be ", "") == capsys.readouterr().out + "Dry run: nothing was moved\n"
    assert "4 pictures are in the sets already or here twice, the same byte for byte: would be removed here" in dry
    assert names(tmp_path, "origin") == set()


@pytest.mark.parametrize("option", ["--dry-run", "--write-config"])
def test_what_is_said_beforehand_about_names_in_both_folders_is_what_the_run_does(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    for seed, folder in enumerate(("origin", "new_train")):
        for number in range(12):
            draw("01", tmp_path / "sample" / folder / f"01_{number}.png", seed=12 * seed + number)
    told, new = [], str(tmp_path / "new.json")
    beforehand = [option, new] if option == "--write-config" else [option]
    for arguments in ([str(config_path), *beforehand], [new if new in beforehand else str(config_path)]):
        assert verify_and_split_data.main(["--config", *arguments]) == 0
        out = capsys.readouterr().out
        told.append([line for line in out.splitlines() if line.startswith(("A total of", "The number of"))])
    assert told[0] == told[1]
    assert told[0][3].startswith("A total of 12 images")
    assert "0 of which are anomalies" in told[0][3], "with the hash of the content for a serial number"
    assert len(names(tmp_path, "new_train")) == 0


@pytest.mark.skipif(os.name != "posix", reason="names are limited to 255 bytes there")
def test_dry_run_names_pictures_that_can_not_get_another_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / "looks" / name for name in ("first", "second")]
    path = write_config(tmp_path, origin_image_dir=[*map(str, folders)], char_set="01𠀀", max_captcha=64)
    for seed, folder in enumerate(folders):
        draw("01", folder / "01_1.png", seed=seed).rename(folder / f"{'𠀀' * 61}_1.png")  # of 250 bytes
        draw("01", folder / "01_2.png", seed=seed + 2)
    taken = inspect(folders[1] / "01_2.png").digest.hex()[:SERIAL_DIGITS]
    draw("01", folders[1] / f"01_{taken}.png", seed=9)
    (tmp_path / "sample" / "train").mkdir(parents=True)
    (tmp_path / "sample" / "test").mkdir()
    (tmp_path / "sample" / "new_train").mkdir()
    verify_and_split_data.main(["--config", str(path), "--accept-labels", "--dry-run"])
    dry = capsys.readouterr().out
    assert {each.name for each in folders[1].iterdir()} >= {"01_2.png", f"{'𠀀' * 61}_1.png"}
    verify_and_split_data.main(["--config", str(path), "--accept-labels"])
    assert dry.replace("would become", "becomes") == capsys.readouterr().out + "Dry run: nothing was moved\n"
    assert "with the hash of the content the name is too long" in dry
    assert f"[Name taken: so is 01_{taken}.png here]" in dry


def test_received_test_pictures_are_not_trained_on(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test_picture = draw("01", tmp_path / "sample" / "test" / "01_1.png", seed=1)
    for number, prediction in enumerate(("01", "01", "00")):
        shutil.copy(test_picture, draw("01", tmp_path / "sample" / "new_train" / f"{prediction}_9{number}.png"))
    verify_and_split_data.main(["--config", str(config_path)])
    out = capsys.readouterr().out
    assert "2 pictures are in the sets already or here twice, the same byte for byte: removed here" in out
    assert f"[00_92.png] [Same picture, another label: {test_picture.as_posix()}]" in out
    assert (names(tmp_path, "train"), names(tmp_path, "new_train")) == (set(), {"00_92.png"})


def test_written_config_keeps_size_and_order_of_characters_and_only_grows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = write_config(tmp_path, char_set="9876543210", max_captcha=6, cycle_stop=20000, acc_stop=0.995)
    draw("12", tmp_path / "sample" / "train" / "12_1.png")
    draw("a12", tmp_path / "sample" / "new_train" / "a12_1.png")
    assert verify_and_split_data.main(["--config", str(own), "--write-config", str(own)]) == 0
    config = load_sample_config(own)
    assert (config.char_set, config.max_captcha) == ("9876543210a", 6)
    assert (config.cycle_stop, config.acc_stop) == (20000, 0.995)
    assert "sample_config.json (the older one is sample_config.json.bak): " in capsys.readouterr().out
    assert verify_and_split_data.main(["--config", str(own), "--write-config", str(own)]) == 0
    assert len(list(tmp_path.glob("*.bak*"))) == 1, "nothing has changed"


def test_pictures_of_another_suffix_are_counted(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "origin", 3)
    draw("01", tmp_path / "sample" / "origin" / "01_1.jpg")
    advice = 'Pictures of another suffix than png: 1, such as 01_1.jpg; "image_suffix": "any" takes them'
    verify_and_split_data.main(["--config", str(config_path), "--write-config", str(tmp_path / "new.json")])
    capsys.readouterr()
    verify_and_split_data.main(["--config", str(config_path)])
    assert advice in capsys.readouterr().out
    (tmp_path / "sample" / "origin" / "01_1.jpg").rename(tmp_path / "sample" / "origin" / "01_1.png")
    verify_and_split_data.main(["--config", str(config_path)])
    assert "another suffix" not in capsys.readouterr().out
    assert len(names(tmp_path, "train") | names(tmp_path, "test")) == 4


def test_dry_run_writes_no_config(config_path: Path, tmp_path: Path) -> None:
    run = run_script("verify_and_split_data.py", "--config", config_path, "--dry-run", "--write-config", tmp_path / "a")
    assert (run.returncode, (tmp_path / "a").exists()) == (2, False)
    assert "not allowed with argument --dry-run" in run.stderr


def test_same_folder_twice_is_refused_and_nothing_is_lost(tmp_path: Path) -> None:
    path = write_config(tmp_path, train_image_dir=str(tmp_path / "sample" / "origin"))
    fill(tmp_path / "sample" / "origin", 10)
    run = run_script("verify_and_split_data.py", "--config", path)
    assert run.returncode == 2
    assert "keys 'origin_image_dir', 'train_image_dir': expected different folders; got " in run.stderr
    assert len(names(tmp_path, "origin")) == 10


def test_folder_whose_oldest_pictures_are_deleted_is_no_other_folder(tmp_path: Path) -> None:
    for key in ("new_image_dir", "local_image_dir"):
        path = write_config(tmp_path, api_image_dir=str(tmp_path / "same"), **{key: str(tmp_path / "same")})
        with pytest.raises(ConfigError, match=r"'api_image_dir'.*expected different folders"):
            load_sample_config(path)


def test_config_that_would_not_load_is_not_written(config_path: Path, tmp_path: Path) -> None:
    draw("1", tmp_path / "sample" / "origin" / "11_1.png", size=(6, 5), seed=9)
    written = tmp_path / "new.json"
    run = run_script("verify_and_split_data.py", "--config", config_path, "--write-config", written)
    assert run.returncode == 2
    assert "key 'image_width': expected a whole number of pixels, 8 to 4096; got 6" in run.stderr
    assert not written.exists()


def test_config_for_large_pictures_reduces_them(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        draw("01", tmp_path / "sample" / "origin" / f"01_{number}.png", size=(350, 160), seed=number)
    origin = {"origin_image_dir": str(tmp_path / "sample" / "origin")}
    whole = write_config(tmp_path / "whole", image_width=350, image_height=160, **origin)
    assert verify_and_split_data.main(["--config", str(whole), "--dry-run"]) == 0
    assert "disagree" not in capsys.readouterr().out
    written = tmp_path / "new.json"
    assert verify_and_split_data.main(["--config", str(config_path), "--write-config", str(written)]) == 0
    assert "Pictures of another size will be resized to 175x80 pixels" in capsys.readouterr().out
    assert verify_and_split_data.main(["--config", str(written)]) == 0
    assert "disagree" not in capsys.readouterr().out
    assert names(tmp_path, "origin") == set()


def test_disagreement_ends_with_config_lines_that_fit(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, label in enumerate(("ab1", "b0", "cc")):
        draw(label, tmp_path / "sample" / "origin" / f"{label}_{number}.png", size=(40, 20))
    verify_and_split_data.main(["--config", str(config_path)])
    assert capsys.readouterr().out.splitlines()[-6:] == [
        f"Pictures and {config_path} disagree; these lines would fit the pictures:",
        '  "image_width": 40,',
        '  "image_height": 20,',
        '  "max_captcha": 3,',
        '  "char_set": "01abc",',
        "Change them by hand, or let --write-config PATH write them",
    ]
    assert len(names(tmp_path, "origin")) == 3


def test_written_config_fits_the_pictures(config_path: Path, tmp_path: Path) -> None:
    for number, label in enumerate(("ab1", "b0", "cc")):
        draw(label, tmp_path / "sample" / "origin" / f"{label}_{number}.png", size=(40, 20))
    written = tmp_path / "fitting.json"
    assert verify_and_split_data.main(["--config", str(config_path), "--write-config", str(written)]) == 0
    config = load_sample_config(written)
    assert (config.image_width, config.image_height, config.max_captcha) == (40, 20, 3)
    assert (config.char_set, config.cycle_stop) == ("01abc", "auto")
    assert len(names(tmp_path, "origin")) == 3, "nothing is moved before the config is in use"
    verify_and_split_data.main(["--config", str(written)])
    assert len(names(tmp_path, "train") | names(tmp_path, "test")) == 3


def test_resizing_is_proposed_when_few_pictures_fit(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "origin", 2)
    for number in range(20):
        draw("01", tmp_path / "sample" / "origin" / f"01_{number}.png", size=(40, 20), seed=number)
    verify_and_split_data.main(["--config", str(config_path)])
    assert capsys.readouterr().out.splitlines()[-2] == '  "resize": true,'
    written = tmp_path / "new.json"
    verify_and_split_data.main(["--config", str(config_path), "--write-config", str(written)])
    verify_and_split_data.main(["--config", str(written)])
    assert (load_sample_config(written).image_width, names(tmp_path, "origin")) == (32, set())


def test_few_pictures_of_another_size_do_not_change_the_proposal(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "origin", 30)
    draw("01", tmp_path / "sample" / "origin" / "01_1.png", size=(40, 20))
    for _ in range(2):
        verify_and_split_data.main(["--config", str(config_path)])
        assert "disagree" not in capsys.readouterr().out
    draw("01", tmp_path / "sample" / "origin" / "01_2.png", size=(40, 20), seed=2)  # 2 of 32 are no few any more
    fill(tmp_path / "sample" / "new_train", 4, seed=2)
    for _ in range(2):  # pictures that are moved in this very run count once
        verify_and_split_data.main(["--config", str(config_path)])
        assert '"resize": true' in capsys.readouterr().out


def test_labels_of_moved_pictures_are_compared_with_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("210", tmp_path / "sample" / "train" / "210_1.png")
    verify_and_split_data.main(["--config", str(write_config(tmp_path))])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:-1] == ['  "max_captcha": 3,', '  "char_set": "012",']


@pytest.mark.parametrize(("suffix", "size"), [("png", (40, 20)), ("jpg", (32, 16))])
def test_config_that_training_pictures_do_not_fit_is_refused(
    tmp_path: Path, suffix: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    draw("01", tmp_path / "sample" / "train" / f"01_0.{suffix}", size=size)
    draw("10", tmp_path / "sample" / "origin" / f"10_0.{suffix}", size=size)
    written, other = tmp_path / "new.json", write_config(tmp_path)
    for arguments in ([], ["--write-config", str(written)]):
        assert verify_and_split_data.main(["--config", str(other), *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert f"01_0.{suffix}: expected a png of 32x16 pixels, as " in printed.err
        assert f"got a {suffix} of {size[0]}x{size[1]}; name the config that the training pictures were" in printed.err
    assert ({path.name for path in (tmp_path / "sample" / "origin").iterdir()}, written.exists()) == (
        {f"10_0.{suffix}"},
        False,
    )
    own = write_config(tmp_path, image_width=size[0], image_height=size[1], image_suffix=suffix)
    assert verify_and_split_data.main(["--config", str(own)]) == 0
    assert not (tmp_path / "sample" / "origin" / f"10_0.{suffix}").exists()
    draw("01", tmp_path / "sample" / "train" / "00_0.gif")  # a stray, which training leaves out
    assert verify_and_split_data.main(["--config", str(own)]) == 0


def test_config_in_use_is_not_replaced_by_one_made_from_another(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = tmp_path / "new.json"
    fill(tmp_path / "sample" / "origin", 3)
    verify_and_split_data.main(["--config", str(config_path), "--write-config", str(written)])
    verify_and_split_data.main(["--config", str(written)])
    before = written.read_text()
    draw("ab", tmp_path / "sample" / "new_train" / "ab_1.png")
    assert verify_and_split_data.main(["--config", str(config_path), "--write-config", str(written)]) == 2
    assert "new.json: pictures were moved already, maybe by this config" in capsys.readouterr().err
    assert written.read_text() == before
    assert verify_and_split_data.main(["--config", str(written), "--write-config", str(written)]) == 0
    assert {"a", "b"} < set(load_sample_config(written).char_set)


@pytest.mark.parametrize(("name", "stem"), [("site.v2.json", "site.v2"), ("site.v2", "site.v2"), ("site", "site")])
def test_files_beside_a_written_config_have_its_whole_name(
    config_path: Path, tmp_path: Path, name: str, stem: str
) -> None:
    conf = tmp_path / "conf"
    conf.mkdir()
    (conf / "site.txt").write_text("notes")
    for number in range(25):
        draw("01", tmp_path / "sample" / "origin" / f"nameless{number}.png", seed=number)
    arguments = ["--config", str(config_path), "--write-config", str(conf / name)]
    assert verify_and_split_data.main(arguments) == 2
    assert {path.name for path in conf.iterdir()} == {"site.txt", f"{stem}_abnormal.txt"}
    fill(tmp_path / "sample" / "origin", 12)
    assert verify_and_split_data.main(arguments) == 0
    beside = {f"{stem}_abnormal.txt", f"{stem}_abnormal_origin.txt", f"{stem}_pictures.png"}
    assert {path.name for path in conf.iterdir()} == {"site.txt", name, *beside}
    assert (conf / "site.txt").read_text() == "notes"


def test_model_that_the_written_config_no_longer_fits_is_named(
    trained: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, model_save_dir=str(trained.config.model_save_dir))
    draw("01", tmp_path / "sample" / "train" / "01_1.png")
    draw("02", tmp_path / "sample" / "new_train" / "02_1.png")
    assert verify_and_split_data.main(["--config", str(path), "--write-config", str(path)]) == 0
    out = capsys.readouterr().out
    model = trained.config.model_save_dir.as_posix()
    assert f'trained with char_set "01", but {path.as_posix()} says char_set "012"' in out
    assert f"--warm-start {model}" in out


def test_folder_given_as_the_config_to_write_is_refused(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "sample" / "origin", 3)
    assert verify_and_split_data.main(["--config", str(config_path), "--write-config", str(tmp_path)]) == 2
    assert "expected a file to write the config into; this is a folder" in capsys.readouterr().err


def test_replaced_config_is_backed_up(config_path: Path, tmp_path: Path) -> None:
    draw("a1", tmp_path / "sample" / "origin" / "a1_0.png")
    before = config_path.read_text()
    verify_and_split_data.main(["--config", str(config_path), "--write-config", str(config_path)])
    assert (tmp_path / "sample_config.json.bak").read_text() == before
    assert json.loads(config_path.read_text())["char_set"] == "1a"
    draw("b1", tmp_path / "sample" / "origin" / "b1_0.png")
    verify_and_split_data.main(["--config", str(config_path), "--write-config", str(config_path)])
    assert (tmp_path / "sample_config.json.bak").read_text() == before, "the first one is not written over"
    assert json.loads((tmp_path / "sample_config.json.bak2").read_text())["char_set"] == "1a"


def test_picture_whose_name_is_taken_stays_and_is_named(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("01", tmp_path / "sample" / "train" / "01_1.png", seed=1)
    new = draw("01", tmp_path / "sample" / "origin" / "01_1.png", seed=2)
    old, content = (tmp_path / "sample" / "train" / "01_1.png").read_bytes(), new.read_bytes()
    verify_and_split_data.main(["--config", str(config_path)])
    assert "[01_1.png] [Name taken: " in capsys.readouterr().out
    assert (new.read_bytes(), (tmp_path / "sample" / "train" / "01_1.png").read_bytes()) == (content, old)


def test_new_picture_whose_name_is_taken_is_moved_under_another(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = draw("01", tmp_path / "sample" / "train" / "01_1.png", seed=1)
    new = draw("01", tmp_path / "sample" / "new_train" / "01_1.png", seed=2)
    contents = {old.read_bytes(), new.read_bytes()}
    verify_and_split_data.main(["--config", str(config_path)])
    assert "1 picture has a name that another one in the sets has" in capsys.readouterr().out
    paths = [path for folder in ("train", "test") for path in (tmp_path / "sample" / folder).glob("01_*.png")]
    assert ({path.read_bytes() for path in paths}, new.exists(), old.exists()) == (contents, False, True)


def test_faulty_config_is_one_line_and_status_two(tmp_path: Path) -> None:
    run = run_script("verify_and_split_data.py", "--config", write_config(tmp_path, acc_stop="high"))
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.count("\n") == 1
    assert "key 'acc_stop': expected a number from 0 to 1; got \"high\"" in run.stderr


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_config_of_another_size_than_linked_training_pictures_is_refused(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = draw("01", tmp_path / "store" / "01_1.png", size=(50, 20))
    (tmp_path / "sample" / "train").mkdir(parents=True)
    (tmp_path / "sample" / "train" / "01_1.png").symlink_to(picture)
    assert verify_and_split_data.main([str(config_path)]) == 2
    assert "01_1.png: expected a png of 32x16 pixels" in capsys.readouterr().err


def test_config_of_a_long_name_is_written_again_with_a_backup_and_a_sheet(
    config_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config_path.rename(config_path.with_name(f"{'c' * 250}.json"))
    before = path.read_text()
    fill(tmp_path / "sample" / "origin", 20, characters="ab")
    assert verify_and_split_data.main([str(path), "--write-config", str(path)]) == 0
    assert [each.read_text() for each in tmp_path.glob("*.bak")] == [before]
    assert len([*tmp_path.glob("*_pictures.png")]) == 1
    assert "Warning" not in capsys.readouterr().out
