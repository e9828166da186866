from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import GENERAL_MODEL, display_path
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.inference.model_card import CARD, load_card
from cnnlib.training.checkpoint import NO_NAMES, known_names
from cnnlib.training.dataset import Dataset
from cnnlib.training.evaluator import Evaluator
from cnnlib.training.loop import export_checkpoint, train
from cnnlib.training.resume import resume, start
from cnnlib.training.save import save
from cnnlib.training.trainer import Trainer
from tests.helpers import SHORT, draw, fill
from tests.small_network import Small
from train_model import TrainModel


@pytest.mark.slow
def test_resumed_training_goes_on_as_if_nothing_had_happened(
    short: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    """Step, optimizer, schedule, order, changes, dropout and best come back: the losses are the same."""
    losses = {}
    for name, pauses in (("straight", [40]), ("resumed", [20, 40])):
        folder = str(short.model_save_dir / name)
        losses[name] = []
        for pause in pauses:
            trainer = Trainer(configure(**SHORT | {"cycle_stop": 40}, network=short.network, model_save_dir=folder))
            if not resume(trainer) and name == "straight":
                weights = trainer.model.get_weights()
            elif not trainer.progress.step:
                trainer.model.set_weights(weights)
                trainer.averaged.set_weights(weights)
            for batch in trainer.batches():
                losses[name].append(float(trainer.step(*batch)[0]))
                if trainer.progress.step == pause:
                    break
            trainer.record_evaluation()
            save(trainer)
    assert len(losses["resumed"]) == 40
    assert losses["resumed"] == pytest.approx(losses["straight"], rel=1e-3)


def test_finished_training_stays_as_it_is_and_says_from_where_it_resumes(finished: SampleConfig) -> None:
    before = (finished.model_save_dir / CARD).read_bytes()
    lines: list[str] = []
    outcome = train(finished, lines.append)
    assert outcome.step == 20
    assert f"Resuming from step 20 in {finished.model_save_dir.as_posix()}/" in lines
    assert (finished.model_save_dir / CARD).read_bytes() == before


def test_model_named_for_a_warm_start_is_not_started_from_when_a_training_resumes(finished: SampleConfig) -> None:
    lines: list[str] = []
    train(finished, lines.append, str(GENERAL_MODEL))
    unused = f"; {display_path(GENERAL_MODEL)} is not started from"
    assert f"Resuming from step 20 in {finished.model_save_dir.as_posix()}/{unused}" in lines


def test_resizing_that_is_switched_on_reaches_the_card_of_a_finished_training(
    finished: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    before = load_card(finished.model_save_dir)
    after = train(configure(**SHORT, network=finished.network, resize=True), lambda _: None)
    assert not before.resize
    assert load_card(finished.model_save_dir).resize
    assert (after.best_accuracy, after.best_step) == (before.best_picture_accuracy, before.best_step)


def test_training_that_resumes_says_that_it_takes_no_random_weights(
    finished: SampleConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    TrainModel(finished).train_cnn("none")
    assert "for random weights name another model_save_dir" in capsys.readouterr().out
    TrainModel(finished).train_cnn("auto")
    assert "for random weights" not in capsys.readouterr().out


def test_corrected_label_makes_a_finished_training_evaluate_again(finished: SampleConfig) -> None:
    before = (finished.model_save_dir / CARD).stat().st_mtime_ns
    first = sorted(finished.train_image_dir.glob("0*.png"))[0]
    first.rename(first.with_name(f"1{first.name[1:]}"))
    train(finished, lambda _: None)
    assert (finished.model_save_dir / CARD).stat().st_mtime_ns > before


def test_checkpoint_without_a_hash_of_names_is_known_by_its_number_of_pictures(finished: SampleConfig) -> None:
    """Checkpoints of early versions have none."""
    older = Trainer(finished)
    assert resume(older)
    older.progress.names_hash = ""
    older.record_evaluation()
    save(older, final=True)
    again = Trainer(finished)
    assert resume(again)
    assert again.saved_final
    next(finished.train_image_dir.glob("*.png")).unlink()
    fewer = Trainer(finished)
    assert resume(fewer)
    assert not fewer.saved_final


def test_changed_alphabet_or_length_is_refused(finished: SampleConfig, configure: Callable[..., SampleConfig]) -> None:
    changed = configure(**SHORT, network=finished.network, char_set="012", max_captcha=3)
    with pytest.raises(
        ModelError, match=r'trained with max_captcha 2, char_set "01", but .* says max_captcha 3, char_set "012"'
    ):
        resume(Trainer(changed))


def test_other_split_is_refused_for_a_trained_model(trained: SimpleNamespace) -> None:
    trainer = Trainer(trained.config.model_copy(update={"split_seed": 5}))
    with pytest.raises(
        ModelError, match=r"its split_seed is 0, .* has 5: pictures that it was trained on would verify"
    ):
        resume(trainer)


def test_checkpoint_of_another_form_of_the_network_is_refused_with_the_way_out(
    finished: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Small, "channels", (32, 48))
    message = (
        r"its checkpoint: expected the weights of this network; got others: map/kernel: expected the shape \(3, 3, 32, "
        r"48\); got \(3, 3, 32, 64\); name another model_save_dir, and start from this one with --warm-start"
    )
    with pytest.raises(ModelError, match=message):
        resume(Trainer(finished))


@pytest.mark.slow
def test_training_that_reached_its_goal_goes_on_with_added_samples(
    configure: Callable[..., SampleConfig], small_network: str
) -> None:
    config = configure(network=small_network, cycle_stop=200, acc_stop=0.8, cycle_save=200)
    fill(config.train_image_dir, 300, seed=1)
    first = train(config, lambda _: None)
    assert first.verification.picture >= 0.8
    again = train(config, lambda _: None)
    assert (again.step, again.reason) == (first.step, first.reason)
    assert again.diagnosis == first.diagnosis, "a finished training reports the same again"
    seconds = load_card(config.model_save_dir).training_seconds
    # Labels that the model has never seen so: it cannot be at its goal any more.
    for path in fill(config.train_image_dir, 300, seed=2):
        path.rename(path.with_name(path.name.translate({48: 49, 49: 48})))
    added = train(config, lambda _: None)
    assert added.step > first.step
    assert added.best_accuracy < 0.8, "what was best on other pictures says nothing"
    assert load_card(config.model_save_dir).training_seconds > seconds, "of both together"
    assert load_card(config.model_save_dir).training_pictures + added.verification.pictures >= 590


def labels_as_read(data: Dataset, numbers: np.ndarray) -> list[LabelledPrediction]:
    """Predictions of a network that reads every label."""
    return [
        LabelledPrediction(
            data.path(n), label_of(data.names[n]), Prediction(label_of(data.names[n]), 1.0, ()), 1.0, 0.0
        )
        for n in numbers
    ]


def test_suspects_of_a_checkpoint_are_reported_until_their_labels_change(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay suspects although the network, which has learned them by heart, reads their labels by now."""
    trainer = Trainer(short)
    path, label = trainer.training.path(3), label_of(trainer.training.names[3])
    trainer.progress.suspects = [
        LabelledPrediction(Path(path.name), label, Prediction("0" + label, 0.9, ()), 0.01, 4.5)
    ]
    trainer.progress.step = 1
    trainer.record_evaluation()
    save(trainer)
    monkeypatch.setattr(Evaluator, "predict", lambda _, *call: labels_as_read(*call))
    again = Trainer(short)
    assert resume(again)
    assert [(each.path, each.prediction.text) for each in again.diagnose().suspects] == [(path, "0" + label)]
    path.rename(path.with_name(f"1{path.name[1:]}" if label[0] == "0" else f"0{path.name[1:]}"))
    corrected = Trainer(short)
    assert resume(corrected)
    assert corrected.diagnose().suspects == []


def test_new_training_starts_from_the_general_model_where_its_layers_fit(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config, random = configure(), "Start from random weights"
    fill(config.train_image_dir, 4)
    trainer = Trainer(config)
    assert start(trainer, "auto").startswith(f"Warm start from {display_path(GENERAL_MODEL / 'columns')}: 100% of ")
    large = start(Trainer(configure(network="large")), "auto")
    assert large.startswith(f"Warm start from {display_path(GENERAL_MODEL)}: 100% of ")
    assert start(trainer, "none") == random
    with pytest.raises(ModelError, match="expected a trained model"):
        start(trainer, str(tmp_path))
    assert start(Trainer(configure(network="classic")), "auto") == random
    monkeypatch.setattr("cnnlib.training.resume.GENERAL_MODEL", tmp_path / "missing")
    assert start(trainer, "auto") == random


def test_changed_pictures_are_told_and_the_card_says_what_taught_the_model(finished: SampleConfig) -> None:
    before, lines = load_card(finished.model_save_dir), list[str]()
    train(finished, lines.append)
    assert not any("are others than" in line for line in lines)
    fill(finished.train_image_dir, 40, seed=7)
    train(finished, lines.append)
    told = "The pictures or labels are others than at the last save: 54 training and 6 verification pictures then"
    assert sum(line.startswith(told) for line in lines) == 1
    after = load_card(finished.model_save_dir)
    assert after.verification_pictures > before.verification_pictures, "it is evaluated on those of today"
    assert after.training_pictures == before.training_pictures, "no step was taken"
    train(finished.model_copy(update={"cycle_stop": 22}), lines.append)
    assert load_card(finished.model_save_dir).training_pictures == 100 - after.verification_pictures


def test_pictures_of_another_captcha_are_refused_with_the_way_out(finished: SampleConfig) -> None:
    card = (finished.model_save_dir / CARD).read_bytes()
    for path in finished.train_image_dir.glob("*.png"):
        path.unlink()
    fill(finished.train_image_dir, 60, seed=9)
    message = (
        r"expected the pictures that it was trained on, perhaps with others; got none of them in .*; for another kind "
        "of captcha name another model_save_dir; if they are alike, start from this model with --warm-start"
    )
    with pytest.raises(ModelError, match=message):
        train(finished, lambda _: None)
    assert (finished.model_save_dir / CARD).read_bytes() == card


def test_pictures_among_very_many_others_are_known(finished: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnnlib.training.checkpoint.KNOWN_NAMES", 1)
    (lowest,) = Trainer(finished).progress.known
    named = (SimpleNamespace(names=[f"01_{number}.png"]) for number in range(10**5))
    (name,) = next(part.names for part in named if known_names([part])[0] < lowest)
    draw("01", finished.train_image_dir / name)
    trainer = Trainer(finished)
    assert trainer.progress.known[0] < lowest, "the one name that is kept is none of the older training"
    assert resume(trainer)


def test_checkpoint_that_knows_no_names_takes_any_pictures(finished: SampleConfig) -> None:
    """Checkpoints of early versions know none, nor do those of drawn pictures."""
    older = Trainer(finished)
    assert resume(older)
    older.progress.known = NO_NAMES
    older.record_evaluation()
    save(older, final=True)
    for path in finished.train_image_dir.glob("*.png"):
        path.unlink()
    fill(finished.train_image_dir, 60, seed=9)
    assert resume(Trainer(finished))


def test_other_split_is_refused_before_anything_is_decoded(
    finished: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.Trainer", lambda *_: pytest.fail("something was decoded"))
    other = finished.model_copy(update={"split_seed": 5})
    for work in (train, export_checkpoint):
        with pytest.raises(ModelError, match=r"its split_seed is 0, .* has 5"):
            work(other, lambda _: None)
