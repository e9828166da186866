"""Train the network on train_image_dir; the model goes into model_save_dir.

Training stops after cycle_stop steps or when acc_stop is reached on the verification pictures. A training that was
interrupted (Ctrl-C saves first) goes on where it stopped when the script is started again.

examples:
  python train_model.py
  python train_model.py --config conf/my_config.json
  python train_model.py --recognize sample/test/2e8j_17322d.png
"""

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cnnlib.config import SampleConfig, display_path, load_sample_config
from cnnlib.errors import SampleError
from cnnlib.model_card import check_resumable, wanted_of
from cnnlib.pictures import label_of, read_picture
from cnnlib.quiet import quiet
from cnnlib.recognizer import Recognizer
from cnnlib.samples import first_test_picture
from cnnlib.script import DONE, SIGNAL_BASE, argument_parser, script


class TrainModel:
    """Training and the recognition demonstration, from Python: `TrainModel(load_sample_config()).train_cnn()`."""

    def __init__(self, config: SampleConfig) -> None:
        self.config = config

    def train_cnn(self) -> int:
        """Train and print the lines of the original suite; returns the exit status.

        Raises CaptchaError when config, pictures or an older model can't be used.
        """
        check_resumable(self.config.model_save_dir, wanted_of(self.config))
        with quiet():
            from cnnlib.training import train  # TensorFlow takes seconds to import, so it is imported only here

        outcome = train(self.config)
        verified = outcome.verification
        print(f"Training ended at step {outcome.step}: {outcome.reason}")
        if outcome.step:
            shown = f"picture accuracy {verified.picture:.2%}, character accuracy {verified.character:.2%}"
            print(f"Verification set: {shown}")
            print(f"{outcome.seconds:.0f} seconds, {outcome.pictures_per_s:.0f} pictures/s")
            print(f"The model is in {display_path(self.config.model_save_dir)}; measure it with test_batch.py")
        return SIGNAL_BASE + outcome.signal if outcome.signal else DONE

    def recognize_captcha(self, picture: Path | None = None) -> str:
        """Read one picture, the first of `test_image_dir` unless told, print label and reading; returns the reading."""
        path = picture or first_test_picture(self.config)
        recognizer = Recognizer(self.config.model_save_dir, wanted=wanted_of(self.config))
        text = recognizer.recognize([read_picture(path)])[0].text
        with suppress(SampleError):  # a picture need not have a label in its name
            print(f"label: {label_of(path.name)}, ", end="")
        print(f"prediction: {text}, picture: {display_path(path)}")
        return text


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--recognize", type=Path, metavar="PICTURE", help="train nothing; read one labelled picture")
    arguments = parser.parse_args(argv)
    model = TrainModel(load_sample_config(arguments.config))
    if arguments.recognize:
        model.recognize_captcha(arguments.recognize)
        return DONE
    return model.train_cnn()


if __name__ == "__main__":
    sys.exit(main())
