"""Read local pictures through the recognition API, and save each under its prediction into local_image_dir.

With --offline no server is needed: the model is loaded here, and no picture is saved.

examples:
  python recognize_local.py
  python recognize_local.py captcha.png other.png
  python recognize_local.py sample/test/ --count 10
  python recognize_local.py sample/test/ --offline --csv readings.csv
  python recognize_local.py my_pictures/ --offline --alike
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, REQUESTS_FAILED, add_list_argument, argument_parser, script, web_address, whole_number
from cnnlib.client.api_client import API_URL, Client
from cnnlib.codec.filenames import has_suffix, label_of, plain_suffix
from cnnlib.codec.images import decode_picture, is_address, read_picture
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core import tables
from cnnlib.core.errors import CaptchaError, SampleError, UnreachableError
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.core.printable import excerpt, printable
from cnnlib.core.tables import open_table
from cnnlib.data.folders import OR_NAMED, first_test_picture, list_entries, not_saved, pictures_at, save_picture
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.guessed_hints import FEWEST
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.inference.recognizer import Recognizer

GUESSED_FROM = 500  # pictures, at most
HEADER = ("picture", "reading", "confidence")


@dataclass(frozen=True)
class Outcome:
    """A line about a picture, with its prediction, None when it could not be read."""

    path: Path
    line: str
    text: str | None = None
    confidence: float | None = None


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__, place=False)
    text = "picture or folder; its sub-folders are not read (default: the first picture of test_image_dir)"
    add_list_argument(parser, "image", "PICTURE", text, Path)
    parser.add_argument("--url", type=web_address, default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--count", type=whole_number, help="at most this many pictures of a folder")
    parser.add_argument("--offline", action="store_true", help="read without a server; save no pictures")
    text = "with --offline: all are of one site; read only in characters and lengths that occur often"
    parser.add_argument("--alike", action="store_true", help=text)
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write picture, prediction and confidence here")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.alike and not arguments.offline:
        parser().error("--alike needs --offline: a server reads each picture by itself")
    config = load_sample_config(arguments.config)
    if arguments.csv and not arguments.csv.parent.is_dir():
        raise SampleError(f"{arguments.csv}: expected a file in an existing folder; the folder is missing")
    images = arguments.image or [first_test_picture(config.test_image_dir, config.image_suffix, OR_NAMED)]
    paths = [path for image in images for path in pictures_of(image)][: arguments.count]
    here = arguments.offline
    outcomes = read_here(config, paths, arguments.alike) if here else read_there(config, paths, arguments.url)
    failed = 0
    with ExitStack() as stack:
        write = None
        for outcome in outcomes:
            print(printable(outcome.line), file=sys.stderr if outcome.text is None else sys.stdout)
            failed += outcome.text is None
            if arguments.csv and outcome.text is not None:
                write = write or stack.enter_context(open_table(arguments.csv, HEADER))  # not before there is a row
                write(row(outcome))
    for line in filter(None, map(unread_folders, arguments.image)):
        print(line, file=sys.stderr)
    return REQUESTS_FAILED if failed else DONE


def pictures_of(image: Path) -> list[Path]:
    """The picture, or those of a folder. Raises SampleError when there is none, or it is an address."""
    if is_address(str(image).encode(errors="replace")):
        way_out = "fetch it first, or write it as remote_url into a config for recognize_online.py"
        raise SampleError(f"{image}: expected a picture or a folder; got an address; {way_out}")
    try:
        return pictures_at(image)
    except SampleError as error:
        unread = unread_folders(image)
        raise SampleError(f"{error}; {unread.partition(': ')[2]}" if unread else str(error)) from error


def unread_folders(image: Path) -> str:
    """A sentence about the sub-folders of a folder, if it has any."""
    folders = [entry for entry in list_entries(image) if entry.is_dir()] if image.is_dir() else []
    if not folders:
        return ""
    named = f"{display_path(folders[0])}" + (f" and {len(folders) - 1} more" if len(folders) > 1 else "")
    return f"{display_path(image)}: sub-folders are not read: {named}; name them to read their pictures too"


def row(outcome: Outcome) -> tuple[object, ...]:
    """A prediction as the table has it."""
    confidence = "" if outcome.confidence is None else tables.number(outcome.confidence, 6)
    return outcome.path.as_posix(), outcome.text, confidence


def read_here(config: SampleConfig, paths: Sequence[Path], alike: bool) -> Iterable[Outcome]:
    """The model's predictions, in the order of the pictures. `alike`: what many readings say counts for all.

    Raises ModelError when no model fits the config.
    """
    recognizer = Recognizer(config.model_save_dir, requirements=requirements_of(config))
    hints = guessed(recognizer, paths) if alike else NO_HINTS

    def read(path: Path) -> Outcome:
        try:
            prediction = recognizer.recognize(path, hints)
        except SampleError as error:
            return Outcome(path, str(error))
        line = f"{describe(path)}prediction: {prediction.text}, confidence: {prediction.confidence:.1%}"
        return Outcome(path, line, prediction.text, prediction.confidence)

    return on_all_cores(read, paths)


def guessed(recognizer: Recognizer, paths: Sequence[Path]) -> Hints:
    """What readings of the pictures, or of some from all parts of a long list, say about all. Says it, too."""
    hints = recognizer.guess_hints(paths[:: -(-len(paths) // GUESSED_FROM)])
    if hints == NO_HINTS:
        line = f"--alike: too few pictures were read to say what they have in common; it takes {FEWEST}"
    else:
        fewest, most = hints.min_captcha, hints.max_captcha
        lengths = f"{fewest} to {most}" if fewest != most else f"{most}"
        line = f"Read as {lengths} of the characters {excerpt(hints.char_set, 100)}"
    print(printable(line), file=sys.stderr)
    return hints


def read_there(config: SampleConfig, paths: Sequence[Path], url: str) -> Iterable[Outcome]:
    """The API's answers; each picture is then saved under its prediction."""
    client = Client()
    for number, path in enumerate(paths, 1):
        try:
            data = read_picture(path)
            suffix = suffix_for(path, plain_suffix(str(decode_picture(data).format)))
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
            save_picture(config.local_image_dir, answer.value, suffix, data)
        except (OSError, UnicodeError) as error:  # UnicodeError: the file system's encoding lacks a character
            yield Outcome(path, f"{display_path(path)}: {not_saved(error)}")


def suffix_for(path: Path, picture_format: str) -> str:
    """The suffix to save a picture under: its own as it is spelled, such as jpeg, where that says the format."""
    return path.suffix[1:] if has_suffix(path, picture_format) else picture_format


def describe(path: Path) -> str:
    """The picture, and its label if the name holds one."""
    try:
        return f"{display_path(path)}: label: {label_of(path.name)}, "
    except SampleError:
        return f"{display_path(path)}: "


if __name__ == "__main__":
    sys.exit(main())
