import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.training.loop import export_checkpoint, introduce, train
from cnnlib.training.self_training import SURE, TEACH_STEPS, teach
from cnnlib.training.trainer import LINE_STEPS, Trainer
from cnnlib.training.unlabelled import DOUBLE, LABELLED, OTHER_SIZE, UNREADABLE, HalfLabelled, load_with_unlabelled
from tests.helpers import HEIGHT, WIDTH, fill

Batches = list[tuple[np.ndarray, np.ndarray]]


def scatter(path: Path, seed: int) -> None:
    """A picture of chance, so that it is like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (4, 8), np.uint8)
    Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(path)


@pytest.fixture
def keys(tmp_path: Path, small_network: str) -> dict[str, Any]:
    folders = [str(tmp_path / "first"), str(tmp_path / "second")]
    return {"network": small_network, "unlabelled_image_dir": folders, "augmentation": 0}


@pytest.fixture
def half(configure: Callable[..., SampleConfig], keys: dict[str, Any]) -> SampleConfig:
    """A config with 40 labelled pictures, and 20 without labels in two folders, some of them in a folder below."""
    config = configure(**keys, cycle_stop=100)
    first, second = config.unlabelled_dirs
    fill(config.train_image_dir, 40)
    for number in range(20):
        folder = first / "below" if number < 15 else second
        scatter(folder / f"picture {number}.png", seed=number)
    return config


def load(config: SampleConfig) -> HalfLabelled:
    source = load_with_unlabelled(config).source
    assert isinstance(source, HalfLabelled)
    return source


def test_pictures_of_all_folders_count_unless_they_are_labelled_or_in_the_test_set(half: SampleConfig) -> None:
    first, second = half.unlabelled_dirs
    assert (len(load(half).pictures), load(half).left_out) == (20, {})
    training = sorted(half.train_image_dir.iterdir())
    shutil.copy(training[0], first / "a copy.png")
    Image.open(training[1]).save(second / "in another format.bmp")
    half.test_image_dir.mkdir()
    shutil.copy(second / "picture 19.png", half.test_image_dir / "10_19.png")
    (first / "no picture.png").write_bytes(b"text")
    (first / "notes.txt").write_text("text", encoding="utf-8")
    assert (len(load(half).pictures), load(half).left_out) == (19, {LABELLED: 3, UNREADABLE: 1})


def test_what_this_suite_writes_below_the_folder_does_not_count(
    configure: Callable[..., SampleConfig], keys: dict[str, Any], tmp_path: Path
) -> None:
    top = tmp_path / "project"
    own = {"cache_dir": str(top / "cache"), "log_dir": str(top / "logs"), "model_save_dir": str(top / "model")}
    config = configure(**keys | {"unlabelled_image_dir": str(top)}, **own)
    fill(config.train_image_dir, 40)
    for number, folder in enumerate(("pictures", "cache/captchas-0123/training-0", "logs/run", "model/report")):
        scatter(top / folder / "picture.png", seed=number)
    assert (len(load(config).pictures), load(config).left_out) == (1, {})


def test_pale_pictures_that_are_labelled_are_found_too(half: SampleConfig) -> None:
    first, _ = half.unlabelled_dirs
    pale = Image.open(next(half.train_image_dir.iterdir())).convert("L").point(lambda level: 200 + level // 16)
    pale.save(half.train_image_dir / "01_pale.png")
    pale.save(first / "a copy.png")
    pale.point(lambda level: level - 1).save(first / "another.png")
    assert (len(load(half).pictures), load(half).left_out) == (21, {LABELLED: 1})


def test_folder_that_is_missing_is_refused(half: SampleConfig) -> None:
    shutil.rmtree(half.unlabelled_dirs[1])
    with pytest.raises(SampleError, match=r"second/: expected a folder of pictures; there is none"):
        load(half)


def test_picture_that_is_there_twice_counts_once(half: SampleConfig) -> None:
    first, second = half.unlabelled_dirs
    for target in (first / "once more.png", second / "and again.png"):
        shutil.copy(first / "below" / "picture 3.png", target)
    assert (len(load(half).pictures), load(half).left_out) == (20, {DOUBLE: 2})


def test_pictures_of_another_size_are_counted_with_the_way_out(half: SampleConfig) -> None:
    first, second = half.unlabelled_dirs
    Image.new("L", (WIDTH + 1, HEIGHT)).save(second / "wide.png")
    assert load(half).left_out == {OTHER_SIZE: 1}
    shutil.rmtree(first)
    first.mkdir()
    for path in second.iterdir():
        Image.open(path).resize((WIDTH + 1, HEIGHT)).save(path)
    (second / "no picture.png").write_bytes(b"text")
    said = '32x16 pixels; got none: 6 are of another size, which "resize": true takes, 1 can\'t be read'
    with pytest.raises(SampleError, match=rf"second/: expected pictures of {said}"):
        load(half)


def test_training_goes_on_where_all_pictures_have_labels(half: SampleConfig) -> None:
    for folder in half.unlabelled_dirs:
        shutil.rmtree(folder)
        shutil.copytree(half.train_image_dir, folder)
    trainer, lines = Trainer(half, load_with_unlabelled), list[str]()
    introduce(trainer, lines.append)
    assert "0 pictures without labels; of others 80 are labelled or in the test set" in lines
    assert trainer.plan == Trainer(half).plan
    teach(trainer, lambda line: pytest.fail(line))
    assert len(next(iter(trainer.batches()))[0]) == half.train_batch_size


def streamed(source: HalfLabelled, steps: range, size: int = 12) -> Batches:
    return [*source.stream((step * size + np.arange(size) for step in steps), seed=0)]


def test_only_what_is_read_surely_trains_and_only_from_its_place_on(half: SampleConfig) -> None:
    source = load(half)
    label = np.full((20, 2), 1, np.int32)
    assert source.learn(np.arange(20), label, np.arange(20) < 15, place=24) == 15
    before, after = streamed(source, range(2)), streamed(source, range(2, 6))
    own = {picture.tobytes() for picture in source.labelled.pictures[:]}
    sure = {picture.tobytes() for picture in source.pictures[np.arange(15)]}
    assert {picture.tobytes() for pictures, _ in before for picture in pictures} <= own
    for pictures, labels in after:
        kinds = [picture.tobytes() in sure for picture in pictures]
        assert kinds == [True] * 3 + [False] * 9, "15 and 38 pictures share 12 places"
        assert (labels[:3] == 1).all()
        assert all(picture.tobytes() in own for picture in pictures[3:])
    assert {picture.tobytes() for pictures, _ in streamed(source, range(5, 10)) for picture in pictures[:3]} == sure
    assert source.learn(np.arange(20), label, np.zeros(20, bool), place=120) == 0
    assert len(streamed(source, range(10, 12))[0][1]) == 12, "those that are sure no more count no longer"


def test_of_a_batch_a_third_is_labelled_at_least(half: SampleConfig) -> None:
    source = load(half)
    few = HalfLabelled(source.labelled.select(np.arange(2)), source.pictures, 0)
    few.learn(np.arange(20), np.zeros((20, 2), np.int32), np.ones(20, bool), place=0)
    own = {picture.tobytes() for picture in few.labelled.pictures[:]}
    for pictures, _ in streamed(few, range(5)):
        assert [picture.tobytes() in own for picture in pictures] == [False] * 8 + [True] * 4
    assert len(few) == 2 + 20
    assert len(HalfLabelled(source.labelled.select(np.arange(1)), source.pictures, 0)) == 1 + 10


def test_batches_do_not_depend_on_where_a_stream_begins(half: SampleConfig) -> None:
    source = load(half)
    source.learn(np.arange(20), np.ones((20, 2), np.int32), np.ones(20, bool), place=0)
    whole, resumed = streamed(source, range(6)), streamed(source, range(3, 6))
    for one, other in zip(whole[3:], resumed, strict=True):
        assert (one[0] == other[0]).all()
        assert (one[1] == other[1]).all()


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (("01", SURE), ("01", SURE), True),
        (("01", 1.0), ("01", SURE - 0.01), False),
        (("01", SURE - 0.01), ("01", 1.0), False),
        (("01", 1.0), ("11", 1.0), False),
        (("", 1.0), ("", 1.0), False),
    ],
)
def test_a_text_counts_when_both_views_give_it_surely(
    half: SampleConfig,
    monkeypatch: pytest.MonkeyPatch,
    first: tuple[str, float],
    second: tuple[str, float],
    counts: bool,
) -> None:
    trainer = Trainer(half, load_with_unlabelled)
    views: list[np.ndarray] = []

    def read(pictures: np.ndarray) -> list[Prediction]:
        views.append(pictures)
        text, confidence = first if len(views) == 1 else second
        return [Prediction(text, confidence, ()) for _ in pictures]

    monkeypatch.setattr(trainer.evaluator, "read", read)
    lines: list[str] = []
    teach(trainer, lines.append)
    assert lines == [f"{20 * counts} of 20 pictures without labels are read surely, and train"]
    assert views[0].shape == views[1].shape
    assert (views[0] != views[1]).any(), "the second view is another one"
    place = trainer.place_of(LINE_STEPS)
    assert isinstance(trainer.source, HalfLabelled)
    _, labels = next(iter(trainer.source.stream([place + np.arange(32)], 0)))
    assert (labels[:10] == [0, 1]).all() == counts


@pytest.mark.parametrize("alphabet", ["abAB", "AB", "aB"])
def test_ignored_case_teaches_the_classes_of_the_labels(
    configure: Callable[..., SampleConfig], keys: dict[str, Any], alphabet: str
) -> None:
    config = configure(**keys, char_set=alphabet, ignore_case=True)
    fill(config.train_image_dir, 40, characters="ab")
    for number, folder in enumerate(config.unlabelled_dirs * 5):
        scatter(folder / f"picture {number}.png", seed=number)
    trainer = Trainer(config, load_with_unlabelled)
    answer = np.full((2, config.alphabet.classes), 0.001, np.float32)
    for row, (capital, small) in enumerate(("Aa", "Bb")):
        for case, share in ((small, 0.3), (capital, 0.699)):
            if case in alphabet:
                answer[row, alphabet.index(case)] = share
    answer /= answer.sum(axis=1, keepdims=True)
    trainer.evaluator._answer = lambda pictures: tf.constant(np.repeat(answer[np.newaxis], len(pictures), axis=0))
    lines: list[str] = []
    teach(trainer, lines.append)
    assert lines == ["10 of 10 pictures without labels are read surely, and train"]
    assert isinstance(trainer.source, HalfLabelled)
    _, labels = next(iter(trainer.source.stream([trainer.place_of(LINE_STEPS) + np.arange(32)], 0)))
    assert (labels[:5] == [0, 1]).all(), "which each of these alphabets learns"


def test_a_training_without_such_pictures_teaches_nothing(short: SampleConfig) -> None:
    teach(Trainer(short), lambda line: pytest.fail(line))


@pytest.mark.slow
def test_pictures_without_labels_are_learned(half: SampleConfig) -> None:
    lines: list[str] = []
    outcome = train(half, lines.append)
    assert "20 pictures without labels" in lines
    taught = [line for line in lines if line.endswith("are read surely, and train")]
    assert len(taught) == outcome.step // TEACH_STEPS - 1 == 1
    shutil.rmtree(half.unlabelled_dirs[0])
    assert export_checkpoint(half, lines.append).step == outcome.step, "an export does not need them"


@pytest.mark.slow
def test_a_resumed_training_reads_them_at_once(
    half: SampleConfig, configure: Callable[..., SampleConfig], keys: dict[str, Any]
) -> None:
    train(half, lambda _: None)
    lines: list[str] = []
    train(configure(**keys, cycle_stop=110), lines.append)
    assert [line for line in lines if line.endswith("are read surely, and train")], "in the 10 steps that were left"


def test_what_there_is_without_labels_is_said(half: SampleConfig) -> None:
    lines: list[str] = []
    shutil.copy(next(half.train_image_dir.iterdir()), half.unlabelled_dirs[0])
    trainer = Trainer(half, load_with_unlabelled)
    introduce(trainer, lines.append)
    assert "20 pictures without labels; of others 1 are labelled or in the test set" in lines
    assert any(line.startswith("39 training and 1 verification") for line in lines)
