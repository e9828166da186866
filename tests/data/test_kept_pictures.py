"""A config is proposed from the pictures that it keeps, and can be trained."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError
from cnnlib.data import config_proposal
from cnnlib.data.config_proposal import PIXEL_LIMIT, propose
from cnnlib.data.samples import doubt_labels, inspect_folder
from cnnlib.network.names import NETWORKS, least_width
from tests.helpers import draw, fill


def proposed(config: SampleConfig, known: list[str] | None = None, limit: float = PIXEL_LIMIT) -> dict[str, Any]:
    found = [*inspect_folder(config.origin_image_dir), *inspect_folder(config.new_image_dir)]
    return propose(doubt_labels(found, known or []), known or [], config, limit)


def forty(config: SampleConfig, suffix: str = "png") -> None:
    for path in fill(config.origin_image_dir, 40, "0123456789", 4):
        draw(path.name[:4], path, size=(100, 40), seed=int(path.stem[-2:]))
        path.rename(path.with_suffix(f".{suffix}"))


STRAYS: dict[str, Callable[[Path], object]] = {
    "screenshot": lambda folder: draw("x", folder / "Screenshot from 2024-05-06 at noon_1.png", size=(1920, 1080)),
    "small screenshot": lambda folder: draw("x", folder / "Screenshot from 2024-05-06 at noon_1.png", size=(100, 40)),
    "other format": lambda folder: draw("x", folder / "holiday_1.jpg", size=(640, 480)),
    "other format of this size": lambda folder: draw("x", folder / "holiday_1.jpg", size=(100, 40)),
    "two of them": lambda folder: [draw("x", folder / f"holiday_{n}.jpg", size=(100, 40), seed=n) for n in (1, 2)],
    "blank": lambda folder: Image.new("RGB", (100, 40), "white").save(folder / "empty picture_1.png"),
    "blank with a usual label": lambda folder: Image.new("RGB", (100, 40), "white").save(folder / "ab12_1.png"),
    "broken": lambda folder: (folder / "holiday_1.png").write_bytes(b"broken"),
    "no picture": lambda folder: (folder / "read_me.txt").write_bytes(b"text"),
    "another size": lambda folder: draw("ab12", folder / "ab12_1.png", size=(90, 40)),
}


@pytest.mark.parametrize("kind", STRAYS)
def test_stray_settles_neither_alphabet_nor_length_nor_look(config: SampleConfig, kind: str) -> None:
    forty(config)
    STRAYS[kind](config.origin_image_dir)
    keys = proposed(config)
    assert (keys["max_captcha"], keys["char_set"], keys["image_suffix"]) == (4, "0123456789", "png")
    assert (keys["image_width"], keys["image_height"], keys["resize"], keys["channels"]) == (100, 40, False, 1)


@pytest.mark.parametrize("kind", STRAYS)
def test_stray_that_comes_later_widens_nothing(configure: Callable[..., SampleConfig], kind: str) -> None:
    config = configure(image_width=100, image_height=40, max_captcha=4, char_set="0123456789")
    known = [path.name[:4] for path in fill(config.train_image_dir, 400, "0123456789", 4)]
    config.new_image_dir.mkdir(parents=True)
    STRAYS[kind](config.new_image_dir)
    keys = proposed(config, known)
    assert (keys["max_captcha"], keys["char_set"], keys["image_suffix"]) == (4, "0123456789", "png")
    assert not keys["resize"]


def test_characters_that_come_later_in_several_pictures_are_learned(configure: Callable[..., SampleConfig]) -> None:
    config = configure(image_width=100, image_height=40, max_captcha=4, char_set="0123456789")
    known = [path.name[:4] for path in fill(config.train_image_dir, 400, "0123456789", 4)]
    for path in fill(config.new_image_dir, 40, "abcd", 5):
        draw("a", path, size=(100, 40), seed=int(path.stem[-2:]))
    keys = proposed(config, known)
    assert (keys["max_captcha"], keys["char_set"]) == (5, "0123456789abcd")


def test_mixed_formats_are_any_format(config: SampleConfig) -> None:
    forty(config)
    for number, path in enumerate(sorted(config.origin_image_dir.iterdir())[:9]):
        shutil.move(path, path.with_suffix([".JPG", ".jpeg", ".webp"][number % 3]))
    assert proposed(config)["image_suffix"] == "any"


@pytest.mark.parametrize(
    ("size", "reduced"),
    [
        ((3000, 12), (2000, 8)),
        ((12, 3000), (8, 2000)),
        ((4096, 9), (3640, 8)),
        ((4096, 8), (4096, 8)),
        ((400, 100), (236, 59)),
        ((200, 87), (200, 87)),
    ],
)
def test_reduced_size_is_one_that_the_config_takes(
    configure: Callable[..., SampleConfig], tmp_path: Path, size: tuple[int, int], reduced: tuple[int, int]
) -> None:
    config = configure(network="columns")  # without one the size may be that of the general model
    for number in range(3):
        picture = Image.new("L", size, 255)
        picture.paste(number, (1, 1, 5, 5))
        config.origin_image_dir.mkdir(parents=True, exist_ok=True)
        picture.save(config.origin_image_dir / f"01_{number}.png")
    keys = proposed(config)
    assert (keys["image_width"], keys["image_height"]) == reduced
    config_proposal.combine(tmp_path / "new.json", tmp_path / "sample_config.json", keys)


def test_size_is_reduced_only_as_far_as_the_label_needs(config: SampleConfig, tmp_path: Path) -> None:
    for number in range(3):
        draw("01", config.origin_image_dir / f"{'01' * 16}_{number}.png", size=(200, 400), seed=number)
    keys = proposed(config)
    assert (keys["image_width"], keys["image_height"], keys["max_captcha"]) == (126, 252, 32)
    config_proposal.combine(tmp_path / "new.json", tmp_path / "sample_config.json", keys)


def test_label_that_is_long_for_its_picture_takes_the_network_that_can_read_it(
    config: SampleConfig, tmp_path: Path
) -> None:
    for number in range(3):
        draw("01", config.origin_image_dir / f"{'01' * 10}_{number}.png", size=(64, 20), seed=number)
    keys = proposed(config)
    assert keys["network"] == "positions"
    _, fitting = config_proposal.combine(tmp_path / "new.json", tmp_path / "sample_config.json", keys)
    from cnnlib.network.architectures import network_class

    network_class(fitting.network)(fitting.shape, fitting.alphabet.classes, fitting.max_captcha).model()


def test_config_that_no_network_could_train_is_not_written(config: SampleConfig, tmp_path: Path) -> None:
    path = tmp_path / "new.json"
    with pytest.raises(ConfigError) as caught:
        config_proposal.write(path, tmp_path / "sample_config.json", {"max_captcha": 30, "char_set": "01"})
    assert str(caught.value) == (
        f"{path.as_posix()}: max_captcha: the network 'columns' expects a width of at least 118 pixels for 30 "
        "characters; got 32; take the network 'positions'; no config is written"
    )
    assert not path.exists()
    assert config.name


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("length", [1, 2, 3, 16])
def test_least_width_is_that_which_the_network_takes(network: str, length: int) -> None:
    from cnnlib.codec.images import Shape
    from cnnlib.network.architectures import network_class

    least = max(8, least_width(network, length))
    network_class(network)(Shape(8, least), 3, length).model()
    if least > 8:
        with pytest.raises(ConfigError, match="expects a width of at least"):
            network_class(network)(Shape(8, least - 1), 3, length).model()
