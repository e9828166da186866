"""Read local pictures through the recognition API, and save each under its reading into local_image_dir.

With --offline no server is needed: the model reads here, on all cores, and nothing is saved.

examples:
  python recognize_local.py
  python recognize_local.py --image captcha.png
  python recognize_local.py --image sample/test/ --count 10 --url http://127.0.0.1:6000/b
  python recognize_local.py --image sample/test/ --offline --csv readings.csv
"""

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from cnnlib.client import API_URL, Client
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.errors import CaptchaError, SampleError, UnreachableError
from cnnlib.fit import wanted_of
from cnnlib.folders import first_test_picture, pictures_at
from cnnlib.parallel import on_all_cores
from cnnlib.paths import display_path
from cnnlib.pictures import label_of, read_picture, save_picture
from cnnlib.recognizer import Recognizer
from cnnlib.script import DONE, REQUESTS_FAILED, argument_parser, script, web_address, whole_number

HEADER = ("picture", "reading", "confidence")
Outcome = tuple[Path, str, float | None, str]  # picture, reading, confidence, a line about it


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
    paths = pictures_at(arguments.image or first_test_picture(config))[: arguments.count]
    read = read_here(config, paths) if arguments.offline else read_there(config, paths, arguments.url)
    failed = 0
    with ExitStack() as stack:
        writer = None
        if arguments.csv:
            # A name that is no UTF-8 is written with its bytes in place of what can't be shown.
            table = arguments.csv.open("w", newline="", encoding="utf-8", errors="backslashreplace")
            writer = csv.writer(stack.enter_context(table))
            writer.writerow(HEADER)
        for outcome in read:
            if isinstance(outcome, str):
                print(outcome, file=sys.stderr)
                failed += 1
                continue
            path, text, confidence, line = outcome
            print(line)
            if writer:
                writer.writerow((display_path(path), text, "" if confidence is None else f"{confidence:.6f}"))
    return REQUESTS_FAILED if failed else DONE


def read_here(config: SampleConfig, paths: Sequence[Path]) -> Iterator[Outcome | str]:
    """What the model reads, in the order of the pictures; a text about one that can't be read."""
    recognizer = Recognizer(config.model_save_dir, wanted=wanted_of(config))

    def read(path: Path) -> Outcome | str:
        try:
            reading = recognizer.recognize_file(path)
        except SampleError as error:
            return str(error)
        line = f"{describe(path)}prediction: {reading.text}, confidence: {reading.confidence:.1%}"
        return path, reading.text, reading.confidence, line

    yield from on_all_cores(read, paths)


def read_there(config: SampleConfig, paths: Sequence[Path], url: str) -> Iterator[Outcome | str]:
    """What the API answers, each picture then saved under its reading; a text about one that failed."""
    client = Client()
    for number, path in enumerate(paths, 1):
        try:
            data = read_picture(path)
            answer = client.recognize(url, data, path.name)
        except CaptchaError as error:
            yield f"{display_path(path)}: {error}"
            if isinstance(error, UnreachableError):
                if number < len(paths):
                    yield f"{len(paths) - number} more pictures were not sent"
                return
            continue
        save_picture(config.local_image_dir, answer.value, path.suffix[1:] or config.image_suffix, data)
        yield path, answer.value, answer.confidence, describe(path) + answer.summary


def describe(path: Path) -> str:
    """The picture, and its label where the name holds one."""
    try:
        return f"{display_path(path)}: label: {label_of(path.name)}, "
    except SampleError:
        return f"{display_path(path)}: "


if __name__ == "__main__":
    sys.exit(main())
