"""With "ignore_case" a label may have either case: in verifying, proposing and collecting, until it is learned."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import verify_and_split_data
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.data.folders import list_entries
from cnnlib.training.dataset import load_folder
from gen_image import collect_labels
from tests.helpers import draw, write_config

Make = Callable[..., Path]


@pytest.fixture
def ignoring(tmp_path: Path) -> Make:
    """Writes a config that ignores case, with other keys changed."""
    return lambda **changes: write_config(tmp_path, **{"ignore_case": True, "char_set": "abcd"} | changes)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return tmp_path / "sample" / "origin"


def main(*arguments: str | Path) -> int:
    return verify_and_split_data.main([*map(str, arguments)])


def draw_labels(folder: Path, capitals: int = 3) -> None:
    """Forty labels of `abcd`, some of them in capitals."""
    for number in range(40):
        label = "abcd"[number % 4] + "abcd"[number // 4 % 4]
        draw(label, folder / f"{label.upper() if number < capitals else label}_{number}.png", seed=number)


def sets(config: SampleConfig) -> list[str]:
    """The labels in the names of the pictures that were moved."""
    folders = (config.train_image_dir, config.test_image_dir)
    return sorted(label_of(path.name) for folder in folders for path in list_entries(folder))


def test_labels_in_capitals_are_moved_under_their_names(
    ignoring: Make, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ignoring()
    config = load_sample_config(path)
    draw_labels(origin)
    before = sorted(path.name for path in list_entries(origin))
    assert main(path, "--dry-run") == 0
    dry = capsys.readouterr().out
    assert sorted(path.name for path in list_entries(origin)) == before
    assert main(path) == 0
    printed = capsys.readouterr().out
    assert "No abnormality found (40 pictures in total)" in printed
    assert "disagree" not in dry + printed
    assert (len(sets(config)), list_entries(origin)) == (40, [])
    moved = (path.name for folder in (config.train_image_dir, config.test_image_dir) for path in list_entries(folder))
    assert sorted(moved) == before


def test_labels_in_capitals_stay_where_case_counts(
    tmp_path: Path, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_labels(origin)
    assert main(write_config(tmp_path, char_set="abcd")) == 0
    assert "[AA_0.png] [Label 'AA': not in the alphabet: A; Doubtful label 'AA': " in capsys.readouterr().out
    assert len(list_entries(origin)) == 3


@pytest.mark.parametrize("alphabet", ["abcd", "ABCD", "aABbcd"])
def test_same_picture_in_both_cases_is_there_twice(
    ignoring: Make, origin: Path, capsys: pytest.CaptureFixture[str], alphabet: str
) -> None:
    path = ignoring(char_set=alphabet)
    config = load_sample_config(path)
    drawn = draw("ab", origin / "ab_1.png")
    for folder, name in ((origin, "AB_2.png"), (config.new_image_dir, "aB_3.png")):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(drawn, folder / name)
    shutil.copy(drawn, origin / "AC_4.png")
    assert main(path) == 0
    printed = capsys.readouterr().out
    assert printed.count("1 picture is in the sets already or here twice, the same byte for byte: removed here") == 2
    assert "[AC_4.png] [Same picture, another label: " in printed
    assert [config.label(label) for label in sets(config)] == ["ab"]


def test_letters_that_the_alphabet_has_in_both_cases_keep_their_names(ignoring: Make, origin: Path) -> None:
    path = ignoring(char_set="abcdABCD")
    draw_labels(origin)
    assert main(path) == 0
    assert sum(label.isupper() for label in sets(load_sample_config(path))) == 3


def test_proposed_alphabet_has_each_letter_once(ignoring: Make, origin: Path, tmp_path: Path) -> None:
    draw_labels(origin, capitals=20)
    written = tmp_path / "new.json"
    assert main(ignoring(char_set="01"), "--write-config", written) == 0
    config = load_sample_config(written)
    assert (config.char_set, config.ignore_case) == ("abcd", True)
    assert main(written) == 0
    assert (len(sets(config)), list_entries(origin)) == (40, [])


def test_alphabet_of_capitals_does_not_grow_by_small_letters(
    ignoring: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ignoring(char_set="ABCD")
    config = load_sample_config(path)
    draw_labels(config.train_image_dir, capitals=40)
    for number in range(12):
        draw("ab", config.new_image_dir / f"{'bc' if number % 2 else 'ae'}_{number}.png", seed=100 + number)
    assert main(path, "--dry-run") == 0
    assert '  "char_set": "ABCDe",' in capsys.readouterr().out
    assert main(path, "--write-config", path) == 0
    assert load_sample_config(path).char_set == "ABCDe"
    assert main(path) == 0
    assert set(map(config.spelled, "".join(sets(config)))) == set("ABCDe")


@pytest.mark.parametrize("options", [[], ["--write-config", "new.json"]])
def test_labels_in_another_case_than_all_before_are_in_no_doubt(
    ignoring: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    path = ignoring(char_set="ABCD")
    config = load_sample_config(path)
    draw_labels(config.train_image_dir, capitals=40)
    for number in range(3):
        draw("bc", config.new_image_dir / f"bc_{number}.png", seed=100 + number)
    assert main(path, *(option.replace("new", str(tmp_path / "new")) for option in options)) == 0
    assert "Doubtful label" not in capsys.readouterr().out


def test_training_takes_labels_in_either_case(
    ignoring: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ignoring()
    config = load_sample_config(path)
    draw_labels(config.train_image_dir, capitals=1)
    draw("BB", config.test_image_dir / "BB_1.png", seed=50)
    assert main(path) == 0
    assert '"char_set"' not in capsys.readouterr().out, "the alphabet fits"
    assert collect_labels.main([str(path)]) == 0
    assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == [*"abcd"]
    data = load_folder(config.train_image_dir, config).data
    learned = [config.alphabet.text(numbers) for numbers in data.labels]
    assert [label_of(name) for name in data.names] != learned
    assert [label_of(name).lower() for name in data.names] == learned


def test_collected_letters_are_small_where_case_is_ignored(ignoring: Make, origin: Path, tmp_path: Path) -> None:
    for number, label in enumerate(("Ab", "aB", "É1")):
        draw("x", origin / f"{label}_{number}.png")
    for ignore_case, expected in ((True, "1abé"), (False, "1ABabÉ")):
        assert collect_labels.main([str(ignoring(ignore_case=ignore_case))]) == 0
        assert json.loads((tmp_path / "labels.json").read_text(encoding="utf-8")) == [*expected]


def test_imported_labels_in_capitals_are_in_no_doubt(ignoring: Make, origin: Path, tmp_path: Path) -> None:
    draw_labels(tmp_path / "source")
    assert main("--import", tmp_path / "source", "--config", ignoring()) == 0
    labels = [label_of(path.name) for path in list_entries(origin)]
    assert len(labels) == 40
    assert all(label == label.lower() for label in labels)
