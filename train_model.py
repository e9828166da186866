"""Train the network on the pictures of train_image_dir; the model goes into model_save_dir.

Training stops after cycle_stop steps, or when the picture accuracy on the verification set reaches acc_stop twice in a
row. Ctrl-C saves first; start the script again to go on. A new training starts from the general model in model/general,
as far as its layers fit, unless --warm-start names another model.

--forecast says what more labels would bring, from trainings on parts of the labels. It draws report/forecast.png in
model_save_dir, keeps decoded pictures in cache_dir as a training does, and touches nothing else.

examples:
  python train_model.py
  python train_model.py conf/my_config.json
  python train_model.py --forecast conf/my_config.json
  python train_model.py --warm-start model/older/
  python train_model.py --export-only --onnx captcha.onnx
  python train_model.py --recognize sample/test/2e8j_17322d.png
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, SIGNAL_BASE, allow_any_character, argument_parser, script
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.files import check_place, check_writable, optional_output
from cnnlib.core.paths import display_path
from cnnlib.core.printable import printable
from cnnlib.core.stderr import muted_stderr
from cnnlib.data.folders import first_test_picture
from cnnlib.data.packed import clear_cache
from cnnlib.evaluation.diagnosis import write_suspects
from cnnlib.inference.compatibility import check_resumable, requirements_of
from cnnlib.inference.model_card import load_card, older_checkpoint
from cnnlib.inference.recognizer import Recognizer
from cnnlib.original_calls import training_config
from cnnlib.report.page import PAGE, write_page
from cnnlib.report.training_record import TrainingRecord, save_record
from cnnlib.synthesis.generators import GENERATORS

if TYPE_CHECKING:
    from cnnlib.training.reporting import Outcome

DOCTOR = "doctor"  # start of the name of a folder in cache_dir that a killed verify_and_split_data.py --doctor left


class TrainModel:
    """Training and the recognition demonstration, from Python: `TrainModel(load_sample_config()).train_cnn()`.

    The arguments of the original suite work too. Raises TypeError for others, and CaptchaError when they can't be used.
    """

    @overload
    def __init__(self, config: SampleConfig) -> None: ...

    @overload
    def __init__(
        self,
        train_img_path: str | Path,
        verify_img_path: str | Path,
        char_set: str | Iterable[str],
        model_save_dir: str | Path,
        cycle_stop: int,
        acc_stop: float,
        cycle_save: int,
        image_suffix: str,
        train_batch_size: int = 128,
        test_batch_size: int = 100,
        verify: bool = False,
    ) -> None: ...

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.config = training_config(arguments, named)

    def train_cnn(self, warm_start: str = "auto") -> int:
        """Train and print the lines of the original suite; returns the exit status.

        `warm_start` is the folder of a model to start from, "none", or "auto": the general model.
        Raises CaptchaError when config, pictures or an older model can't be used.
        """
        allow_any_character()
        folder = self.config.model_save_dir
        self._look_at_models(warm_start)
        with muted_stderr():
            from cnnlib.training.loop import train
        from cnnlib.training.reporting import diagnosis_lines, export_lines, outcome_lines

        outcome = train(self.config, warm_start=warm_start)
        print_lines(outcome_lines(outcome))
        if outcome.worker:  # worker 0 writes and says the rest
            return SIGNAL_BASE + outcome.signal if outcome.signal else DONE
        if outcome.diagnosis:
            table = folder / "report" / "suspects.csv"
            with optional_output(table):
                write_suspects(outcome.diagnosis.suspects, table)
            print_lines(diagnosis_lines(outcome.diagnosis, table, outcome.goal_reached))
        if outcome.step:
            print_lines(export_lines(load_card(folder)))
            self._write_page(outcome)
            print(f"The model is in {display_path(folder)}; measure it with test_batch.py")
        return SIGNAL_BASE + outcome.signal if outcome.signal else DONE

    def _write_page(self, outcome: "Outcome") -> None:
        """Write what the training found and the page of the model into `report/`, and say where the page is."""
        folder = self.config.model_save_dir / "report"
        skipped = {printable(name): printable(reason) for name, reason in outcome.skipped.items()}
        record = TrainingRecord(outcome.step, outcome.reason, outcome.goal_reached, outcome.diagnosis, skipped)
        with optional_output(folder / PAGE):
            save_record(record, folder)
            print(f"The page of the model: {display_path(write_page(self.config, record))}")

    def _look_at_models(self, warm_start: str) -> None:
        """Check models that are there before TensorFlow is imported, which takes seconds; say what is not used."""
        from cnnlib.training.cluster import cluster_of

        cluster, folder = cluster_of(self.config.strategy, self.config.name), self.config.model_save_dir
        if cluster and cluster.index:
            return  # worker 0 looks at them
        for place in (folder, self.config.log_dir):
            check_place(place)
        resuming = check_resumable(folder, requirements_of(self.config))
        if warm_start not in ("none", "auto"):
            load_card(Path(warm_start))
        elif not resuming and (older := older_checkpoint(folder)):
            holds = f"holds a checkpoint of the original suite ({older}), which can't be read; the training begins anew"
            print(printable(f"{display_path(folder)} {holds}"))
        elif resuming and warm_start == "none":
            holds = "holds a training, which goes on; for random weights name another model_save_dir"
            print(f"{display_path(folder)} {holds}")

    def export(self, saved_model: Path | None = None, onnx: Path | None = None, share: float | None = None) -> int:
        """Export the checkpoint again, evaluated on the verification pictures; returns the exit status.

        `saved_model` is a folder for TensorFlow Serving, which gets a SavedModel too, `onnx` a file for an ONNX model.
        With a `share`, 0.05 to 1, the weights are mixed anew: so much of the training's end, the rest of its start.
        Raises CaptchaError when config, pictures or the checkpoint can't be used, and OSError when a place can't be
        written, both before the work begins.
        """
        with muted_stderr():
            from cnnlib.training.loop import export_checkpoint
        from cnnlib.training.reporting import export_lines

        print_lines(export_lines(export_checkpoint(self.config, saved_model=saved_model, onnx=onnx, share=share)))
        return DONE

    def forecast(self, warm_start: str = "auto") -> int:
        """Print and draw what more labels would bring; returns the exit status. `warm_start` as for `train_cnn`.

        Raises CaptchaError when config or pictures can't be used, there are too few, or no curve fits what they tell,
        and OSError, before the trainings, when the folder of the report can't be written.
        """
        folder = self.config.model_save_dir / "report"
        check_writable(folder)
        with muted_stderr():
            from cnnlib.training import forecasting
        from cnnlib.training.reporting import print_line

        measurement = forecasting.measure_parts(self.config, print_line, warm_start)
        if measurement.signal:
            return SIGNAL_BASE + measurement.signal
        forecasting.check_forecastable(self.config, measurement)
        forecasts = forecasting.forecast_labels(measurement, forecasting.targets(measurement.labels))
        print_lines(forecasting.forecast_lines(self.config, measurement, forecasts))
        forecasting.write_figures(folder / "forecast.json", measurement, forecasts)
        picture = folder / "forecast.png"
        with optional_output(picture):
            forecasting.draw(picture, measurement)
            print(f"The curve is in {display_path(picture)}")
        return DONE

    def recognize_captcha(self, picture: Path | None = None) -> str:
        """Read one picture, by default the first of `test_image_dir`, and print label and prediction.

        Returns the prediction.
        """
        path = picture or first_test_picture(self.config.test_image_dir, self.config.image_suffix)
        recognizer = Recognizer(self.config.model_save_dir, requirements=requirements_of(self.config))
        text = recognizer.recognize_file(path).text
        with suppress(SampleError):  # a picture need not have a label in its name
            print(f"label: {label_of(path.name)}, ", end="")
        print(f"prediction: {text}, picture: {display_path(path)}")
        return text


def print_lines(lines: Iterable[str]) -> None:
    for line in lines:
        print(printable(line))


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--recognize", type=Path, metavar="PICTURE", help="do not train; read one picture")
    parser.add_argument(
        "--warm-start",
        default="auto",
        metavar="MODEL_DIR",
        help='model to start from; "none": random weights; "auto", the default: the general model',
    )
    instead.add_argument(
        "--clear-cache",
        action="store_true",
        help="do not train; delete the decoded and the drawn pictures in cache_dir",
    )
    instead.add_argument("--forecast", action="store_true", help="do not train; say what more labels would bring")
    instead.add_argument("--export-only", action="store_true", help="do not train; export the checkpoint again")
    parser.add_argument(
        "--saved-model",
        type=Path,
        metavar="DIR",
        help="with --export-only: also write a SavedModel, DIR/STEP/, for TensorFlow Serving",
    )
    parser.add_argument(
        "--onnx",
        type=Path,
        metavar="FILE",
        help="with --export-only: also write an ONNX model (needs requirements-onnx.txt)",
    )
    text = "with --export-only: mix the weights anew, SHARE of the end of the training and the rest of its start"
    parser.add_argument("--mix", type=share_of_weights, metavar="SHARE", help=text)
    return parser


def share_of_weights(text: str) -> float:
    """A number above 0, up to 1, on the command line."""
    with suppress(ValueError):
        if 0 < float(text) <= 1:
            return float(text)
    raise ArgumentTypeError(f"expected a number above 0, up to 1; got {text}")


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if (arguments.saved_model or arguments.onnx or arguments.mix) and not arguments.export_only:
        parser().error("--saved-model, --onnx and --mix need --export-only")
    if arguments.warm_start != "auto" and (arguments.recognize or arguments.clear_cache or arguments.export_only):
        parser().error("--warm-start is for a training, or for --forecast")
    config = load_sample_config(arguments.config)
    if arguments.clear_cache:
        freed = clear_cache(config.cache_dir, [*GENERATORS, DOCTOR])
        print(f"Deleted {freed / 1e6:.1f} MB in {display_path(config.cache_dir)}")
        return DONE
    model = TrainModel(config)
    if arguments.recognize:
        model.recognize_captcha(arguments.recognize)
        return DONE
    if arguments.forecast:
        return model.forecast(arguments.warm_start)
    if arguments.export_only:
        return model.export(arguments.saved_model, arguments.onnx, arguments.mix)
    return model.train_cnn(arguments.warm_start)


if __name__ == "__main__":
    sys.exit(main())
