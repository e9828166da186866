import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import open_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.training.dataset import VERIFICATION_LIMIT, batches, choose_verification, load_training, verification_share
from cnnlib.training.order import picture_numbers
from tests.helpers import draw, fill


def names(count: int) -> list[str]:
    return [f"01_{n}.png" for n in range(count)]


def verifying(count: int, seed: int = 0) -> set[str]:
    named = names(count)
    return {name for name, chosen in zip(named, choose_verification(named, seed), strict=True) if chosen}


@pytest.mark.parametrize(("count", "low", "high"), [(2, 1, 1), (10, 1, 3), (1000, 30, 70), (20_000, 900, 1100)])
def test_about_five_percent_verify_and_never_none(count: int, low: int, high: int) -> None:
    assert low <= len(verifying(count)) <= high


def test_picture_keeps_its_side_when_samples_are_added() -> None:
    assert verifying(1000) == verifying(3000) & set(names(1000))


def test_beyond_the_limit_no_picture_goes_from_training_to_verification() -> None:
    few, many = verifying(45_000), verifying(60_000)
    assert len(few) == len(many) == VERIFICATION_LIMIT
    assert many & set(names(45_000)) <= few


def test_another_seed_chooses_other_verification_pictures() -> None:
    assert verifying(1000) != verifying(1000, 1)


def test_of_two_pictures_one_is_for_verification() -> None:
    assert {len(verifying(2, seed)) for seed in range(1000)} == {1}


def test_training_and_verification_share_nothing(config: SampleConfig) -> None:
    fill(config.train_image_dir, 60)
    loaded = load_training(config)
    training, verification = loaded.training, loaded.verification
    assert len(training) + len(verification) == 60
    assert not {*training.names} & {*verification.names}
    assert training.pictures.shape == (len(training), 16, 32, 1)
    for data in (training, verification):
        pictures, labels = data.take(np.arange(len(data)))
        for number in range(len(data)):
            assert config.alphabet.text(labels[number]) == label_of(data.names[number])
            assert (pictures[number] == open_picture(data.path(number).read_bytes(), config.shape)).all()


def test_pictures_that_can_not_be_decoded_are_left_out_and_named(config: SampleConfig) -> None:
    fill(config.train_image_dir, 250)
    broken = [config.train_image_dir / name for name in ("00_cut.png", "11_cut.png")]
    for path in broken:
        path.write_bytes(next(config.train_image_dir.glob("*.png")).read_bytes()[:60])
    loaded = load_training(config)
    assert len(loaded.training) + len(loaded.verification) == 250
    assert [*loaded.skipped] == ["00_cut.png", "11_cut.png"]
    assert not {*loaded.skipped} & {*loaded.training.names, *loaded.verification.names}
    again = load_training(config)
    assert again.skipped == loaded.skipped, "they are named by every training"
    assert (again.training.pictures[:] == loaded.training.pictures[:]).all()
    shutil.copy(next(config.train_image_dir.glob("01*.png")), config.train_image_dir / "01_cut.png")
    broken[0].unlink()
    assert [*load_training(config).skipped] == ["11_cut.png"]


def test_more_than_one_percent_that_can_not_be_decoded_end_the_training(config: SampleConfig) -> None:
    fill(config.train_image_dir, 250)
    for name in ("00_a.png", "00_b.png", "00_c.png"):
        (config.train_image_dir / name).write_bytes(b"cut")
    with pytest.raises(SampleError) as caught:
        load_training(config)
    *reasons, last = str(caught.value).splitlines()
    assert [line.partition(": ")[0] for line in reasons] == [f"Skipped 00_{letter}.png" for letter in "abc"]
    assert last.endswith("train/: 3 of 253 pictures can't be used, more than 1%; move them out of this folder")


def test_of_many_that_can_not_be_decoded_a_file_lists_all(config: SampleConfig) -> None:
    for number in range(30):
        config.train_image_dir.mkdir(exist_ok=True, parents=True)
        (config.train_image_dir / f"01_{number}.png").write_bytes(b"cut")
    file = config.log_dir / "unusable_train.txt"
    with pytest.raises(SampleError, match=rf"Skipped 30: .*\n{file} lists all 30\n.*: 30 of 30 pictures can't be used"):
        load_training(config)
    assert len(file.read_text(encoding="utf-8").splitlines()) == 30


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("no label.png", "the name has no underscore.*; rename it, or move it out of this folder"),
        ("0x_1.png", "not in the alphabet: x; verify_and_split_data.py says which config fits; or move the picture"),
    ],
)
def test_name_that_can_not_be_learned_is_named_with_the_way_out(config: SampleConfig, name: str, way_out: str) -> None:
    fill(config.train_image_dir, 3)
    draw("0x", config.train_image_dir / name)
    with pytest.raises(SampleError, match=rf"{name}: .*{way_out}"):
        load_training(config)


@pytest.mark.parametrize("paired", [False, True])
def test_batch_of_a_step_does_not_depend_on_the_first_step(config: SampleConfig, paired: bool) -> None:
    fill(config.train_image_dir, 20)
    training = load_training(config).training
    straight = list(batches(training, 8, range(6), 3, 1.0, paired))
    resumed = list(batches(training, 8, range(4, 6), 3, 1.0, paired))
    for batch, again in zip(straight[4:], resumed, strict=True):
        assert all((one.numpy() == other.numpy()).all() for one, other in zip(batch, again, strict=True))


