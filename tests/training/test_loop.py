import json
import re
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.data.folders import list_entries
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.inference.model_card import CARD, load_card, load_model
from cnnlib.inference.recognizer import Recognizer
from cnnlib.network import architectures
from cnnlib.training.loop import export, train
from cnnlib.training.reporting import print_line
from cnnlib.training.resume import resume
from cnnlib.training.save import save
from cnnlib.training.trainer import Trainer
from tests.conftest import fill
from train_model import TrainModel


def save_step(trainer: Trainer) -> None:
    """Save an untrained network as if a step had been made."""
    trainer.progress.step = 1
    trainer.evaluate()
    save(trainer)


def test_console_lines_are_those_of_the_original(trained: SimpleNamespace) -> None:
    at = trained.lines.index("10th training >>>")
    rate = r"accuracy rate is \d\.\d{{5}}"
    form = rf"\[{{}} set\] The character {rate} The picture {rate} >>> loss \d+\.\d{{{{10}}}}"
    assert re.fullmatch(form.format("Training"), trained.lines[at + 1])
    assert re.fullmatch(form.format("Verification"), trained.lines[at + 2])
    plan = r"cycle_stop 160 steps of 32 pictures: each is seen \d+\.\d times"
    assert any(re.fullmatch(plan, line) for line in trained.lines)
    assert trained.lines[0] == "Computing on the CPU (enable_gpu 0)"


def test_training_stops_when_the_whole_verification_set_reaches_acc_stop(trained: SimpleNamespace) -> None:
    outcome = trained.outcome
    assert outcome.reason == "acc_stop 0.98 is reached twice running on the verification set; raise it to train on"
    card = load_card(trained.config.model_save_dir)
    with np.load(trained.config.model_save_dir / card.files["checkpoint"].name) as arrays:
        measured = arrays["progress/verification_curve"][:, 1]
    twice = np.minimum(measured[:-1], measured[1:]) >= 0.98
    assert twice.tolist() == [False] * (len(twice) - 1) + [True]
    assert outcome.verification.picture == measured[-1]
    assert outcome.verification.pictures == card.verification_pictures
    assert outcome.step < 160
    assert outcome.machine_gflops > 0


def test_acc_stop_of_one_trains_all_steps(configure: Callable[..., SampleConfig]) -> None:
    config = configure(cycle_stop=4, cycle_save=4, acc_stop=1, train_batch_size=2)
    fill(config.train_image_dir, 40)
    trainer = Trainer(config)
    trainer.verified, trainer._verified_step = Accuracy(2, 1.0, 1.0), trainer.progress.step
    trainer.progress.verification_curve = [(0, 1.0), (0, 1.0)]
    assert not trainer.goal_reached()
    lines: list[str] = []
    assert train(config, lines.append).step == 4
    assert "Start from random weights" in lines
    saved = [line for line in lines if line.startswith("Saved")]
    assert saved == [f"Saved step 4 into {display_path(config.model_save_dir)}"], "once, though 4 is cycle_save too"


def test_model_folder_holds_one_step_and_its_curves(trained: SimpleNamespace) -> None:
    folder = trained.config.model_save_dir
    card = load_card(folder)
    assert card.step == trained.outcome.step
    assert set(card.files) == {"checkpoint", "weights", "float32", "quantised"}
    assert set(card.exported_picture_accuracy) == {"float32", "quantised"}
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names - {".lock"} == {file.name for file in card.files.values()} | {CARD, "train_acc.png", "test_acc.png"}
    assert card.lengths == (2, 2)
    assert (card.characters, card.max_captcha, card.network, card.channels) == (("0", "1"), 2, "columns", 1)
    assert card.training_pictures + card.verification_pictures == 1200


def test_tensorboard_scalars_are_written(trained: SimpleNamespace) -> None:
    tags = set()
    (folder,) = trained.config.log_dir.iterdir()
    assert folder.name == trained.config.model_save_dir.name, "TensorBoard would mix the curves of several models"
    for path in folder.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {"training/loss", "verification/loss", "verification/picture_accuracy"} <= tags


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


def test_resuming_is_said_and_a_finished_training_stays_as_it_is(short: SampleConfig) -> None:
    train(short, lambda _: None)
    before = (short.model_save_dir / CARD).read_bytes()
    lines: list[str] = []
    outcome = train(short, lines.append)
    assert f"Resuming from step {outcome.step} in {short.model_save_dir.as_posix()}/" in lines
    assert (short.model_save_dir / CARD).read_bytes() == before


