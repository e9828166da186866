import signal
from collections.abc import Callable
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
from cnnlib.inference.model_card import load_card, load_model
from cnnlib.inference.recognizer import Recognizer
from cnnlib.network.architectures import network_class
from cnnlib.network.names import NETWORKS
from cnnlib.training.loop import export_checkpoint, train
from cnnlib.training.trainer import Trainer
from tests.helpers import fill, fill_unlearnable


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


def test_acc_stop_of_one_trains_all_steps(configure: Callable[..., SampleConfig], small_network: str) -> None:
    config = configure(network=small_network, cycle_stop=4, cycle_save=4, acc_stop=1, train_batch_size=2)
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


def test_tensorboard_scalars_are_written(trained: SimpleNamespace) -> None:
    tags = set()
    (folder,) = trained.config.log_dir.iterdir()
    assert folder.name == trained.config.model_save_dir.name, "TensorBoard would mix the curves of several models"
    for path in folder.iterdir():
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            tags |= {value.tag for value in event.summary.value}
    assert {"training/loss", "verification/loss", "verification/picture_accuracy"} <= tags


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="/proc is a folder that nobody can write")
def test_unwritable_log_dir_is_named_before_anything_is_loaded(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.training.loop.Trainer", lambda _: pytest.fail("something was loaded"))
    with pytest.raises(OSError, match=r"'/proc'$"):
        train(short.model_copy(update={"log_dir": Path("/proc")}), lambda _: None)


@pytest.mark.slow
def test_wrong_labels_are_suspected_until_they_are_corrected(
    configure: Callable[..., SampleConfig], small_network: str
) -> None:
    config = configure(network=small_network, cycle_stop=480, cycle_save=480, acc_stop=1)
    paths = fill(config.train_image_dir, 600, seed=1)
    wrong = {path.rename(path.with_name("10"[int(path.name[0])] + path.name[1:])).name for path in paths[:30]}
    lines: list[str] = []
    first = train(config, lines.append)
    assert first.diagnosis
    suspects = {suspect.path.name for suspect in first.diagnosis.suspects}
    assert any(line.endswith(" times, two views at once") for line in lines)
    assert len(suspects & wrong) >= 20
    assert len(suspects - wrong) <= 3
    (early,) = [int(line.split()[0]) for line in lines if line.endswith("labels look wrong so far")]
    assert early >= 15, "before they were learned by heart"
    assert train(config, lines.append).diagnosis == first.diagnosis, "a finished training reports the same again"
    name = min(suspects & wrong)
    config.train_image_dir.joinpath(name).rename(config.train_image_dir / ("10"[int(name[0])] + name[1:]))
    after = train(config, lines.append).diagnosis
    assert after
    assert {suspect.path.name for suspect in after.suspects} == suspects - {name}, "the corrected label is none"


def test_interruption_saves_the_step_it_stopped_at(configure: Callable[..., SampleConfig], small_network: str) -> None:
    config = configure(network=small_network, cycle_stop=100_000, cycle_save=100_000, acc_stop=1)
    fill_unlearnable(config.train_image_dir, 60)

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


@pytest.mark.parametrize(("function", "part"), [(train, "step"), (export_checkpoint, "record_evaluation")])
def test_lack_of_memory_names_the_key_to_lower(
    finished: SampleConfig, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object], part: str
) -> None:
    """Known bug 6 of the original suite, with TensorFlow's own error."""

    def out_of_memory(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Trainer, part, out_of_memory)
    with pytest.raises(ModelError, match=r"memory ran out: lower train_batch_size \(now 32\)"):
        function(finished.model_copy(update={"cycle_stop": 21}), lambda _: None)


@pytest.mark.parametrize("function", [train, export_checkpoint])
def test_full_disk_is_not_taken_for_a_lack_of_memory(
    finished: SampleConfig, monkeypatch: pytest.MonkeyPatch, function: Callable[..., object]
) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "/tmp/x/saved_model.pb; No space left on device")

    monkeypatch.setattr("cnnlib.training.loop.save", disk_full)
    with pytest.raises(ModelError, match="a disk is full"):
        function(finished.model_copy(update={"cycle_stop": 21}), lambda _: None)


@pytest.mark.parametrize(
    ("keys", "step"), [({}, 10), ({"cycle_save": 5}, 5), ({"cycle_stop": 7}, 7)], ids=["line", "save", "end"]
)
def test_loss_that_is_no_number_ends_the_training(
    configure: Callable[..., SampleConfig],
    small_network: str,
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, int],
    step: int,
) -> None:
    config = configure(**{"network": small_network, "cycle_stop": 40, "cycle_save": 20, **keys})
    fill(config.train_image_dir, 60)
    train_step = Trainer.step
    monkeypatch.setattr(Trainer, "step", lambda *call: (tf.constant(float("nan")), train_step(*call)[1]))
    with pytest.raises(ModelError, match=f"at step {step} the loss is nan, so nothing is learned any more"):
        train(config, lambda _: None)


@pytest.mark.slow
@pytest.mark.parametrize("network", [name for name in NETWORKS if name != "columns"])  # which `trained` is
def test_every_network_trains_exports_and_reads(configure: Callable[..., SampleConfig], network: str) -> None:
    config = configure(cycle_stop=10, network=network, channels=3, train_batch_size=8)
    fill(config.train_image_dir, 40)
    train(config, lambda _: None)
    card, _ = load_model(config.model_save_dir, "float32")
    assert (card.network, card.channels) == (network, 3)
    assert card.decoding == network_class(network).decoding
    Recognizer(config.model_save_dir).recognize([list_entries(config.train_image_dir)[0].read_bytes()])
