import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.inference.model_card import load_card
from cnnlib.training.loop import export_checkpoint, train
from cnnlib.training.mixing import LEAST_SHARE, SHARES, mix, mix_with_start
from cnnlib.training.resume import resume, start
from cnnlib.training.save import save
from cnnlib.training.trainer import Trainer


@pytest.fixture
def lines() -> list[str]:
    return []


@pytest.fixture
def again(finished: SampleConfig, configure: Callable[..., SampleConfig]) -> Callable[..., SampleConfig]:
    """A config like that of a finished training, with another model folder and keys changed."""
    keys = finished.model_dump(exclude_unset=True) | {"model_save_dir": str(finished.model_save_dir / "again")}
    plain = {name: str(value) if isinstance(value, Path) else value for name, value in keys.items()}
    return lambda **changes: configure(**plain | changes)


def weights(trainer: Trainer) -> dict[str, np.ndarray]:
    return {weight.path: weight.numpy() for weight in trainer.averaged.weights}


def spoil(trainer: Trainer, noise: float) -> None:
    """Move the averaged weights away from where they are, each at random, but for the batch statistics."""
    chance = np.random.default_rng(1)
    for weight in trainer.averaged.trainable_weights:
        value = weight.numpy()
        weight.assign(value + noise * value.std() * chance.standard_normal(value.shape))


def test_mix_with_the_least_loss_is_taken(finished: SampleConfig, lines: list[str]) -> None:
    trainer = Trainer(finished)
    assert resume(trainer)
    good = weights(trainer)
    trainer.progress.start = {path: value.astype(np.float16) for path, value in good.items()}
    spoil(trainer, 2.0)
    spoiled, loss = weights(trainer), trainer.evaluator.evaluate().loss
    trainer.record_evaluation()
    mix_with_start(trainer, lines.append)
    assert trainer.evaluator.evaluate().loss < loss
    least = min(SHARES)
    assert lines[0].startswith(f"Weights: {least:.0%} of the end and {1 - least:.0%} of the start; verification loss ")
    for path, value in weights(trainer).items():
        np.testing.assert_allclose(value, least * spoiled[path] + (1 - least) * good[path], atol=0.01)
    before = trainer.verified
    trainer.verified = replace(before, picture=-1.0)
    trainer.record_evaluation()
    assert trainer.verified.picture >= before.picture, "it is evaluated anew, and reads no fewer"


def test_end_stays_where_it_reads_best(finished: SampleConfig, lines: list[str]) -> None:
    trainer = Trainer(finished)
    assert resume(trainer)
    good = weights(trainer)
    chance = np.random.default_rng(1)
    trainer.progress.start = {path: chance.standard_normal(value.shape) for path, value in good.items()}
    mix_with_start(trainer, lines.append)
    assert lines == []
    assert all((value == good[path]).all() for path, value in weights(trainer).items())


