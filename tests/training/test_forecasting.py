import json
import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import tensorflow as tf

import train_model
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError, ModelError, SampleError
from cnnlib.evaluation.learning_curve import Forecast, Measured
from cnnlib.training.forecasting import Measurement, forecast_labels, forecast_lines, measure_parts, steps_of, targets
from cnnlib.training.trainer import Trainer
from tests.helpers import SHORT, fill, write_config

pytestmark = pytest.mark.slow


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def labelled(configure: Callable[..., SampleConfig], small_network: str) -> SampleConfig:
    """A config of 20 steps of a small network over 120 pictures."""
    config = configure(**SHORT, network=small_network)
    fill(config.train_image_dir, 120)
    return config


def times(folder: Path) -> dict[Path, int]:
    """When the files of a folder were written, but for locks."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


def test_each_part_is_learned_and_others_are_read(labelled: SampleConfig, tmp_path: Path) -> None:
    Trainer(labelled)  # decodes the pictures
    before, temporary = times(tmp_path), Path(tempfile.gettempdir())
    folders = sorted(filter(Path.is_dir, temporary.iterdir()))
    lines: list[str] = []
    measurement = measure_parts(labelled, lines.append)
    assert [(each.labels, each.pictures) for each in measurement.measured] == [(30, 90), (60, 60), (90, 30)]
    assert measurement.measured[-1].accuracy > 0.3  # a quarter is chance
    assert (measurement.labels, measurement.signal) == (120, None)
    right = 90 - measurement.measured[0].misread
    assert lines[1] == f"After a training on 30 labels: {right} of 90 other pictures are read right"
    assert times(tmp_path) == before, "what is decoded is taken, and nothing written"
    assert sorted(filter(Path.is_dir, temporary.iterdir())) == folders


def test_signal_ends_it_without_a_forecast(
    labelled: SampleConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from cnnlib.training import reporting

    def say(line: str) -> None:
        print(line)
        if line.startswith("After"):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(reporting, "print_line", say)
    assert train_model.TrainModel(labelled).forecast() == 128 + signal.SIGINT
    assert capsys.readouterr().out.splitlines()[-1] == "Interrupted: nothing is forecast"
    assert not labelled.model_save_dir.exists()


def test_parts_start_as_a_training_does(labelled: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[str] = []

    def note(_: object, warm_start: str) -> str:
        starts.append(warm_start)
        raise KeyboardInterrupt

    monkeypatch.setattr("cnnlib.training.forecasting.start", note)
    with pytest.raises(KeyboardInterrupt):
        train_model.TrainModel(labelled).forecast("none")
    assert starts == ["none"]


def test_pictures_that_can_not_be_kept_are_an_error_whose_way_out_helps(
    labelled: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").write_text("no folder")
    with pytest.raises(SampleError, match=r"full/train-.* can't be kept there: .* name another folder as cache_dir"):
        measure_parts(labelled.model_copy(update={"cache_dir": tmp_path / "full"}), silent)
    monkeypatch.setattr("cnnlib.training.forecasting.PARTS", (1 / 4,))
    assert measure_parts(labelled.model_copy(update={"cache_dir": tmp_path / "another"}), silent).measured
    assert [*(tmp_path / "another").rglob("*.pictures")]


def test_lack_of_memory_names_the_key_to_lower(labelled: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")

    monkeypatch.setattr(Trainer, "step", out_of_memory)
    with pytest.raises(ModelError, match=r"memory ran out: lower train_batch_size \(now 32\), or close other programs"):
        measure_parts(labelled, silent)


def test_few_labels_are_refused(short: SampleConfig) -> None:
    with pytest.raises(SampleError, match="expected 80 or more labelled pictures; got 60"):
        measure_parts(short, silent)


def test_script_prints_a_line_for_each_number_and_draws_the_curve(
    tmp_path: Path, small_network: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, **SHORT, network=small_network)
    fill(tmp_path / "sample" / "train", 120)
    assert train_model.main(["--forecast", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    starts = [line.partition(", a training of some 1 minutes: ")[0] for line in lines[-5:-1]]
    assert starts == ["All 120 labels", "60 more labels", "120 more labels", "360 more labels"]
    assert lines[-1] == f"The curve is in {tmp_path.as_posix()}/model/report/forecast.png"
    assert (tmp_path / "model" / "report" / "forecast.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((tmp_path / "model" / "report" / "forecast.json").read_text(encoding="utf-8"))
    assert [each["labels"] for each in figures["forecast"]] == [120, 180, 240, 480]
    assert [each["labels"] for each in figures["measured"]] == [30, 60, 90]


def test_numbers_of_labels_above_are_round() -> None:
    assert targets(400) == [400, 600, 800, 1600]
    assert targets(387) == [387, 580, 770, 1550]
    assert targets(12345) == [12345, 19000, 25000, 49000]


def test_line_has_the_minutes_of_that_many_labels(config: SampleConfig) -> None:
    config = config.model_copy(update={"cycle_stop": "auto", "train_batch_size": 128})
    measurement = Measurement(400, [Measured(100, 300, 30), Measured(200, 200, 10)], 0.5, None)
    assert steps_of(config, 1520) == 848
    lines = forecast_lines(config, measurement, [Forecast(1600, 0.98, 0.9712, 0.9861)])
    assert lines == ["1200 more labels, a training of some 7 minutes: 97.1% to 98.6%"]
    assert forecast_labels(measurement, [400, 1600])[1].accuracy > forecast_labels(measurement, [400])[0].accuracy


def test_measurements_that_no_curve_explains_are_refused_with_what_is_likely_wrong(
    labelled: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = [Measured(30, 90, 90), Measured(60, 60, 60), Measured(90, 30, 30)]
    monkeypatch.setattr(
        "cnnlib.training.forecasting.measure_parts", lambda *_: Measurement(120, measured, 0.5, signal=None)
    )
    message = "expected accuracies that rise with the labels; got 0.0%, 0.0%, 0.0%: nearly nothing is read, .*--doctor"
    with pytest.raises(SampleError, match=message):
        train_model.TrainModel(labelled).forecast()
    assert not labelled.model_save_dir.exists()


def test_drawn_pictures_are_not_forecast(labelled: SampleConfig) -> None:
    drawn = labelled.model_copy(update={"generator": "gen_sample_by_captcha"})
    with pytest.raises(ConfigError, match="key 'generator': its pictures cost no labels, so none are forecast"):
        measure_parts(drawn, silent)
