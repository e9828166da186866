"""Train the network on train_image_dir; the model goes into model_save_dir.

Training stops after cycle_stop steps or when acc_stop is reached twice running on the verification pictures. A
training that was interrupted (Ctrl-C saves first) goes on where it stopped when the script is started again. A new one
starts from the weights of the general model in model/general that fit, unless --warm-start says otherwise.

examples:
  python train_model.py
  python train_model.py --config conf/my_config.json
  python train_model.py --warm-start model/older/
  python train_model.py --export-only --saved-model serving/captcha/ --onnx captcha.onnx
  python train_model.py --recognize sample/test/2e8j_17322d.png
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cnnlib.cli import DONE, SIGNAL_BASE, allow_any_character, argument_parser, script
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.stderr import quiet
from cnnlib.data.folders import first_test_picture
from cnnlib.evaluation.diagnosis import SHOWN, Review, advice, write_suspects
from cnnlib.evaluation.metrics import NOTHING
from cnnlib.inference.compatibility import check_resumable, wanted_of
from cnnlib.inference.model_card import ModelCard, has_file, load_card
from cnnlib.inference.recognizer import Recognizer

GENERAL_MODEL = PROJECT_ROOT / "model" / "general"


class TrainModel:
    """Training and the recognition demonstration, from Python: `TrainModel(load_sample_config()).train_cnn()`."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config

    def train_cnn(self, warm_start: str = "auto") -> int:
        """Train and print the lines of the original suite; returns the exit status.

        `warm_start` is the folder of a model to start from, "none", or "auto": the general model.
        Raises CaptchaError when config, pictures or an older model can't be used.
        """
        allow_any_character()
        resuming = check_resumable(self.config.model_save_dir, wanted_of(self.config))
        start = self.model_to_start_from(warm_start, resuming)
        if resuming and warm_start == "none":
            folder = display_path(self.config.model_save_dir)
            print(f"{folder} holds a training, which goes on; for random weights name another model_save_dir")
        with quiet():
            from cnnlib.training.loop import train  # TensorFlow takes seconds to import, so it is imported only here

        outcome = train(self.config, start=start)
        verified = outcome.verification
        print(f"Training ended at step {outcome.step}: {outcome.reason}")
        if outcome.step:
            shown = f"picture accuracy {verified.picture:.2%}, character accuracy {verified.character:.2%}"
            print(f"Verification set: {shown}")
            print(f"Best picture accuracy there: {outcome.best_accuracy:.2%} at step {outcome.best_step}")
            if outcome.pictures_per_s:
                speed = f"{outcome.pictures_per_s:.0f} pictures/s, {outcome.gflops:.0f} GFLOP/s"
                beside = f" (a product of matrices in bfloat16: {outcome.machine_gflops:.0f})"
                print(f"{outcome.seconds:.0f} seconds, {speed}{beside if outcome.machine_gflops else ''}")
            if outcome.review:
                table = self.config.model_save_dir / "report" / "suspects.csv"
                show_review(outcome.review, table, outcome.goal_reached)
            show_exports(load_card(self.config.model_save_dir))
            print(f"The model is in {display_path(self.config.model_save_dir)}; measure it with test_batch.py")
        return SIGNAL_BASE + outcome.signal if outcome.signal else DONE

    def model_to_start_from(self, warm_start: str, resuming: bool) -> Path | None:
        """The folder of the model whose weights a new training starts from.

        Raises ModelError when `warm_start` names a folder without a model.
        """
        if warm_start == "none" or (warm_start == "auto" and resuming):
            return None
        if warm_start != "auto":
            load_card(Path(warm_start))
            return Path(warm_start)
        fits = self.config.network != "classic" and has_file(GENERAL_MODEL, "weights")
        return GENERAL_MODEL if fits else None

    def export(self, saved_model: Path | None = None, onnx: Path | None = None) -> int:
        """Export the checkpoint anew, measured on the verification pictures; returns the exit status.

        `saved_model` is a folder for TensorFlow Serving, which gets a SavedModel too, `onnx` a file for an ONNX model.
        Raises CaptchaError when config, pictures or the checkpoint can't be used.
        """
        with quiet():
            from cnnlib.training.loop import export

        show_exports(export(self.config, saved_model=saved_model, onnx=onnx))
        return DONE

    def recognize_captcha(self, picture: Path | None = None) -> str:
        """Read one picture, the first of `test_image_dir` unless told, print label and reading; returns the reading."""
        path = picture or first_test_picture(self.config)
        recognizer = Recognizer(self.config.model_save_dir, wanted=wanted_of(self.config))
        text = recognizer.recognize_file(path).text
        with suppress(SampleError):  # a picture need not have a label in its name
            print(f"label: {label_of(path.name)}, ", end="")
        print(f"prediction: {text}, picture: {display_path(path)}")
        return text


def show_review(found: Review, table: Path, goal_reached: bool = False) -> None:
    """Print what is confused, which labels look wrong and what to try next; `table` gets all such labels.

    `goal_reached`: the training ended at `acc_stop`.
    """
    write_suspects(found.suspects, table)
    some = f", {found.training.pictures} of {found.training.pictures + found.unread}" if found.unread else ""
    print(f"Training pictures, unchanged{some}: picture accuracy {found.training.picture:.2%}")
    if found.confusions:
        shown = ", ".join(f"{a or NOTHING}→{b or NOTHING} {count}x" for a, b, count in found.confusions[:SHOWN])
        print(f"Still confused on the verification set (label→reading, {NOTHING}: none): {shown}")
    if found.suspects:
        told = "Surely read otherwise than labelled, now or before the labels were known by heart"
        print(f"{told}: {len(found.suspects)}, see {display_path(table)}:")
    for one in found.suspects[:SHOWN]:
        text = one.reading.text or NOTHING
        print(f"  {display_path(one.path)} label: {one.label} prediction: {text} loss {one.loss:.1f}")
    print(f"To try next: {advice(found, goal_reached)}")


def show_exports(card: ModelCard) -> None:
    """Print how the exported files read, and which one pictures are read with."""
    measured = card.exported_picture_accuracy
    if measured:
        shown = ", ".join(f"{kind} {share:.2%}" for kind, share in measured.items())
        print(f"Exported, picture accuracy on the verification set: {shown}; pictures are read with {card.reads}")


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--recognize", type=Path, metavar="PICTURE", help="train nothing; read one labelled picture")
    parser.add_argument(
        "--warm-start",
        default="auto",
        metavar="MODEL_DIR",
        help='start from the weights of this model that fit; "none": from random ones (default: auto, see above)',
    )
    parser.add_argument("--export-only", action="store_true", help="train nothing; export the checkpoint anew")
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
        help="with --export-only: also write an ONNX model (needs the packages of requirements-onnx.txt)",
    )
    arguments = parser.parse_args(argv)
    if (arguments.saved_model or arguments.onnx) and not arguments.export_only:
        parser.error("--saved-model and --onnx need --export-only")
    model = TrainModel(load_sample_config(arguments.config))
    if arguments.recognize:
        model.recognize_captcha(arguments.recognize)
        return DONE
    if arguments.export_only:
        return model.export(arguments.saved_model, arguments.onnx)
    return model.train_cnn(arguments.warm_start)


if __name__ == "__main__":
    sys.exit(main())
