import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.data.doctor import case_slips, doubt_every, examine, findings
from cnnlib.data.samples import Sample
from cnnlib.evaluation.diagnosis import LabelledPrediction
from tests.helpers import draw, fill


def read_as(path: Path, label: str, text: str, confidence: float, label_confidence: float) -> LabelledPrediction:
    return LabelledPrediction(path, label, Prediction(text, confidence, ()), label_confidence, 0.0)


def test_pictures_of_all_sets_are_examined_and_others_left_out(config: SampleConfig) -> None:
    folders = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    for seed, folder in enumerate(folders):
        fill(folder, 3, seed=seed)
    (config.train_image_dir / "nolabel.png").write_bytes(b"")
    (config.train_image_dir / "01_7.png").write_bytes(b"no picture")
    assert [sample.folder for sample in examine(config).samples] == [folder for folder in folders for _ in range(3)]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_linked_pictures_are_examined_in_every_set(config: SampleConfig, tmp_path: Path) -> None:
    folders = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    for seed, folder in enumerate(folders):
        folder.mkdir(parents=True)
        for picture in fill(tmp_path / "store", 3, seed=seed):
            (folder / picture.name).symlink_to(picture)
        (folder / "01_7.png").symlink_to("nothing.png")
        (folder / "01_8.png").symlink_to("01_8.png")
        (folder / "01_9.png").symlink_to(tmp_path / "store", target_is_directory=True)
    (config.test_image_dir / "11_6.png").symlink_to(next((tmp_path / "store").glob("10_*.png")))
    examination = examine(config)
    counts = Counter(sample.folder for sample in examination.samples)
    assert counts == dict.fromkeys(folders[:-1], 3) | {config.test_image_dir: 4}
    assert any(double.exact and double.disagrees for double in examination.doubles)


def test_rarely_seen_characters_are_counted(configure: Callable[..., SampleConfig]) -> None:
    config = configure(char_set="0123")
    fill(config.train_image_dir, 40)
    for number in range(3):
        draw("23", config.train_image_dir / f"23_{number}.png", seed=100 + number)
    draw("22", config.train_image_dir / "22_9.png", seed=99)
    assert examine(config).rare == {"3": 3, "2": 5}


def test_label_outside_the_alphabet_comes_before_what_was_read(config: SampleConfig) -> None:
    fill(config.train_image_dir, 12)
    path = draw("0x", config.train_image_dir / "0x_1.png", seed=50)
    found = examine(config)
    readings = {each.path: read_as(each.path, str(each.label), "11", 0.9, 1e-9) for each in found.samples}
    del readings[path]
    first = findings(found, readings)[0]
    assert first.sample.path == path
    assert first.causes[0].startswith("Label '0x': not in the alphabet: x")


def test_strongest_contradiction_comes_first_and_agreement_last(config: SampleConfig) -> None:
    agreed, doubted, unsure, sure = (
        draw(label, config.train_image_dir / f"{label}_1.png") for label in ("00", "01", "10", "11")
    )
    readings = {
        agreed: read_as(agreed, "00", "00", 0.99, 0.99),
        doubted: read_as(doubted, "01", "01", 0.4, 0.4),
        unsure: read_as(unsure, "10", "01", 0.5, 0.3),
        sure: read_as(sure, "11", "00", 0.9, 1e-6),
    }
    every = findings(examine(config), readings)
    assert [each.sample.path for each in every] == [sure, unsure, doubted, agreed]
    assert [round(each.score, 2) for each in every] == [13.71, 0.51, 0.0, 0.0]
    assert [each.suspicious for each in every] == [True, True, False, False]


