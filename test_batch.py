"""Read every picture of test_image_dir once with the trained model; print the misread ones and the accuracy.

The report goes into report/ in model_save_dir. index.html is a page with everything, for a browser. test.json holds the
figures, misread.png the pictures that were misread with the highest confidence, confusion.png the confused characters.

examples:
  python test_batch.py
  python test_batch.py --all
  python test_batch.py conf/my_config.json
"""

import json
import sys
import time
from argparse import ArgumentParser
from array import array
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, overload

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, allow_any_character, argument_parser, script
from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.characters import fold_case
from cnnlib.codec.images import read_picture
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.files import optional_output, write_atomically
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data.folders import first_test_picture, list_labelled
from cnnlib.data.listing import check_unusable, list_skipped
from cnnlib.evaluation import calibration, metrics
from cnnlib.evaluation.diagnosis import MISREAD_LIMIT, LabelledReading, surest_misread
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.model_card import load_card
from cnnlib.inference.recognizer import Recognizer
from cnnlib.original_calls import testing_config
from cnnlib.report.page import PAGE, TestResult, write_page
from cnnlib.report.training_record import load_record

THRESHOLDS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99)  # confidences whose answers are counted
DRAWN = MISREAD_LIMIT  # misread pictures, and confusions, at most


@dataclass(frozen=True)
class Misread(LabelledReading):
    """A test picture whose prediction is not its label."""

    @property
    def caption(self) -> str:
        """What stands below the picture in misread.png."""
        return f"{self.label}\n→ {self.prediction.text or metrics.NO_CHARACTER} {self.prediction.confidence:.0%}"


@dataclass
class Readings:
    """Labels of the test pictures, texts and confidences that were read, and why other pictures are left out, by name.

    Of those misread no more than `DRAWN` are kept, the surest first.
    """

    labels: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    confidences: MutableSequence[float] = field(default_factory=lambda: array("d"))
    skipped: dict[str, str] = field(default_factory=dict)
    worst: list[Misread] = field(default_factory=list)


class TestBatch:
    """The batch test from Python: `TestBatch(load_sample_config()).test_batch()`.

    The arguments of the original suite work too. Raises TypeError for others, and CaptchaError when they can't be used.
    """

    __test__ = False  # not a test of pytest's

    @overload
    def __init__(self, config: SampleConfig) -> None: ...

    @overload
    def __init__(
        self, img_path: str | Path, char_set: str | Iterable[str], model_save_dir: str | Path, total: int = 0
    ) -> None: ...

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.config = testing_config(arguments, named)

    def test_batch(self, show_all: bool = False, pictures: bool = True) -> dict[str, Any]:
        """Read the test folder, print and write the figures, and return them: accuracies are shares, 0 to 1.

        `pictures` says whether misread.png and confusion.png are drawn. The page is written in any case.
        Pictures that can't be used are named and left out.
        Raises ModelError without a model that fits the config, SampleError when more than 1% can't be used, or the only
        one.
        """
        allow_any_character()
        first_test_picture(self.config.test_image_dir, self.config.image_suffix)  # raises for an empty folder
        samples = list_labelled(self.config.test_image_dir, self.config.image_suffix)
        if self.config.ignore_case:
            samples = [(name, fold_case(label)) for name, label in samples]
        recognizer = Recognizer(self.config.model_save_dir, requirements=requirements_of(self.config))
        start = time.perf_counter()
        result = self.read(recognizer, samples)
        seconds = time.perf_counter() - start
        check_unusable(self.config.test_image_dir, len(samples), result.skipped, self.config.log_dir, least=1)
        for label, text in zip(result.labels, result.texts, strict=True):
            if show_all or label != text:
                print(f"origin: {label} prediction: {text}")
        figures = self.figures(result.labels, result.texts, seconds)
        figures |= reach_figures(result, recognizer) | {"skipped": result.skipped}
        figures |= calibration_figures(result.labels, result.texts, result.confidences)
        self.report(figures)
        self.draw(result.worst if pictures else [], figures)
        self.write_page(figures, result.worst)
        return figures

    def read(self, recognizer: Recognizer, samples: Sequence[tuple[str, str]]) -> Readings:
        """How the pictures are read, of which `samples` are names and labels."""
        folder, result = self.config.test_image_dir, Readings()
        predictions = on_all_cores(partial(read, recognizer), (folder / name for name, _ in samples))

        def readings() -> Iterator[Misread]:
            counted = progress_bar(predictions, total=len(samples), unit=" pictures", leave=False)
            for (name, label), prediction in zip(samples, counted, strict=True):
                if isinstance(prediction, str):
                    result.skipped[name] = prediction
                    continue
                is_right = prediction.text == label
                result.labels.append(label)
                result.texts.append(label if is_right else prediction.text)
                result.confidences.append(prediction.confidence)
                yield Misread(folder / name, label, prediction)

        result.worst = surest_misread(readings(), DRAWN)
        return result

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
        for line in (*reach_lines(figures), *skipped_lines(figures["skipped"], self.config)):
            print(line)
        print(*calibration_lines(figures), sep="\n")
        path = self.config.model_save_dir / "report" / "test.json"
        with optional_output(path):
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, json.dumps(figures, indent=2, ensure_ascii=False).encode())
            print(f"The report is in {display_path(path)}")

    def draw(self, worst: list[Misread], figures: dict[str, Any]) -> None:
        """Draw misread pictures and the confusions into `report/`; without any, remove those of an earlier test."""
        folder = self.config.model_save_dir / "report"
        sheet, matrix = folder / "misread.png", folder / "confusion.png"
        for path in (sheet, matrix):  # those of an earlier test would mislead where the new ones can't be written
            with optional_output(path):
                path.unlink(missing_ok=True)
        if not worst:
            return
        with optional_output(sheet):
            self.draw_misread(sheet, worst)
        with optional_output(matrix):
            self.draw_confusions(matrix, figures)
        drawn = {"Misread pictures": sheet, "confusions": matrix}
        lines = [f"{name}: {display_path(path)}" for name, path in drawn.items() if path.exists()]
        print(*lines, sep=", ", end="\n" if lines else "")

    def write_page(self, figures: dict[str, Any], worst: list[Misread]) -> None:
        """Write the page of the model, with what its training found, and say where it is."""
        folder = self.config.model_save_dir / "report"
        with optional_output(folder / PAGE):
            step = load_card(self.config.model_save_dir).step
            record = load_record(folder, step, self.config.train_image_dir)
            page = write_page(self.config, record, TestResult(figures, worst))
            print(f"The page of the model: {display_path(page)}")

    def draw_misread(self, sheet: Path, worst: list[Misread]) -> None:
        """Draw the pictures that were misread with the highest confidence."""
        from cnnlib.evaluation import plots  # matplotlib takes a second to import

        plots.draw_sheet(sheet, [read_picture(each.path) for each in worst], [each.caption for each in worst])

    def draw_confusions(self, chart: Path, figures: dict[str, Any]) -> None:
        """Draw which characters were read as which others."""
        from cnnlib.evaluation import plots

        counts = [(each["label"], each["read"], each["count"]) for each in figures["confusions"][:DRAWN]]
        plots.draw_confusions(chart, counts)


