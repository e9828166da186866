"""A training may draw its pictures, each from the seed and its place."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlib.codec.images import decode_picture
from cnnlib.config import SampleConfig, load_captcha_config, load_sample_config
from cnnlib.core.errors import ConfigError, SampleError
from cnnlib.core.files import temporary_path
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.packed import clear_cache
from cnnlib.synthesis.generators import GENERATORS, captchas
from cnnlib.training import drawn
from cnnlib.training.drawn import DrawnPictures, load_drawn
from cnnlib.training.loop import train
from tests.helpers import write_config

LOOK = {"image_suffix": "png", "characters": "01", "count": 9, "char_count": 2, "width": 32, "height": 16}


@pytest.fixture
def look(tmp_path: Path) -> Path:
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps(LOOK | {"root_dir": str(tmp_path / "origin")}))
    return path


@pytest.fixture(scope="module", autouse=True)
def short_trainings() -> Iterator[None]:
    """Few pictures are kept, and one process draws: each imports TensorFlow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnnlib.training.drawn.VERIFICATION_PICTURES", 20)
        patch.setattr("cnnlib.training.drawn.REVIEWED_PICTURES", 10)
        patch.setattr("cnnlib.training.drawn.cores", lambda: 1)
        yield


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the pictures that trainings with `LOOK` keep, drawn once for all tests that copy it."""
    folder = tmp_path_factory.mktemp("kept")
    look = folder / "captcha.json"
    look.write_text(json.dumps(LOOK | {"root_dir": "unused"}))
    keys = {"generator": "gen_sample_by_captcha", "generator_config": str(look)}
    load_drawn(load_sample_config(write_config(folder, **keys)))
    return folder / "cache"


@pytest.fixture(scope="module")
def cache_of_capitals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("capitals")


@pytest.fixture
def drawing(drawing_anew: Callable[..., SampleConfig], kept: Path, tmp_path: Path) -> Callable[..., SampleConfig]:
    """Makes the config of a short training that draws its pictures. Those that it keeps are drawn already."""
    shutil.copytree(kept, tmp_path / "cache")
    return drawing_anew


@pytest.fixture
def drawing_anew(configure: Callable[..., SampleConfig], look: Path, small_network: str) -> Any:
    """Makes the config of a short training that draws its pictures."""
    keys = {"generator": "gen_sample_by_captcha", "generator_config": str(look), "network": small_network}
    return lambda **changes: configure(**{**keys, "cycle_stop": 12, "train_batch_size": 8, "cycle_save": 5} | changes)


def pictures_of(config: SampleConfig) -> DrawnPictures:
    draw = captchas(load_captcha_config(config.generator_config))
    return DrawnPictures(draw, 1000, config.shape, config.alphabet, config.max_captcha, config.spelled)


def places(*numbers: int) -> list[np.ndarray]:
    return [np.arange(number, number + 20) for number in numbers]


def test_every_generator_of_the_config_is_a_script() -> None:
    names = SampleConfig.model_json_schema()["properties"]["generator"]["anyOf"][0]["enum"]
    assert names == [*GENERATORS]
    assert all((PROJECT_ROOT / "gen_image" / f"{name}.py").is_file() for name in names)


@pytest.mark.parametrize("name", GENERATORS)
def test_pictures_that_are_not_kept_have_the_pixels_of_files(look: Path, name: str) -> None:
    captcha = load_captcha_config(look)
    files, unpacked = (GENERATORS[name][0](each) for each in (captcha, drawn._unpacked(captcha)))
    for seed in ("1-1", "1-2"):
        (label, data), (same_label, same) = files(seed), unpacked(seed)
        assert (label, decode_picture(data).tobytes()) == (same_label, decode_picture(same).tobytes())
        assert data[:4] == b"\x89PNG"
        assert same[:2] == b"BM"
    as_jpeg = captcha.model_copy(update={"image_suffix": "jpg"})
    assert drawn._unpacked(as_jpeg) == as_jpeg, "what a JPEG loses is trained on"


@pytest.mark.slow
def test_picture_of_a_place_follows_from_seed_and_place(drawing: Callable[..., SampleConfig]) -> None:
    source = pictures_of(drawing())
    (first, first_labels), (second, _) = source.stream(places(0, 20), 3)
    assert (first.shape, first.dtype, first_labels.shape) == ((20, 16, 32, 1), np.uint8, (20, 2))
    ((again, again_labels),) = source.stream(places(10), 3)
    assert (again == np.concatenate([first[10:], second[:10]])).all()
    assert (again_labels[:10] == first_labels[10:]).all()
    ((other, _),) = source.stream(places(0), 4)
    assert (other != first).any()
    assert len({picture.tobytes() for picture in np.concatenate([first, second])}) == 40, "all are new"


@pytest.mark.slow
def test_training_draws_its_pictures_and_resumes(drawing: Callable[..., SampleConfig]) -> None:
    lines: list[str] = []
    config = drawing()
    outcome = train(config, lines.append)
    assert (outcome.step, outcome.verification.pictures, outcome.diagnosis.training.pictures) == (12, 20, 10)
    assert "96 training and 20 verification pictures" in lines
    assert "cycle_stop 12 steps of 8 pictures: each is seen 1.0 times" in lines
    assert not config.train_image_dir.exists()
    longer = drawing(cycle_stop=20)
    assert train(longer, lines.append).step == 20
    assert any(line.startswith("Resuming from step 12") for line in lines)


@pytest.mark.slow
def test_resumed_training_draws_what_an_uninterrupted_one_draws(drawing: Callable[..., SampleConfig]) -> None:
    from cnnlib.training.trainer import Trainer

    trainer = Trainer(drawing(), load_drawn)
    straight = [(pictures.numpy(), keys.numpy()) for pictures, _, keys in trainer.batches()]
    trainer.progress.step = 9
    resumed = [(pictures.numpy(), keys.numpy()) for pictures, _, keys in trainer.batches()]
    assert len(resumed) == 3
    for (pictures, keys), (again, again_keys) in zip(straight[9:], resumed, strict=True):
        assert (pictures == again).all()
        assert (keys == again_keys).all()


@pytest.mark.slow
def test_pictures_drawn_ahead_are_kept_and_come_again(drawing: Callable[..., SampleConfig]) -> None:
    config = drawing(drawn_pictures=30)
    data = load_drawn(config)
    assert (len(data.training), len(data.verification), data.source) == (30, 20, None)
    assert not {*data.training.names} & {*data.verification.names}
    files = {path: path.stat().st_mtime_ns for path in config.cache_dir.rglob("*.png")}
    assert len(files) == 50
    min(files).unlink()
    assert len(load_drawn(config).training) == 30, "what is missing is drawn again"
    assert sorted(config.cache_dir.rglob("*.png")) == sorted(files)
    fewer = load_drawn(drawing(drawn_pictures=12)).training
    assert sorted(fewer.names) == sorted(name for name in data.training.names if int(name[-10:-4]) < 12)


@pytest.mark.slow
def test_trainings_that_start_together_draw_no_more_than_one(look: Path, tmp_path: Path) -> None:
    captcha = load_captcha_config(look)

    def draw_folder(_: int) -> Path:
        return drawn._drawn_folder(tmp_path / "drawn", captcha, captchas(captcha), 3, 40)

    with ThreadPoolExecutor(2) as pool:
        assert [*pool.map(draw_folder, range(2))] == [tmp_path / "drawn"] * 2
    assert numbers_in(tmp_path / "drawn") == [*range(40)]


@pytest.mark.slow
def test_clearing_the_cache_leaves_pictures_that_are_being_drawn_or_loaded(
    drawing: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, said = drawing(drawn_pictures=12), list[str]()
    load = drawn.load_folder

    def clear_and_load(*arguments: Any) -> Any:
        clear_cache(config.cache_dir, [*GENERATORS], said.append)
        return load(*arguments)

    monkeypatch.setattr(drawn, "load_folder", clear_and_load)
    assert len(load_drawn(config).training) == 12
    assert len(said) == 2
    assert all(line.endswith(" is in use by another run, and stays") for line in said)
    assert clear_cache(config.cache_dir, [*GENERATORS], said.append) > 0
    assert (len(said), [*config.cache_dir.iterdir()]) == (2, [])


def numbers_in(folder: Path) -> list[int]:
    return sorted(int(path.stem.rpartition("-")[2]) for path in folder.glob("*.png"))


@pytest.mark.slow
def test_just_what_is_missing_below_the_number_is_drawn(drawing: Callable[..., SampleConfig]) -> None:
    """A run that was asked for more, or one of an older version beside another, left more than there are to be."""
    config = drawing(drawn_pictures=12)
    first = load_drawn(config)
    training, verification = first.training.folder, first.verification.folder
    missing = next(training.glob("*-000003.png"))
    missing.rename(temporary_path(missing))  # as a kill leaves it
    next(verification.glob("*-000004.png")).unlink()
    path = next(verification.glob("*-000005.png"))
    content = path.read_bytes()
    path.write_bytes(b"")  # as a power cut leaves it
    for number in (20, 21, 22):
        path.with_name(f"00_4294967296-{number:06d}.png").write_bytes(content)
    (verification / "00_4294967296-000023.png").write_bytes(b"")
    data = load_drawn(config)
    assert (len(data.training), len(data.verification), data.skipped) == (12, 20, {})
    assert numbers_in(training) == [*range(12)]
    assert numbers_in(verification) == [*range(23)]
    assert path.read_bytes() == content


@pytest.mark.slow
def test_pictures_are_loaded_in_the_format_in_which_they_are_drawn(drawing: Callable[..., SampleConfig]) -> None:
    assert len(load_drawn(drawing(drawn_pictures=12, image_suffix="jpg")).training) == 12


@pytest.mark.parametrize(
    ("keys", "look_keys", "fault"),
    [
        ({"cycle_stop": "auto"}, {}, "key 'cycle_stop': expected a number of steps where all pictures are new"),
        ({}, {"characters": "01xy"}, "draws characters that the alphabet lacks: x y"),
        ({}, {"char_count": 5}, "draws 5 characters, max_captcha is 2"),
        ({}, {"width": 40}, 'draws 40x16 pixels, expected 32x16, or "resize": true'),
    ],
)
def test_generator_that_does_not_fit_is_refused(
    drawing_anew: Callable[..., SampleConfig], look: Path, keys: Any, look_keys: Any, fault: str
) -> None:
    look.write_text(json.dumps(json.loads(look.read_text()) | look_keys))
    with pytest.raises(ConfigError, match=fault):
        load_drawn(drawing_anew(**keys))


@pytest.mark.parametrize("count", [1, 0, -3, 10**9 + 1])
def test_fewer_drawn_pictures_than_can_be_learned_from_are_refused(
    drawing: Callable[..., SampleConfig], count: int
) -> None:
    fault = f"key 'drawn_pictures': expected a whole number of pictures, 2 to 1000000000; got {count}"
    with pytest.raises(ConfigError, match=fault):
        drawing(drawn_pictures=count)


@pytest.mark.slow
def test_two_drawn_pictures_are_enough(drawing: Callable[..., SampleConfig]) -> None:
    assert len(load_drawn(drawing(drawn_pictures=2)).training) == 2


@pytest.mark.slow
@pytest.mark.parametrize("char_set", ["abAB", "ab", "AB"])
def test_drawn_labels_are_learned_as_the_kept_ones_are_verified_when_case_is_ignored(
    drawing_anew: Callable[..., SampleConfig], look: Path, cache_of_capitals: Path, char_set: str
) -> None:
    """All draw the same pictures, so they share a cache."""
    look.write_text(json.dumps(json.loads(look.read_text()) | {"characters": "AB"}))
    data = load_drawn(drawing_anew(char_set=char_set, ignore_case=True, cache_dir=str(cache_of_capitals)))
    assert data.source
    ((_, labels),) = data.source.stream([np.arange(20)], 0)
    learned, verified = ({*np.ravel(each).tolist()} for each in (labels, data.verification.labels))
    assert learned == verified == {0, 1}, "the small letters, or those that the alphabet has"


def draw_and_die(seed: str) -> tuple[str, bytes]:
    if seed == "0-30":
        os.kill(os.getpid(), signal.SIGKILL)  # as a system does that lacks memory
    return captchas(load_captcha_config(Path(os.environ["LOOK"])))(seed)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no such signal")
def test_killed_drawing_process_is_an_error_of_the_training(
    drawing: Callable[..., SampleConfig], look: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn._pool.cache_clear()  # new processes, which have the variable
    monkeypatch.setenv("LOOK", str(look))
    monkeypatch.setitem(GENERATORS, "gen_sample_by_captcha", (lambda _: draw_and_die, look))
    with pytest.raises(SampleError, match="a drawing process was killed, probably for lack of memory; start again"):
        train(drawing(), lambda _: None)