def test_one_picture_under_two_labels_comes_first_both_times(config: SampleConfig) -> None:
    others = fill(config.train_image_dir, 12)
    first = draw("01", config.train_image_dir / "01_a.png", seed=77)
    second = config.test_image_dir / "10_b.png"
    second.parent.mkdir(parents=True)
    second.write_bytes(first.read_bytes())
    found = examine(config)
    every = findings(found, {others[0]: read_as(others[0], "00", "11", 1.0, 1e-200)})
    assert {each.sample.path for each in every[:2]} == {first, second}
    assert every[2].sample.path == others[0]
    causes = {each.sample.path: each.causes for each in every}
    assert causes[first] == ("the same file as test/10_b.png, labelled '10'",)
    assert causes[second] == ("the same file as train/01_a.png, labelled '01'",)


def test_plain_texts_on_a_wide_ground_are_not_under_two_labels(configure: Callable[..., SampleConfig]) -> None:
    config = configure(char_set="0123456789", max_captcha=4, image_width=200, image_height=70)
    config.train_image_dir.mkdir(parents=True)
    for number in range(200):
        picture, label = Image.new("L", (200, 70), "white"), f"{7919 * number % 10000:04d}"
        middle = (98 + number % 5, 33 + number // 5 % 5)
        ImageDraw.Draw(picture).text(middle, label, "#888888", ImageFont.load_default(30), anchor="mm")
        picture.save(config.train_image_dir / f"{label}_{number}.png")
    examination = examine(config)
    assert (len(examination.samples), examination.doubles) == (200, [])


def test_letters_that_differ_in_case_alone_are_counted(configure: Callable[..., SampleConfig]) -> None:
    config = configure(char_set="abAB")
    paths = [draw(label, config.train_image_dir / f"{label}_{n}.png", seed=n) for n, label in enumerate(["aB", "ab"])]
    readings = {
        paths[0]: read_as(paths[0], "aB", "ab", 0.9, 0.05),
        paths[1]: read_as(paths[1], "ab", "aa", 0.9, 0.05),
    }
    assert case_slips(findings(examine(config), readings)) == {"b": 1}


def test_capitals_are_in_no_doubt_where_case_is_ignored(configure: Callable[..., SampleConfig]) -> None:
    for ignored, doubted in ((True, 0), (False, 2)):
        config = configure(char_set="abcd", ignore_case=ignored)
        for number in range(40):
            label = "abcd"[number % 4] + "abcd"[number // 4 % 4]
            draw(label, config.train_image_dir / f"{label.upper() if number < 2 else label}_{number}.png", seed=number)
        assert sum(sample.doubt is not None or bool(sample.misfits) for sample in examine(config).samples) == doubted


SMALL_LOOKS = {
    "longer": ("0123456789", 6),
    "letters": ("abcdefgh", 4),
    "capitals and digits": ("ABCDEFGH2345", 5),
    "with a blank": ("abcd", 4),
}


@pytest.mark.parametrize("look", SMALL_LOOKS)
def test_small_look_that_was_moved_is_not_in_doubt_and_slips_of_the_large_one_are(
    configure: Callable[..., SampleConfig], tmp_path: Path, look: str
) -> None:
    config = configure(origin_image_dir=[str(tmp_path / "first"), str(tmp_path / "second")])
    characters, length = SMALL_LOOKS[look]
    chance = random.Random(1)
    large = ["".join(chance.choices("0123456789", k=4)) for _ in range(2100)]
    small = ["".join(chance.choices(characters, k=length)) for _ in range(10)]
    small = [f"{label[:2]} {label[2:]}" if look == "with a blank" else label for label in small]
    slips = ["123", "12O4"]
    labels = [*large, *slips, *small]
    folders = [config.test_image_dir if number % 20 == 0 else config.train_image_dir for number in range(len(labels))]
    samples = [
        Sample(folder, f"{label}_{number}.png", label, (32, 16))
        for number, (folder, label) in enumerate(zip(folders, labels, strict=True))
    ]
    ordered = sorted(samples, key=lambda sample: sample.folder == config.test_image_dir)
    assert sorted(str(sample.label) for sample in doubt_every(ordered, config) if sample.doubt) == slips
    assert [sample.name for sample in doubt_every(ordered, config)] == [sample.name for sample in ordered]
