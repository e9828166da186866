"""Kept pictures are limited by their bytes too, whatever they were padded with."""

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnlib.config import load_sample_config
from cnnlib.core.errors import ConfigError
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.received_pictures import ReceivedPictures, prune
from tests.helpers import eventually, write_config


def size_of(folder: Path) -> int:
    """The bytes of a folder's files, which a thread of the service may remove meanwhile."""
    sizes = []
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            sizes.append(path.stat().st_size)
    return sum(sizes)


def test_oldest_pictures_go_until_the_rest_fits(tmp_path: Path) -> None:
    received = ReceivedPictures(tmp_path, "png", 100)
    for number in range(7):
        received.save(bytes([number]) * 10, "01")
    foreign = tmp_path / "notes_1.txt"
    foreign.write_bytes(bytes(1000))
    prune(tmp_path, 100, 35)
    assert foreign.exists()
    foreign.unlink()
    kept = sorted(tmp_path.iterdir(), key=lambda path: path.stem)
    assert [path.read_bytes()[0] for path in kept] == [4, 5, 6]


def test_bytes_are_limited_while_pictures_come(tmp_path: Path) -> None:
    received = ReceivedPictures(tmp_path, "png", 10_000, limit_bytes=100_000)
    for _ in range(60):  # fewer than those after which the number is looked at
        received.save(bytes(10_000), "01")
    assert eventually(lambda: size_of(tmp_path) <= 100_000)


def test_bytes_are_limited_by_the_number_where_the_config_says_nothing(
    trained: SimpleNamespace, tmp_path: Path
) -> None:
    config = trained.config.model_copy(update={"api_image_dir": tmp_path, "api_save_limit": 20})
    received = ServedModel("a", config).received
    for _ in range(30):
        received.save(bytes(100_000), "01")
    assert eventually(lambda: size_of(tmp_path) <= 20 * 10_000)


def test_what_a_former_run_left_counts_too(tmp_path: Path) -> None:
    ReceivedPictures(tmp_path, "png", 100).save(bytes(50_000), "01")
    ReceivedPictures(tmp_path, "png", 100, limit_bytes=60_000).save(bytes(20_000), "01")
    assert eventually(lambda: size_of(tmp_path) == 20_000)


def test_bytes_are_a_key_of_the_config(tmp_path: Path) -> None:
    path = write_config(tmp_path, api_save_bytes=5_000_000_000)
    assert load_sample_config(path).api_save_bytes == 5_000_000_000
    keys = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(keys | {"api_save_bytes": 0}), encoding="utf-8")
    with pytest.raises(ConfigError, match="key 'api_save_bytes': expected a whole number of bytes, 1 to"):
        load_sample_config(path)
