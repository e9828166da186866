import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.files import temporary_path
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.received_pictures import PRUNE_INTERVAL, ReceivedPictures, prune
from tests.helpers import eventually


def test_oldest_pictures_beyond_the_limit_are_deleted(api_config: SampleConfig) -> None:
    received = ReceivedPictures(api_config.api_image_dir, "png", 100)
    for number in range(7):
        received.save(bytes([number]), "01")
    foreign = api_config.api_image_dir / "notes_1.txt"
    foreign.write_text("not ours")
    prune(api_config.api_image_dir, 3)
    foreign.unlink()
    paths = sorted(api_config.api_image_dir.iterdir(), key=lambda path: path.stem)
    assert [path.read_bytes() for path in paths] == [bytes([number]) for number in (4, 5, 6)]


def test_content_that_is_no_picture_is_logged_and_not_kept(
    api_config: SampleConfig, caplog: pytest.LogCaptureFixture
) -> None:
    assert ReceivedPictures(api_config.api_image_dir, "any", 100).save(b"no picture", "01") is None
    assert "the received picture can't be saved" in caplog.text


def test_picture_that_a_killed_server_was_writing_is_deleted_in_its_turn(api_config: SampleConfig) -> None:
    folder = api_config.api_image_dir
    folder.mkdir(parents=True)
    left = temporary_path(folder / f"01_{10**18}.png")
    left.write_bytes(b"half")
    ReceivedPictures(folder, "png", 1).save(b"whole", "01")
    prune(folder, 1)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"whole"]


def test_limit_holds_while_pictures_arrive(api_config: SampleConfig) -> None:
    received = ServedModel("a", api_config.model_copy(update={"api_save_limit": 5})).received
    for _ in range(PRUNE_INTERVAL + 1):
        received.save(b"x", "01")
    assert eventually(lambda: len([*api_config.api_image_dir.iterdir()]) == 5)


def test_serial_number_of_a_kept_picture_is_returned(api_config: SampleConfig) -> None:
    serial = ReceivedPictures(api_config.api_image_dir, "png", 1).save(b"x", "0_1")
    assert [path.name for path in api_config.api_image_dir.iterdir()] == [f"0_1_{serial}.png"]


def test_no_picture_is_kept_with_api_save_false(api_config: SampleConfig) -> None:
    assert ServedModel("a", api_config.model_copy(update={"api_save": False})).received.save(b"x", "01") is None
    assert not api_config.api_image_dir.exists()
