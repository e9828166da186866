"""Read local pictures through the recognition API, and save each under its reading into local_image_dir.

With --offline no server is needed: the model reads here, on all cores, and no picture is saved.

examples:
  python recognize_local.py
  python recognize_local.py --image captcha.png
  python recognize_local.py --image sample/test/ --count 10 --url http://127.0.0.1:6000/b
  python recognize_local.py --image sample/test/ --offline --csv readings.csv
"""

import csv
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cnnlib.cli import DONE, REQUESTS_FAILED, argument_parser, script, web_address, whole_number
from cnnlib.client.api_client import API_URL, Client
from cnnlib.codec.filenames import label_of, save_picture
from cnnlib.codec.images import read_picture
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import CaptchaError, SampleError, UnreachableError
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.data.folders import first_test_picture, pictures_at
from cnnlib.inference.compatibility import wanted_of
from cnnlib.inference.recognizer import Recognizer

HEADER = ("picture", "reading", "confidence")


@dataclass(frozen=True)
class Outcome:
    """What came of a picture: a line about it, and its reading, None where there is none."""

    path: Path
    line: str
    text: str | None = None
    confidence: float | None = None


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", type=web_address, default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--image", type=Path, help="picture or folder (default: the first picture of test_image_dir)")
    parser.add_argument("--count", type=whole_number, help="at most this many pictures of a folder")
    parser.add_argument("--offline", action="store_true", help="read without a server, on all cores; save no picture")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write picture, reading and confidence here")
    arguments = parser.parse_args(argv)
    config = load_sample_config(arguments.config)
    if arguments.csv and not arguments.csv.parent.is_dir():
        raise SampleError(f"{arguments.csv}: expected a file in a folder that is there; there is no such folder")
    paths = pictures_at(arguments.image or first_test_picture(config))[: arguments.count]
    read = read_here(config, paths) if arguments.offline else read_there(config, paths, arguments.url)
    failed = 0
    with ExitStack() as stack:
        table = None
        for outcome in read:
            print(outcome.line, file=sys.stderr if outcome.text is None else sys.stdout)
            failed += outcome.text is None
            if arguments.csv and outcome.text is not None:
                table = table or stack.enter_context(Table(arguments.csv))  # now that there is something to write
                table.add(outcome)
    return REQUESTS_FAILED if failed else DONE


class Table(ExitStack):
    """A CSV file of readings, under a header. A name that is no UTF-8 is written with its bytes in hexadecimals."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        file = self.enter_context(path.open("w", newline="", encoding="utf-8", errors="backslashreplace"))
        self._writer = csv.writer(file)
        self._writer.writerow(HEADER)

    def add(self, outcome: Outcome) -> None:
        confidence = "" if outcome.confidence is None else f"{outcome.confidence:.6f}"
        self._writer.writerow((outcome.path.as_posix(), outcome.text, confidence))


def read_here(config: SampleConfig, paths: Sequence[Path]) -> Iterable[Outcome]:
    """What the model reads, in the order of the pictures. Raises ModelError when there is none that fits."""
    recognizer = Recognizer(config.model_save_dir, wanted=wanted_of(config))

    def read(path: Path) -> Outcome:
        try:
            reading = recognizer.recognize_file(path)
        except SampleError as error:
            return Outcome(path, str(error))
        line = f"{describe(path)}prediction: {reading.text}, confidence: {reading.confidence:.1%}"
        return Outcome(path, line, reading.text, reading.confidence)

    return on_all_cores(read, paths)


def read_there(config: SampleConfig, paths: Sequence[Path], url: str) -> Iterable[Outcome]:
    """What the API answers, each picture then saved under its reading."""
    client = Client()
    for number, path in enumerate(paths, 1):
        try:
            data = read_picture(path)
            answer = client.recognize(url, data, path.name)
        except UnreachableError as error:
            left = f"; {len(paths) - number} more were not sent" if number < len(paths) else ""
            yield Outcome(path, f"{display_path(path)}: {error}{left}")
            return
        except CaptchaError as error:
            yield Outcome(path, f"{display_path(path)}: {error}")
            continue
        yield Outcome(path, describe(path) + answer.summary, answer.value, answer.confidence)
        try:
            save_picture(config.local_image_dir, answer.value, path.suffix[1:] or config.image_suffix, data)
        except OSError as error:
            yield Outcome(path, f"{display_path(path)}: not saved in {error.filename}: {error.strerror}")


def describe(path: Path) -> str:
    """The picture, and its label where the name holds one."""
    try:
        return f"{display_path(path)}: label: {label_of(path.name)}, "
    except SampleError:
        return f"{display_path(path)}: "


if __name__ == "__main__":
    sys.exit(main())
