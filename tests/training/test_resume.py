from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.network import architectures
from cnnlib.training.loop import train
from cnnlib.training.resume import resume
from cnnlib.training.save import save
from cnnlib.training.trainer import Trainer
from tests.conftest import SHORT, fill
from train_model import TrainModel


@pytest.mark.slow
def test_resumed_training_goes_on_as_if_nothing_had_happened(
    short: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    """Step, optimizer, schedule, order and best come back: without dropout the losses are the same."""
    losses = {}
    for name, pauses in (("straight", [40]), ("resumed", [20, 40])):
        folder = str(short.model_save_dir / name)
        losses[name] = []
        for pause in pauses:
            config = configure(cycle_stop=40, cycle_save=20, acc_stop=1, augmentation=0, model_save_dir=folder)
            trainer = Trainer(config)
            for layer in trainer.model.layers:
                if layer.name.endswith("dropout"):
                    layer.rate = 0.0
            if not resume(trainer) and name == "straight":
                start = trainer.model.get_weights()
            elif not trainer.progress.step:
                trainer.model.set_weights(start)
                trainer.averaged.set_weights(start)
            for pictures, labels in trainer.batches():
                losses[name].append(float(trainer.step(pictures, labels)[0]))
                if trainer.progress.step == pause:
                    break
            trainer.evaluate()
            save(trainer)
    assert len(losses["resumed"]) == 40
    assert losses["resumed"] == pytest.approx(losses["straight"], rel=1e-2)


def test_resuming_is_said_and_a_finished_training_stays_as_it_is(finished: SampleConfig) -> None:
    before = (finished.model_save_dir / CARD).read_bytes()
    lines: list[str] = []
    outcome = train(finished, lines.append)
    assert outcome.step == 20
    assert f"Resuming from step 20 in {finished.model_save_dir.as_posix()}/" in lines
    assert (finished.model_save_dir / CARD).read_bytes() == before


def test_resizing_that_is_switched_on_reaches_the_card_of_a_finished_training(
    finished: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    before = load_card(finished.model_save_dir)
    after = train(configure(**SHORT, resize=True), lambda _: None)
    assert not before.resize
    assert load_card(finished.model_save_dir).resize
    assert (after.best_accuracy, after.best_step) == (before.best_picture_accuracy, before.best_step)


def test_training_that_goes_on_says_that_no_random_weights_are_taken(
    trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.train", lambda *_, **__: replace(trained.outcome, step=0))
    TrainModel(trained.config).train_cnn("none")
    assert "for random weights name another model_save_dir" in capsys.readouterr().out
    TrainModel(trained.config).train_cnn("auto")
    assert "for random weights" not in capsys.readouterr().out


def test_corrected_label_makes_a_finished_training_evaluate_again(finished: SampleConfig) -> None:
    before = (finished.model_save_dir / CARD).stat().st_mtime_ns
    first = sorted(finished.train_image_dir.glob("0*.png"))[0]
    first.rename(first.with_name(f"1{first.name[1:]}"))
    train(finished, lambda _: None)
    assert (finished.model_save_dir / CARD).stat().st_mtime_ns > before


def test_checkpoint_from_before_names_were_kept_is_known_by_its_number_of_pictures(finished: SampleConfig) -> None:
    older = Trainer(finished)
    assert resume(older)
    older.progress.names_hash = ""
    older.evaluate()
    save(older, final=True)
    again = Trainer(finished)
    assert resume(again)
    assert again.saved_final
    next(finished.train_image_dir.glob("*.png")).unlink()
    fewer = Trainer(finished)
    assert resume(fewer)
    assert not fewer.saved_final


@pytest.mark.usefixtures("finished")
def test_changed_size_alphabet_or_length_is_refused(configure: Callable[..., SampleConfig]) -> None:
    changed = configure(char_set="012", max_captcha=3)
    with pytest.raises(
        ModelError, match=r'trained with max_captcha 2, char_set "01", but .* says max_captcha 3, char_set "012"'
    ):
        resume(Trainer(changed))


def test_checkpoint_of_another_form_of_the_network_is_refused_with_the_way_out(
    finished: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = architectures._residual_stages
    monkeypatch.setattr(architectures, "_residual_stages", lambda pictures, _: stages(pictures, (2, 1, 1, 1)))
    told = (
        r"its checkpoint: expected the weights of this network; got others: fold/kernel: expected the shape \(4, 1, "
        r"128, 1\); got \(1, 1, 128, 1\); name another model_save_dir, and start from this one with --warm-start"
    )
    with pytest.raises(ModelError, match=told):
        resume(Trainer(finished))


@pytest.mark.slow
def test_training_that_reached_its_goal_goes_on_with_added_samples(configure: Callable[..., SampleConfig]) -> None:
    config = configure(cycle_stop=200, acc_stop=0.8, cycle_save=200)
    fill(config.train_image_dir, 300, seed=1)
    first = train(config, lambda _: None)
    assert first.verification.picture >= 0.8
    again = train(config, lambda _: None)
    assert (again.step, again.reason) == (first.step, first.reason)
    assert again.diagnosis == first.diagnosis, "the report can be had again"
    seconds = load_card(config.model_save_dir).training_seconds
    # Labels that the model has never seen so: it cannot be at its goal any more.
    for path in fill(config.train_image_dir, 300, seed=2):
        path.rename(path.with_name(path.name.translate({48: 49, 49: 48})))
    added = train(config, lambda _: None)
    assert added.step > first.step
    assert added.best_accuracy < 0.8, "what was best on other pictures says nothing"
    assert load_card(config.model_save_dir).training_seconds > seconds, "of both together"
    assert load_card(config.model_save_dir).training_pictures + added.verification.pictures >= 590
