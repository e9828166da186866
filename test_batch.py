"""Read every picture of test_image_dir once with the trained model; print what was misread and the accuracy.

Writes report/test.json into model_save_dir, with misread.png, the pictures that were misread with the greatest
confidence, and confusion.png, which characters were taken for which.

examples:
  python test_batch.py
  python test_batch.py --all
  python test_batch.py --config conf/my_config.json
"""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cnnlib.cli import DONE, allow_any_character, argument_parser, script
from cnnlib.codec.alphabet import Reading
from cnnlib.codec.images import read_picture
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.files import write_whole
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import first_test_picture, list_labelled
from cnnlib.evaluation import metrics
from cnnlib.inference.compatibility import wanted_of
from cnnlib.inference.recognizer import Recognizer

SHOWN = 40  # misread pictures, and confusions, that are drawn


@dataclass(frozen=True)
class Misread:
    """A test picture whose reading is not its label."""

    path: Path
    label: str
    reading: Reading


class TestBatch:
    """The batch test from Python: `TestBatch(load_sample_config()).test_batch()`."""

    __test__ = False  # not a test of pytest's

    def __init__(self, config: SampleConfig) -> None:
        self.config = config

    def test_batch(self, show_all: bool = False, pictures: bool = True) -> dict[str, Any]:
        """Read the test folder, print and write the figures, and return them: accuracies are shares, 0 to 1.

        `pictures` says whether misread.png and confusion.png are drawn.

        Raises ModelError without a model that fits the config, SampleError when a picture can't be used.
        """
        allow_any_character()
        first_test_picture(self.config)  # an empty folder is a fault
        found = list_labelled(self.config.test_image_dir, self.config.image_suffix)
        recognizer = Recognizer(self.config.model_save_dir, wanted=wanted_of(self.config))
        start = time.perf_counter()
        readings = [*on_all_cores(partial(read, recognizer), [path for path, _ in found])]
        seconds = time.perf_counter() - start
        labels, texts = [label for _, label in found], [reading.text for reading in readings]
        for label, text in zip(labels, texts, strict=True):
            if show_all or label != text:
                print(f"origin: {label} prediction: {text}")
        figures = self.figures(labels, texts, seconds)
        self.report(figures)
        misread = [
            Misread(*one, reading) for one, reading in zip(found, readings, strict=True) if reading.text != one[1]
        ]
        self.draw(misread if pictures else [])
        return figures

    def figures(self, labels: list[str], texts: list[str], seconds: float) -> dict[str, Any]:
        """What `report/test.json` holds."""
        result = metrics.accuracy(labels, texts)
        return {
            "samples": result.pictures,
            "picture_accuracy": result.picture,
            "picture_accuracy_interval": metrics.interval(result.picture, result.pictures),
            "character_accuracy": result.character,
            "seconds": seconds,
            "characters": metrics.character_accuracies(labels, texts),
            "confusions": [
                {"label": label, "read": read, "count": count}
                for label, read, count in metrics.confusions(labels, texts)
            ],
        }

    def report(self, figures: dict[str, Any]) -> None:
        """Print the summary and write `report/test.json`."""
        low, high = (100 * share for share in figures["picture_accuracy_interval"])
        accuracy = round(100 * figures["picture_accuracy"], 2)
        seconds, samples = figures["seconds"], figures["samples"]
        print(f"It takes {seconds} seconds to identify {samples} samples, with an accuracy rate of {accuracy}%")
        print(f"95% interval of the picture accuracy: {low:.2f}% to {high:.2f}%")
        print(f"Character accuracy: {figures['character_accuracy']:.2%}")
        path = self.config.model_save_dir / "report" / "test.json"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, json.dumps(figures, indent=2, ensure_ascii=False).encode())
        print(f"The report is in {display_path(path)}")

    def draw(self, misread: list[Misread]) -> None:
        """Draw what was misread into `report/`; without any, remove the pictures of an earlier test."""
        folder = self.config.model_save_dir / "report"
        sheet, matrix = folder / "misread.png", folder / "confusion.png"
        if not misread:
            sheet.unlink(missing_ok=True)
            matrix.unlink(missing_ok=True)
            return
        from cnnlib.evaluation import plots  # matplotlib takes a second to import

        worst = sorted(misread, key=lambda one: -one.reading.confidence)[:SHOWN]
        captions = [
            f"{one.label}\n→ {one.reading.text or metrics.NOTHING} {one.reading.confidence:.0%}" for one in worst
        ]
        plots.draw_sheet(sheet, [read_picture(one.path) for one in worst], captions)
        counts = metrics.confusions([one.label for one in misread], [one.reading.text for one in misread])
        plots.draw_confusions(matrix, counts[:SHOWN])
        print(f"Misread pictures: {display_path(sheet)}, confusions: {display_path(matrix)}")


def read(recognizer: Recognizer, path: Path) -> Reading:
    """The reading of a test picture. Raises SampleError naming it when it can't be used."""
    try:
        return recognizer.recognize_file(path)
    except SampleError as error:
        raise SampleError(f"{error}; let verify_and_split_data.py fill the test folder") from error


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--all", action="store_true", help="print every reading, not the misread ones alone")
    parser.add_argument("--no-pictures", action="store_true", help="no misread.png and confusion.png; older ones go")
    arguments = parser.parse_args(argv)
    TestBatch(load_sample_config(arguments.config)).test_batch(arguments.all, not arguments.no_pictures)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