def calibration_figures(labels: Sequence[str], texts: Sequence[str], confidences: Sequence[float]) -> dict[str, Any]:
    """What `report/test.json` holds about confidences."""
    right = [label == text for label, text in zip(labels, texts, strict=True)]
    found = calibration.thresholds(confidences, right)
    return {
        "calibration_error": calibration.calibration_error(confidences, right),
        "answered": [vars(calibration.answered(confidences, right, threshold)) for threshold in THRESHOLDS],
        "promises": {
            promise: vars(calibration.answered(confidences, right, threshold)) for promise, threshold in found.items()
        },
    }


def reach_figures(result: Readings, recognizer: Recognizer) -> dict[str, Any]:
    """What `report/test.json` holds about labels that can't be read, for they have other characters or lengths."""
    fewest, most = recognizer.lengths
    characters = set(recognizer.characters)
    right = [
        label == text
        for label, text in zip(result.labels, result.texts, strict=True)
        if fewest <= len(label) <= most and characters.issuperset(label)
    ]
    return {
        "unreadable_labels": len(result.labels) - len(right),
        "readable_picture_accuracy": sum(right) / len(right) if right else None,
    }


def reach_lines(figures: dict[str, Any]) -> Iterator[str]:
    """What is printed about labels that can't be read, if there are any."""
    count, share = figures["unreadable_labels"], figures["readable_picture_accuracy"]
    if count:
        without = "" if share is None else f"; without them the accuracy rate is {round(100 * share, 2)}%"
        yield (
            f"{count} of {figures['samples']} labels have characters or lengths that this config does not read, "
            f"and count as misread{without}"
        )


def skipped_lines(skipped: dict[str, str], config: SampleConfig) -> Iterator[str]:
    """What is printed about pictures that can't be used, if there are any."""
    if skipped:
        yield from list_skipped([*skipped.items()], config.log_dir / f"unusable_{config.test_image_dir.name}.txt")
        count, folder = len(skipped), display_path(config.test_image_dir)
        counted = "1 picture can't be used and does" if count == 1 else f"{count} pictures can't be used and do"
        yield f"{counted} not count: move {'it' if count == 1 else 'them'} out of {folder}"


def calibration_lines(figures: dict[str, Any]) -> Iterator[str]:
    """What is printed about confidences."""
    yield f"Expected calibration error: {figures['calibration_error']:.2%}"
    yield "confidence  answered     right"
    for row in figures["answered"]:
        right = f"{row['right']:.2%}" if row["answered"] else "-"
        yield f"{row['threshold']:10.2f}{row['answered']:10.2%}{right:>10}"
    for promise, share in calibration.PROMISES.items():
        row = figures["promises"].get(promise)
        if row:
            yield f"{promise} are right from confidence {row['threshold']:.4f} on, which {row['answered']:.2%} have"
        else:
            needed = calibration.texts_needed(share)
            yield f"{promise} can't be promised from any confidence on: that takes {needed} right readings, or more"


def read(recognizer: Recognizer, path: Path) -> Prediction | str:
    """The prediction for a test picture, or why it can't be used."""
    try:
        return recognizer.recognize_file(path)
    except SampleError as error:
        return str(error).removeprefix(f"{display_path(path)}: ")


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    parser.add_argument("--all", action="store_true", help="print every prediction, not only the misread ones")
    parser.add_argument("--no-pictures", action="store_true", help="draw nothing; remove older pictures")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    TestBatch(load_sample_config(arguments.config)).test_batch(arguments.all, not arguments.no_pictures)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