def test_mix_that_reads_fewer_pictures_is_not_taken_however_small_its_loss(
    finished: SampleConfig, lines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = Trainer(finished)
    assert resume(trainer)
    trainer.progress.start = weights(trainer)
    found = iter([(0.9, 3.0), (0.95, 2.0), *[(0.85, 0.5)] * (len(SHARES) - 2)])
    evaluated = trainer.evaluator.evaluate()

    def evaluate() -> object:
        picture, loss = next(found)
        return replace(evaluated, accuracy=replace(evaluated.accuracy, picture=picture), loss=loss)

    monkeypatch.setattr(trainer.evaluator, "evaluate", evaluate)
    assert SHARES[:2] == (1.0, 0.9)
    mix_with_start(trainer, lines.append)
    assert lines == ["Weights: 90% of the end and 10% of the start; verification loss 2 in place of 3"]


def test_training_from_random_weights_has_nothing_to_mix_with(finished: SampleConfig, lines: list[str]) -> None:
    trainer = Trainer(finished)
    assert resume(trainer)
    spoil(trainer, 2.0)
    spoiled = weights(trainer)
    mix_with_start(trainer, lines.append)
    assert lines == []
    assert all((value == spoiled[path]).all() for path, value in weights(trainer).items())


def test_start_is_kept_across_saves_and_mixed_in_once_at_the_end(
    finished: SampleConfig, again: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    mixed: list[tuple[int, set[str]]] = []

    def note(trainer: Trainer, say: Callable[[str], None]) -> None:
        before = trainer.progress.mixed_step
        mix_with_start(trainer, say)
        if trainer.progress.mixed_step != before:
            mixed.append((trainer.progress.step, {*trainer.progress.start}))

    monkeypatch.setattr("cnnlib.training.loop.mix_with_start", note)
    from_older = str(finished.model_save_dir)
    train(again(cycle_stop=10), lines.append, from_older)
    assert mixed[0][0] == 10
    assert "classes/kernel" in mixed[0][1]
    train(again(cycle_stop=10), lines.append, from_older)
    assert len(mixed) == 1, "a finished training stays as it is"
    stopped = Trainer(again(cycle_stop=10))
    assert resume(stopped)
    stopped.progress.mixed_step = -1
    save(stopped)
    train(again(cycle_stop=10), lines.append, from_older)
    assert mixed == [mixed[0]] * 2, "one that was stopped after its last step is mixed, too"
    del mixed[1:]
    config = again(cycle_stop=20)
    train(config, lines.append, from_older)
    assert mixed == [mixed[0], (20, mixed[0][1])]
    assert load_card(config.model_save_dir).step == 20


def test_rows_of_new_characters_are_not_mixed(finished: SampleConfig, again: Callable[..., SampleConfig]) -> None:
    trainer = Trainer(again(char_set="012"))
    start(trainer, str(finished.model_save_dir))
    assert "map/kernel" in trainer.progress.start
    assert "classes/kernel" not in trainer.progress.start


def test_exported_model_has_the_share_that_is_wanted(
    again: Callable[..., SampleConfig], finished: SampleConfig, lines: list[str]
) -> None:
    config = again()
    shutil.copytree(finished.model_save_dir, config.model_save_dir, ignore=shutil.ignore_patterns("again"))
    trainer = Trainer(config)
    assert resume(trainer)
    end = weights(trainer)
    trainer.progress.start = {path: np.zeros_like(value) for path, value in end.items()}
    trainer.record_evaluation()
    save(trainer)
    export_checkpoint(config, lines.append, share=0.25)
    mixed = Trainer(config)
    assert resume(mixed)
    for path, value in weights(mixed).items():
        np.testing.assert_allclose(value, 0.25 * end[path], rtol=1e-5, atol=1e-7)
    assert load_card(config.model_save_dir).verification_picture_accuracy == mixed.evaluator.evaluate().accuracy.picture
    export_checkpoint(config, lines.append)
    again_exported = Trainer(config)
    assert resume(again_exported)
    assert all((value == weights(mixed)[path]).all() for path, value in weights(again_exported).items())
    for share in (0.5, 1.0):
        export_checkpoint(config, lines.append, share=share)
        anew = Trainer(config)
        assert resume(anew)
        for path, value in weights(anew).items():
            np.testing.assert_allclose(value, share * end[path], rtol=1e-5, atol=1e-7, err_msg="of the end, not of 25%")


def test_training_from_random_weights_has_no_start_to_mix(finished: SampleConfig) -> None:
    with pytest.raises(ModelError, match="expected a training that started from a model; this one began with random"):
        export_checkpoint(finished, share=0.5)


@pytest.mark.parametrize("share", [1e-9, 0.049, 1.5, float("nan")])
def test_share_that_would_lose_the_end_is_refused(finished: SampleConfig, share: float) -> None:
    before = sorted(path.stat().st_mtime_ns for path in finished.model_save_dir.iterdir())
    with pytest.raises(ModelError, match=r"--mix: expected a share from 0.05 to 1; got "):
        export_checkpoint(finished, lambda _: None, share=share)
    assert sorted(path.stat().st_mtime_ns for path in finished.model_save_dir.iterdir()) == before


def test_end_comes_back_from_the_least_share(finished: SampleConfig) -> None:
    trainer = Trainer(finished)
    assert resume(trainer)
    end, chance = weights(trainer), np.random.default_rng(1)
    trainer.progress.start = {
        path: chance.standard_normal(value.shape).astype(np.float16) for path, value in end.items()
    }
    for share in (LEAST_SHARE, 1.0):
        mix(trainer, share)
    for path, value in weights(trainer).items():
        np.testing.assert_allclose(value, end[path], rtol=1e-4, atol=1e-4)
    trainer.progress.share = 1e-9
    with pytest.raises(ModelError, match="mixed with 1e-09 of the end, of which too little is left; train on"):
        mix(trainer, 1.0)
