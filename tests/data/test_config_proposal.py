import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cnnlib.config import SampleConfig
from cnnlib.data import config_proposal
from cnnlib.data.config_proposal import PIXEL_LIMIT, Keys, combine, disagreements, propose, write
from cnnlib.data.verify_and_split import check_folder
from cnnlib.network.names import GENERAL_SIZE, NETWORKS
from tests.helpers import draw, fill, write_config


def test_proposal_is_the_common_size_and_all_characters(config: SampleConfig) -> None:
    origin = config.origin_image_dir
    for number, label in enumerate(("b01", "a1", "a0")):
        draw(label, origin / f"{label}_{number}.jpg", size=(50, 20))
    draw("01", origin / "01_9.jpg")
    samples = check_folder(origin, config)
    proposed = propose(samples, [], config)
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
        "network": "large",
    }
    wrong = disagreements(proposed, config)
    fits = {"channels", "cycle_stop", "acc_stop", "network"}
    assert wrong == {key: proposed[key] for key in proposed if key not in fits}
    assert propose([], [], config) == {}
    grown = propose(samples, ["0c"], config)
    assert (grown["image_width"], grown["image_suffix"], grown["char_set"]) == (32, "any", "01abc")


def test_network_of_the_general_model_is_proposed_for_few_labels_unless_one_is_named(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configure()
    for number in range(3):
        draw("01", config.origin_image_dir / f"01_{number}.png")
    samples = check_folder(config.origin_image_dir, config)
    assert propose(samples, [], config)["network"] == "large"
    for network in NETWORKS:
        assert "network" not in propose(samples, [], configure(network=network))
    assert "network" not in propose(samples, ["01"], config), "a model may have been trained already"
    monkeypatch.setattr(config_proposal, "FEW_PICTURES", 3)
    assert "network" not in propose(samples, [], config)


def test_colour_is_proposed_when_pictures_have_some(config: SampleConfig) -> None:
    for number in range(5):
        draw("01", config.origin_image_dir / f"01_{number}.png")
    coloured = Image.new("RGB", (32, 16), (200, 40, 200))
    coloured.putpixel((9, 9), (0, 0, 0))
    coloured.save(config.origin_image_dir / "01_9.png")
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert (proposed["channels"], proposed["resize"]) == (3, False)
    samples = check_folder(config.origin_image_dir, config)
    assert propose(samples, ["01"], config)["channels"] == 1, "a model may have been trained already"
    assert disagreements(proposed, config) == {}


def test_large_size_is_reduced_in_its_proportions(configure: Callable[..., SampleConfig]) -> None:
    config = configure(network="columns")
    draw("01", config.origin_image_dir / "01_0.png", size=(400, 100))
    samples = check_folder(config.origin_image_dir, config)
    proposed = propose(samples, [], config, 10_000)
    assert (proposed["image_width"], proposed["image_height"], proposed["resize"]) == (200, 50, True)
    grown = propose(samples, ["01"], config, 10_000)
    assert (grown["image_width"], grown["image_height"], grown["resize"]) == (32, 16, True)
    whole = propose(samples, [], config, 33_000)  # 1.2 times as many are not worth the blur
    assert (whole["image_width"], whole["image_height"], whole["resize"]) == (400, 100, False)


def test_median_of_many_sizes_is_proposed(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "00_0.png", size=(9, 9))
    for number in range(10):
        draw("01", config.origin_image_dir / f"01_{number}.png", size=(60 + 5 * number, 20 + number))
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert (proposed["image_width"], proposed["image_height"], proposed["resize"]) == (80, 24, True)


def test_label_longer_than_any_config_allows_is_left_out(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "01_0.png")
    draw("01", config.origin_image_dir / f"{'0' * 70}_0.png")
    assert propose(check_folder(config.origin_image_dir, config), [], config)["max_captcha"] == 2


def test_other_sizes_fit_a_config_that_resizes(configure: Callable[..., SampleConfig]) -> None:
    config = configure(resize=True)
    draw("01", config.origin_image_dir / "01_0.png", size=(50, 20))
    samples = check_folder(config.origin_image_dir, config)
    assert [sample.fault for sample in samples] == [None]
    proposed = propose(samples, [], config)
    assert disagreements(proposed, config) == {}


def test_few_pictures_of_another_size_do_not_propose_resizing(config: SampleConfig) -> None:
    draw("01", config.origin_image_dir / "01_0.png", size=(50, 20))
    samples = check_folder(config.origin_image_dir, config)
    assert [propose(samples, ["01"] * moved, config)["resize"] for moved in (18, 19)] == [True, False]


def test_suffixes_of_one_format_count_together(configure: Callable[..., SampleConfig]) -> None:
    config = configure(image_suffix="jpeg")
    for number, suffix in enumerate(("jpg", "JPEG", "jfif", "png", "png")):
        draw("01", config.origin_image_dir / f"01_{number}.{suffix}")
    samples = check_folder(config.origin_image_dir, config)
    assert [sample.fault for sample in samples] == [None, None, None, *["File extension is incorrect"] * 2]
    proposed = propose(samples, [], config)
    assert disagreements(proposed, config) == {"image_suffix": "any"}


def test_characters_that_the_labels_file_lacks_move_the_alphabet_into_the_config(
    configure: Callable[..., SampleConfig], tmp_path: Path
) -> None:
    (tmp_path / "labels.json").write_text('["0", "1"]')
    config = configure(use_labels_json_file=True, labels_json_file=str(tmp_path / "labels.json"))
    draw("02", config.origin_image_dir / "02_0.png")
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert disagreements(proposed, config) == {"char_set": "02", "use_labels_json_file": False}


@pytest.mark.parametrize(("changes", "in_use"), [({"max_captcha": 5}, True), ({"char_set": "01ab"}, False)])
def test_labels_file_is_put_aside_only_for_a_written_alphabet(
    configure: Callable[..., SampleConfig], tmp_path: Path, changes: Keys, in_use: bool
) -> None:
    (tmp_path / "labels.json").write_text('["x", "y"]')
    config = configure(use_labels_json_file=True)
    assert config.file
    _, written = combine(tmp_path / "new.json", config.file, changes)
    assert (written.use_labels_json_file, str(written.alphabet)) == (in_use, "xy" if in_use else "01ab")


@pytest.mark.parametrize(
    ("size", "proposed"),
    [
        ((350, 40), (160, 64, True)),
        ((209, 60), (160, 64, True)),
        ((208, 60), (208, 60, False)),
        ((120, 84), (160, 64, True)),
        ((120, 83), (120, 83, False)),
        ((700, 80), (160, 64, True)),
        ((200, 70), (200, 70, False)),
    ],
)
def test_size_of_the_general_model_is_proposed_with_its_network_for_much_larger_pictures(
    configure: Callable[..., SampleConfig], size: tuple[int, int], proposed: tuple[int, int, bool]
) -> None:
    config = configure()
    draw("01", config.origin_image_dir / "01_0.png", size=size)
    samples = check_folder(config.origin_image_dir, config)
    keys = propose(samples, [], config, PIXEL_LIMIT)
    assert (keys["image_width"], keys["image_height"], keys["resize"]) == proposed
    assert keys["network"] == "large"
    assert propose(samples, [], configure(network="columns"), PIXEL_LIMIT)["image_width"] == min(size[0], 350)
    whole = propose(samples, [], config)
    assert (whole["image_width"], whole["image_height"]) == size, "compared with a config, not written"


def test_size_of_the_general_model_is_that_of_its_network() -> None:
    from cnnlib.network.architectures import Large

    assert Large.size == GENERAL_SIZE == (64, 160)


def test_pictures_that_fit_disagree_in_nothing(config: SampleConfig) -> None:
    fill(config.origin_image_dir, 3, characters="0", length=1)
    proposed = propose(check_folder(config.origin_image_dir, config), [], config)
    assert disagreements(proposed, config) == {}


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has pipes in folders")
def test_pipe_is_neither_backed_up_nor_replaced_by_a_config(tmp_path: Path) -> None:
    template, path = write_config(tmp_path), tmp_path / "own.json"
    os.mkfifo(path)
    with pytest.raises(OSError, match="expected a file, or a new name; got a device, a pipe or a socket"):
        write(path, template, {})
    assert stat.S_ISFIFO(path.lstat().st_mode)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["own.json", "sample_config.json"]
