from collections.abc import Callable
from pathlib import Path

from PIL import Image

from cnnlib.config import SampleConfig
from cnnlib.data.config_proposal import disagreements, propose
from cnnlib.data.verify_and_split import check_folder
from tests.conftest import draw, fill


def test_proposal_is_the_common_size_and_all_characters(config: SampleConfig) -> None:
    origin = config.origin_image_dir
    for number, label in enumerate(("b01", "a1", "a0")):
        draw(label, origin / f"{label}_{number}.jpg", size=(50, 20))
    draw("01", origin / "01_9.jpg")
    found = check_folder(origin, config)
    proposed = propose(found, [], config)
    assert proposed == {
        "image_width": 50,
        "image_height": 20,
        "max_captcha": 3,
        "channels": 1,
        "resize": True,
        "image_suffix": "jpg",
        "char_set": "01ab",
        "cycle_stop": "auto",
        "acc_stop": 1,
    }
    wrong = disagreements(proposed, config)
    assert wrong == {key: proposed[key] for key in proposed if key not in ("channels", "cycle_stop", "acc_stop")}
    assert propose([], [], config) == {}
    settled = propose(found, ["0c"], config)
    assert (settled["image_width"], settled["image_suffix"], settled["char_set"]) == (32, "any", "01abc")


def test_colour_is_proposed_where_pictures_have_some(config: SampleConfig) -> None:
    for number in range(5):
        draw("01", config.origin_image_dir / f"01_{number}.png")
    coloured = Image.new("RGB", (32, 16), (200, 40, 200))
    coloured.putpixel((9, 9), (0, 0, 0))
    coloured.save(config.origin_image_dir / "01_9.png")
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert (proposed["channels"], proposed["resize"]) == (3, False)
    found = check_folder(config.origin_image_dir, config)
    assert propose(found, ["01"], config)["channels"] == 1, "a model may have been trained already"
    assert disagreements(proposed, config) == {}


def test_a_large_size_is_reduced_in_its_proportions(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "01_0.png", size=(400, 100))
    found = check_folder(config.origin_image_dir, config)
    proposed = propose(found, [], config, 10_000)
    assert (proposed["image_width"], proposed["image_height"], proposed["resize"]) == (200, 50, True)
    settled = propose(found, ["01"], config, 10_000)
    assert (settled["image_width"], settled["image_height"], settled["resize"]) == (32, 16, True)
    whole = propose(found, [], config, 33_000)  # 1.2 times as many are not worth the blur
    assert (whole["image_width"], whole["image_height"], whole["resize"]) == (400, 100, False)


def test_of_many_sizes_the_middle_one_is_proposed(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "00_0.png", size=(9, 9))
    for number in range(10):
        draw("01", config.origin_image_dir / f"01_{number}.png", size=(60 + 5 * number, 20 + number))
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert (proposed["image_width"], proposed["image_height"], proposed["resize"]) == (80, 24, True)


def test_a_label_that_no_config_can_have_is_left_out(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "01_0.png")
    draw("01", config.origin_image_dir / f"{'0' * 70}_0.png")
    assert propose(check_folder(config.origin_image_dir, config), [], config)["max_captcha"] == 2


def test_other_sizes_are_let_in_where_they_are_resized(configure: Callable[..., SampleConfig]) -> None:
    config = configure(resize=True)
    draw("01", config.origin_image_dir / "01_0.png", size=(50, 20))
    found = check_folder(config.origin_image_dir, config)
    assert [one.fault for one in found] == [None]
    proposed = propose(found, [], config)
    assert disagreements(proposed, config) == {}


def test_few_strays_beside_moved_pictures_settle_nothing(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "01_0.png", size=(50, 20))
    found = check_folder(config.origin_image_dir, config)
    assert [propose(found, ["01"] * moved, config)["resize"] for moved in (18, 19)] == [True, False]


def test_suffixes_of_one_format_are_one(configure: Callable[..., SampleConfig]) -> None:
    config = configure(image_suffix="jpeg")
    for number, suffix in enumerate(("jpg", "JPEG", "jfif", "png", "png")):
        draw("01", config.origin_image_dir / f"01_{number}.{suffix}")
    found = check_folder(config.origin_image_dir, config)
    assert [one.fault for one in found] == [None, None, None, *["File extension is incorrect"] * 2]
    proposed = propose(found, [], config)
    assert disagreements(proposed, config) == {"image_suffix": "any"}


def test_other_characters_than_the_file_has_are_taken_from_the_config(
    configure: Callable[..., SampleConfig], tmp_path: Path
) -> None:
    (tmp_path / "labels.json").write_text('["0", "1"]')
    config = configure(use_labels_json_file=True, labels_json_file=str(tmp_path / "labels.json"))
    draw("02", config.origin_image_dir / "02_0.png")
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert disagreements(proposed, config) == {"char_set": "02", "use_labels_json_file": False}


def test_nothing_is_proposed_where_pictures_fit(config: SampleConfig) -> None:
    fill(config.origin_image_dir, 3, characters="0", length=1)
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert disagreements(proposed, config) == {}
