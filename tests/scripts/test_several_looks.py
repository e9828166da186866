"""`origin_image_dir` as a list: the pictures of all its folders are verified, split and proposed for."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import verify_and_split_data
from cnnlib.codec.filenames import SERIAL_DIGITS, file_name, label_of
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.data.folders import list_entries
from cnnlib.data.samples import Sample, digest_of
from tests.helpers import draw, fill, write_config

Pictures = Counter[tuple[str, bytes]]  # labels and bytes
Make = Callable[..., Path]


@pytest.fixture
def looks(tmp_path: Path) -> Make:
    """Writes a config with the folders `first` and `second` as looks, with keys changed; returns its path."""
    folders = [str(tmp_path / "looks" / name) for name in ("first", "second")]
    return lambda **changes: write_config(tmp_path, **{"origin_image_dir": folders} | changes)


def run(*arguments: str | Path) -> int:
    return verify_and_split_data.main([*map(str, arguments)])


def pictures(*folders: Path) -> Pictures:
    paths = [path for folder in folders for path in list_entries(folder)]
    return Counter((label_of(path.name), path.read_bytes()) for path in paths)


def moved(config: SampleConfig) -> Pictures:
    return pictures(config.train_image_dir, config.test_image_dir)


def test_pictures_of_all_folders_are_moved_and_each_gives_test_pictures(looks: Make) -> None:
    config = load_sample_config(looks())
    for number, folder in enumerate(config.dirs_to_split):
        fill(folder, 40, seed=number)
    before = pictures(*config.dirs_to_split)
    assert run(looks()) == 0
    assert moved(config) == before
    seeds = Counter(path.stem.rpartition("_")[2][0] for path in list_entries(config.test_image_dir))
    assert seeds == {"0": 4, "1": 4, "2": 4}
    assert pictures(*config.dirs_to_split) == Counter()


def test_pictures_of_one_name_are_all_moved(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_sample_config(looks())
    for seed, folder in enumerate(config.dirs_to_split):
        for label in ("01", "10"):
            draw(label, folder / f"{label}_1.png", seed=seed)
    before = pictures(*config.dirs_to_split)
    assert run(looks(), "--dry-run") == 0
    dry = capsys.readouterr().out
    assert pictures(*config.dirs_to_split) == before
    assert run(looks()) == 0
    line = "2 pictures have names that another one in the sets has: the serial number becomes the hash of the content"
    out = capsys.readouterr().out
    assert out.splitlines().count(line) == 2
    assert [text for text in dry.replace("would become", "becomes").splitlines() if "[Warning]" not in text] == [
        *[text for text in out.splitlines() if "[Warning]" not in text],
        "Dry run: nothing was moved",
    ]
    assert moved(config) == before
    names = {path.name for folder in (config.train_image_dir, config.test_image_dir) for path in list_entries(folder)}
    hashed = {file_name(label, digest_of(data).hex()[:SERIAL_DIGITS], "png") for label, data in before}
    assert names - {"01_1.png", "10_1.png"} < hashed
    assert len(names) == 6


def test_same_picture_in_two_folders_is_moved_once(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_sample_config(looks())
    first, second = config.origin_dirs
    paths = fill(first, 5)
    shutil.copytree(first, second)
    paths[0].rename(first / f"{label_of(paths[0].name)}_other.png")
    before = pictures(first)
    assert run(looks()) == 0
    assert "5 pictures are in the sets already or here twice, the same byte for byte: removed here" in (
        capsys.readouterr().out
    )
    assert moved(config) == before
    assert pictures(second) == Counter()


def test_copies_of_a_picture_whose_name_is_taken_are_moved_once(looks: Make, tmp_path: Path) -> None:
    config = load_sample_config(looks())
    first, second = config.origin_dirs
    draw("01", first / "01_1.png", seed=1)
    twin = draw("01", second / "01_1.png", seed=2)
    shutil.copy(twin, second / "01_2.png")
    assert run(looks()) == 0
    assert moved(config) == Counter(
        {("01", draw("01", tmp_path / "x.png", seed=seed).read_bytes()): 1 for seed in (1, 2)}
    )


def test_same_picture_under_another_label_stays_and_the_other_one_is_named(
    looks: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_sample_config(looks())
    first, second = config.origin_dirs
    path = draw("01", first / "01_1.png")
    second.mkdir(parents=True)
    shutil.copy(path, second / "10_1.png")
    assert run(looks(), "--dry-run") == 0
    assert f"[10_1.png] [Same picture, another label: {path.as_posix()}]" in capsys.readouterr().out
    assert run(looks()) == 0
    taken = (config.train_image_dir / path.name).as_posix()
    assert f"[10_1.png] [Same picture, another label: {taken}]" in capsys.readouterr().out
    assert pictures(second) == Counter({("10", (config.train_image_dir / path.name).read_bytes()): 1})


@pytest.mark.skipif(os.name != "posix", reason="names are limited to 255 bytes there")
def test_picture_stays_when_its_new_name_would_be_too_long(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    path = looks(char_set="01𠀀", max_captcha=64)
    config = load_sample_config(path)
    for seed, folder in enumerate(config.origin_dirs):
        drawn = draw("01", folder / "01_1.png", seed=seed)
        drawn.rename(folder / f"{'𠀀' * 61}_1.png")  # of 250 bytes
    before = pictures(config.origin_dirs[1])
    assert run(path, "--accept-labels") == 0
    assert "with the hash of the content the name is too long" in capsys.readouterr().out
    assert pictures(config.origin_dirs[1]) == before


def test_one_folder_in_a_list_is_as_one_folder(looks: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outputs = []
    for form in (list, str):
        shutil.rmtree(tmp_path / "looks", ignore_errors=True)
        shutil.rmtree(tmp_path / "sample", ignore_errors=True)
        folder = tmp_path / "looks" / "first"
        path = looks(origin_image_dir=[str(folder)] if form is list else str(folder))
        config = load_sample_config(path)
        fill(folder, 20)
        draw("01", folder / "odd.png")
        shutil.copy(folder / "odd.png", draw("01", config.new_image_dir / fill(tmp_path / "x", 1)[0].name))
        assert run(path) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1]
    assert "1 picture has a name that another one in the sets has" in outputs[0], "with one folder too"


def test_abnormal_pictures_of_folders_of_one_name_are_listed_in_files_of_their_own(
    looks: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [tmp_path / name / "pictures" for name in ("a", "b")]
    path = looks(origin_image_dir=[str(folder) for folder in folders])
    for number, folder in enumerate(folders):
        for serial in range(25 + number):
            draw("01", folder / f"01_{serial}.jpg", seed=serial)
    assert run(path) == 0
    logs = tmp_path / "logs"
    listed = [
        len((logs / name).read_text().splitlines()) for name in ("abnormal_pictures.txt", "abnormal_pictures_2.txt")
    ]
    assert listed == [25, 26]
    assert f"such as {folders[0].as_posix()}/01_0.jpg; " in capsys.readouterr().out


def test_advice_names_the_folder_of_its_example(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_sample_config(looks())
    fill(config.origin_dirs[0], 12)
    nameless = draw("01", config.origin_dirs[1] / "nameless.png")
    doubtful = draw("01", config.origin_dirs[1] / "01 (1)_1.png", seed=1)
    assert run(looks()) == 0
    out = capsys.readouterr().out
    assert f"Names without a label: 1, such as {nameless.as_posix()}; " in out
    assert f"Labels that are likely wrong: 1, such as {doubtful.as_posix()}; " in out


def test_length_that_is_rare_among_all_is_usual_in_its_look(looks: Make, tmp_path: Path) -> None:
    first, second = load_sample_config(looks()).origin_dirs
    numbered = [(first, "01", number) for number in range(3000)] + [(second, "0101", number) for number in range(12)]
    samples = [Sample(folder, f"{label}_{number}.png", label, (32, 16)) for folder, label, number in numbered]
    alone = load_sample_config(write_config(tmp_path / "alone"))
    doubtful = [
        [sample.label for sample in verify_and_split_data.question(samples, [], config, False) if sample.doubt]
        for config in (load_sample_config(looks()), alone)
    ]
    assert doubtful == [[], ["0101"] * 12]


@pytest.fixture
def small_look(looks: Make) -> dict[str, Any]:
    """What is proposed for 400 pictures of one look and 12 larger, longer and coloured ones of another."""
    path = looks()
    config = load_sample_config(path)
    fill(config.origin_dirs[0], 400)
    for number in range(12):
        drawn = draw("23" * 2, config.origin_dirs[1] / f"2323_{number}.png", size=(60, 20), seed=number)
        picture = Image.open(drawn)
        picture.paste((200, 40, 200), (0, 10, 30, 20))
        picture.save(drawn)
    return {"path": path, "written": path.with_name("new.json")}


def test_small_look_counts_in_a_proposed_config(small_look: dict[str, Any]) -> None:
    assert run(small_look["path"], "--write-config", small_look["written"]) == 0
    config, before = load_sample_config(small_look["written"]), load_sample_config(small_look["path"])
    assert (config.image_width, config.image_height, config.resize) == (32, 16, True)
    assert (config.channels, config.max_captcha, config.char_set) == (3, 4, "0123")
    assert config.origin_dirs == before.origin_dirs
    assert json.loads(small_look["written"].read_text())["origin_image_dir"] == [*map(str, before.origin_dirs)]
    assert run(small_look["written"]) == 0
    assert moved(config).total() == 412


def test_pictures_of_another_size_need_resize_and_the_lines_say_so(
    small_look: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_sample_config(small_look["path"])
    assert run(small_look["path"]) == 0
    out = capsys.readouterr().out
    assert "[Wrong size: expected 32x16 pixels; got 60x20; Label '2323': " in out.replace("File", "")
    assert '  "resize": true,' in out
    assert moved(config).total() == 400
    assert pictures(config.origin_dirs[1]).total() == 12


def test_few_pictures_that_an_earlier_move_left_propose_nothing(
    looks: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_sample_config(looks())
    fill(config.origin_dirs[0], 20)
    fill(config.origin_dirs[1], 300, seed=1)
    for number in range(12):
        draw("01", config.origin_dirs[1] / f"01_{number}.png", size=(40, 20), seed=number)
    assert run(looks()) == 0
    assert "disagree" not in capsys.readouterr().out
    for path in list_entries(config.origin_dirs[1])[:5]:
        path.unlink()
    assert run(looks()) == 0
    assert "disagree" not in capsys.readouterr().out


def test_imported_pictures_go_into_the_first_folder(
    looks: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = load_sample_config(looks())
    source = fill(tmp_path / "downloads", 12)
    shutil.copy(source[0], draw("01", config.origin_dirs[1] / source[0].name))
    assert run(looks(), "--import", tmp_path / "downloads") == 0
    first = f"{config.origin_dirs[0].as_posix()}/"
    assert f"Copied 11 pictures into {first}; 1 were there already" in capsys.readouterr().out
    assert pictures(*config.origin_dirs) == pictures(tmp_path / "downloads")
    assert run(looks(), "--import", config.origin_dirs[1]) == 2
    assert "this one is a folder of" in capsys.readouterr().err


def move_earlier(config: SampleConfig, training: int, test: int, label: str) -> None:
    """Put pictures of this label into the sets, of which the first one alone is whole: only their names count."""
    for folder, count in ((config.train_image_dir, training), (config.test_image_dir, test)):
        draw(label, folder / f"{label}_0.png")
        for number in range(1, count):
            (folder / f"{label}_{number}.png").touch()


def test_look_that_is_added_later_gives_test_pictures(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    config = load_sample_config(looks())
    move_earlier(config, 450, 50, "00")
    fill(config.origin_dirs[1], 30, seed=1)
    assert run(looks()) == 0
    assert len(list_entries(config.test_image_dir)) == 52
    out = capsys.readouterr().out
    assert "test set (7%) and training set (93%)" in out
    assert "The number of test sets is: 2\n" in out


def draw_digits(folder: Path, count: int, length: int, seed: int = 0) -> list[str]:
    """Draw pictures of random digits; returns their labels."""
    return [label_of(path.name) for path in fill(folder, count, "0123456789", length, seed)]


@pytest.mark.parametrize(("count", "left"), [(10, 0), (9, 9)])
def test_look_of_ten_pictures_is_not_judged_by_the_labels_of_others(
    looks: Make, capsys: pytest.CaptureFixture[str], count: int, left: int
) -> None:
    path = looks(char_set="0123456789", max_captcha=6)
    config = load_sample_config(path)
    move_earlier(config, 2100, 1, "0123")
    draw_digits(config.origin_dirs[1], count, 6)
    assert run(path) == 0
    assert pictures(config.origin_dirs[1]).total() == left
    assert ("a length of 6, as in " in capsys.readouterr().out) == bool(left)


def test_pictures_of_a_new_look_are_imported(looks: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = looks(char_set="0123456789", max_captcha=6)
    config = load_sample_config(path)
    move_earlier(config, 2100, 1, "0123")
    draw_digits(tmp_path / "downloads", 10, 6)
    assert run(path, "--import", tmp_path / "downloads") == 0
    assert "Copied 10 pictures" in capsys.readouterr().out


def test_slips_that_a_move_left_behind_propose_nothing(looks: Make, capsys: pytest.CaptureFixture[str]) -> None:
    path = looks(char_set="0123456789", max_captcha=4)
    config = load_sample_config(path)
    draw_digits(config.origin_dirs[0], 200, 4)
    for length in (2, 6, 8, 10, 12):
        draw_digits(config.origin_dirs[0], 2, length, seed=length)
    assert run(path) == 0
    assert moved(config).total() == 200
    assert "disagree" not in capsys.readouterr().out