def test_resizing_that_is_switched_on_reaches_the_card_of_a_finished_training(
    short: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    before = train(short, lambda _: None)
    resizing = configure(cycle_stop=40, cycle_save=20, acc_stop=1, augmentation=0, resize=True)
    after = train(resizing, lambda _: None)
    assert load_card(short.model_save_dir).resize
    assert (after.best_accuracy, after.best_step) == (before.best_accuracy, before.best_step)


def test_training_that_goes_on_says_that_no_random_weights_are_taken(
    trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.train", lambda *_, **__: replace(trained.outcome, step=0))
    TrainModel(trained.config).train_cnn("none")
    assert "for random weights name another model_save_dir" in capsys.readouterr().out
    TrainModel(trained.config).train_cnn("auto")
    assert "for random weights" not in capsys.readouterr().out


def test_corrected_label_makes_a_finished_training_look_anew(short: SampleConfig) -> None:
    train(short, lambda _: None)
    before = (short.model_save_dir / CARD).stat().st_mtime_ns
    first = sorted(short.train_image_dir.glob("0*.png"))[0]
    first.rename(first.with_name(f"1{first.name[1:]}"))
    train(short, lambda _: None)
    assert (short.model_save_dir / CARD).stat().st_mtime_ns > before


def test_checkpoint_from_before_names_were_kept_is_known_by_its_number_of_pictures(short: SampleConfig) -> None:
    train(short, lambda _: None)
    older = Trainer(short)
    assert resume(older)
    older.progress.names_hash = ""
    older.evaluate()
    save(older, final=True, anew=True)
    again = Trainer(short)
    assert resume(again)
    assert again.saved_final
    next(short.train_image_dir.glob("*.png")).unlink()
    fewer = Trainer(short)
    assert resume(fewer)
    assert not fewer.saved_final


def test_line_that_nobody_can_read_any_more_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("tqdm.tqdm.write", gone)
    print_line("10th training >>>")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is a folder that nobody can write")
def test_log_dir_that_cannot_be_written_is_told_before_anything_is_loaded(short: SampleConfig) -> None:
    with pytest.raises(OSError, match=r"'/proc'$"):
        train(short.model_copy(update={"log_dir": Path("/proc")}), lambda _: None)


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


def test_wrong_labels_of_training_pictures_are_suspected(configure: Callable[..., SampleConfig]) -> None:
    config = configure(cycle_stop=480, cycle_save=480, acc_stop=1)
    paths = fill(config.train_image_dir, 600, seed=1)
    wrong = {path.rename(path.with_name("10"[int(path.name[0])] + path.name[1:])).name for path in paths[:30]}
    lines: list[str] = []
    first = train(config, lines.append)
    assert first.diagnosis
    suspects = {one.path.name for one in first.diagnosis.suspects}
    assert any(line.endswith(" times, two views at once") for line in lines)
    assert len(suspects & wrong) >= 20
    assert len(suspects - wrong) <= 3
    (early,) = [int(line.split()[0]) for line in lines if line.endswith("labels look wrong so far")]
    assert early >= 15, "before they were known by heart"
    assert train(config, lines.append).diagnosis == first.diagnosis, "the report can be had again"
    found = min(suspects & wrong)
    mended = config.train_image_dir / ("10"[int(found[0])] + found[1:])
    config.train_image_dir.joinpath(found).rename(mended)
    again = train(config, lines.append).diagnosis
    assert again
    assert {one.path.name for one in again.suspects} == suspects - {found}, "a mended label is no suspect"


def test_changed_size_alphabet_or_length_is_refused(
    short: SampleConfig, configure: Callable[..., SampleConfig]
) -> None:
    save_step(Trainer(short))
    changed = configure(char_set="012", max_captcha=3)
    with pytest.raises(
        ModelError, match=r'trained with max_captcha 2, char_set "01", but .* says max_captcha 3, char_set "012"'
    ):
        resume(Trainer(changed))


def test_checkpoint_of_another_form_of_the_network_is_refused_with_the_way_out(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_step(Trainer(short))
    stages = architectures._residual_stages
    monkeypatch.setattr(architectures, "_residual_stages", lambda pictures, _: stages(pictures, (2, 1, 1, 1)))
    told = (
        r"its checkpoint: expected the weights of this network; got others: fold/kernel: expected the shape \(4, 1, "
        r"128, 1\); got \(1, 1, 128, 1\); name another model_save_dir, and start from this one with --warm-start"
    )
    with pytest.raises(ModelError, match=told):
        resume(Trainer(short))


def test_interruption_saves_the_step_it_stopped_at(configure: Callable[..., SampleConfig]) -> None:
    config = configure(cycle_stop=100_000, cycle_save=100_000, acc_stop=1)
    fill(config.train_image_dir, 60, characters="01", length=2)
    # Labels that say nothing about the picture, so that acc_stop is never reached.
    for number, path in enumerate(sorted(config.train_image_dir.iterdir())):
        path.rename(path.with_name(f"{number % 2}{number // 2 % 2}_{number}.png"))

    def interrupt(line: str) -> None:
        if line == "20th training >>>":
            signal.raise_signal(signal.SIGTERM)

    outcome = train(config, interrupt)
    card = load_card(config.model_save_dir)
    assert outcome.signal == signal.SIGTERM
    assert outcome.reason.startswith("interrupted by signal 15")
    assert card.step == outcome.step == 20
    Recognizer(config.model_save_dir)
    with np.load(config.model_save_dir / card.files["checkpoint"].name) as arrays:
        assert arrays["progress/step"] == 20


@pytest.mark.parametrize(("function", "part"), [(train, "step"), (export, "verify")])
def test_memory_that_runs_out_names_the_key_to_lower(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], part: str
) -> None:
    """Known bug 6 of the original suite, with TensorFlow's own error."""
    save_step(Trainer(short))

    def out_of_memory(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Trainer, part, out_of_memory)
    with pytest.raises(ModelError, match=r"memory ran out: lower train_batch_size \(now 32\)"):
        function(short, lambda _: None)


@pytest.mark.parametrize("function", [train, export])
def test_full_disk_is_not_taken_for_a_lack_of_memory(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object]
) -> None:
    save_step(Trainer(short))

    def disk_full(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "/tmp/x/saved_model.pb; No space left on device")

    monkeypatch.setattr("cnnlib.training.loop.save", disk_full)
    with pytest.raises(ModelError, match="a disk is full"):
        function(short, lambda _: None)


@pytest.mark.parametrize(
    ("keys", "told"), [({}, 10), ({"cycle_save": 5}, 5), ({"cycle_stop": 7}, 7)], ids=["line", "save", "end"]
)
def test_loss_that_is_no_number_ends_the_training(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch, keys: dict[str, int], told: int
) -> None:
    short = configure(**{"cycle_stop": 40, "cycle_save": 20, **keys})
    fill(short.train_image_dir, 60)
    step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *call: (tf.constant(float("nan")), step(*call)[1]))
    with pytest.raises(ModelError, match=f"at step {told} the loss is nan, so nothing is learned any more"):
        train(short, lambda _: None)


def test_recognizers_read_while_a_training_saves(short: SampleConfig) -> None:
    stop, faults, predictions = threading.Event(), [], []
    picture = list_entries(short.train_image_dir)[0].read_bytes()

    def read() -> None:
        while not stop.is_set():
            if (short.model_save_dir / CARD).exists():
                try:
                    predictions.extend(Recognizer(short.model_save_dir).recognize([picture]))
                except Exception as error:
                    faults.append(error)
            time.sleep(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    train(short, lambda _: None)
    stop.set()
    reader.join()
    assert faults == []
    assert predictions


@pytest.mark.parametrize("network", ["positions", "classic"])
def test_every_network_trains_exports_and_reads(configure: Callable[..., SampleConfig], network: str) -> None:
    config = configure(cycle_stop=10, network=network, channels=3)
    fill(config.train_image_dir, 40)
    train(config, lambda _: None)
    card, _ = load_model(config.model_save_dir, "float32")
    assert (card.network, card.channels) == (network, 3)
    assert json.loads((config.model_save_dir / CARD).read_text())["decoding"] == "positions"
    Recognizer(config.model_save_dir).recognize([list_entries(config.train_image_dir)[0].read_bytes()])