@pytest.mark.parametrize("replicas", [2, 3])
@pytest.mark.parametrize("paired", [False, True])
def test_replicas_share_a_batch_out(config: SampleConfig, paired: bool, replicas: int) -> None:
    fill(config.train_image_dir, 20)
    training = load_training(config).training
    whole = rows_by_key(batches(training, 12, range(5, 6), 3, 1.0, paired))
    shares = [
        rows_by_key(batches(training, 12, range(5, 6), 3, 1.0, paired, (number, replicas)))
        for number in range(replicas)
    ]
    assert [len(share) for share in shares] == [12 // replicas] * replicas
    rows = {key: row for share in shares for key, row in share.items()}
    assert rows.keys() == whole.keys()
    for key, row in rows.items():
        np.testing.assert_array_equal(row, whole[key])


def rows_by_key(batch: Iterable[Any]) -> dict[int, np.ndarray]:
    """Pixels and label of each picture of the first batch, by its key."""
    (pictures, labels, keys), *_ = batch
    rows = np.hstack([pictures.numpy().reshape(len(keys), -1), labels.numpy()]).astype(int)
    return dict(zip(keys.numpy().tolist(), rows, strict=True))


def test_last_batches_are_nearly_unchanged(config: SampleConfig) -> None:
    """Changes fade out from the first steps to the last."""
    fill(config.train_image_dir, 20)
    training = load_training(config).training

    def change(step: int, steps: int) -> float:
        pictures, *_ = next(iter(batches(training, 8, range(step, steps), 3, 1.0)))
        before = training.pictures[picture_numbers(np.arange(8 * step, 8 * step + 8), len(training), 3)]
        return float(np.abs(pictures.numpy() - before.astype(float)).mean())

    assert change(step=999, steps=1000) < 0.1 * change(step=999, steps=9000)


@pytest.mark.parametrize(("size", "pairs"), [(8, 4), (7, 3), (1, 0)])
def test_paired_batch_has_its_pictures_in_two_views(config: SampleConfig, size: int, pairs: int) -> None:
    fill(config.train_image_dir, 20)
    training = load_training(config).training
    (pictures, labels, _), *_ = batches(training, size, range(1), 3, 1.0, paired=True)
    assert (len(pictures), len(labels)) == (size, size)
    assert (labels[:pairs].numpy() == labels[size - pairs :].numpy()).all()
    assert len({picture.numpy().tobytes() for picture in pictures}) == size
    alike = pictures[:pairs].numpy() == pictures[size - pairs :].numpy()
    assert not pairs or 0.8 < alike.mean() < 1, "changed alike, other parts erased; others are 0.67 alike"


def test_empty_training_folder_names_the_scripts_that_fill_it(config: SampleConfig) -> None:
    with pytest.raises(SampleError, match=r"expected 2 or more \.png pictures; got 0; fill it with gen_image"):
        load_training(config)


def test_picture_that_does_not_fit_is_named(configure: Callable[..., SampleConfig]) -> None:
    config = configure()
    fill(config.train_image_dir, 3)
    draw("01", config.train_image_dir / "01_odd.png", size=(40, 16))
    with pytest.raises(SampleError, match=r"01_odd.png: expected 32x16 pixels; got 40x16"):
        load_training(config)


def test_every_seed_that_a_config_may_have_draws_changes(config: SampleConfig) -> None:
    fill(config.train_image_dir, 20)
    training = load_training(config).training
    drawn = [next(iter(batches(training, 8, range(1), seed, 1.0)))[0].numpy() for seed in (0, 2**31, 2**32 - 1)]
    assert len({pictures.tobytes() for pictures in drawn}) == 3


@pytest.mark.parametrize(("count", "share"), [(20, 0.1), (500, 0.1), (800, 0.0625), (1000, 0.05), (30_000, 0.05)])
def test_of_few_pictures_more_verify(count: int, share: float) -> None:
    assert verification_share(count) == pytest.approx(share)
    assert abs(len(verifying(count)) - share * count) < 4 * (share * count) ** 0.5


@pytest.mark.skipif(os.name == "nt", reason="keeps no time of a change of the name")
def test_pictures_whose_names_were_exchanged_are_decoded_again(config: SampleConfig) -> None:
    fill(config.train_image_dir, 20)
    first, second = (config.train_image_dir / f"{label}_x.png" for label in ("01", "10"))
    for path in (first, second):
        draw(path.name[:2], path.with_suffix(".bmp")).rename(path)
        os.utime(path, (7, 7))
    assert first.stat().st_size == second.stat().st_size, "else the size tells"
    before = pixels_by_name(config)
    first.rename(first.with_suffix(".x"))
    second.rename(first)
    first.with_suffix(".x").rename(second)
    after = pixels_by_name(config)
    assert (after[first.name], after[second.name]) == (before[second.name], before[first.name])
    assert before[first.name] != before[second.name]


def test_picture_that_was_replaced_with_its_time_is_decoded_again(config: SampleConfig) -> None:
    path, *_ = fill(config.train_image_dir, 20)
    bitmap = draw("01", path.with_name("01_x.bmp"), seed=1).rename(path.with_name("01_x.png"))
    before, times = pixels_by_name(config)[bitmap.name], (bitmap.stat().st_atime_ns, bitmap.stat().st_mtime_ns)
    other = draw("10", path.with_name("01_y.bmp"), seed=2).rename(path.with_name("other"))
    assert other.stat().st_size == bitmap.stat().st_size, "else the size tells"
    os.utime(other, ns=times)
    other.replace(bitmap)
    assert pixels_by_name(config)[bitmap.name] != before


def pixels_by_name(config: SampleConfig) -> dict[str, bytes]:
    loaded = load_training(config)
    parts = (loaded.training, loaded.verification)
    return {name: part.pictures[[row]].tobytes() for part in parts for row, name in enumerate(part.names)}
