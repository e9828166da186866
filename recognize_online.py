"""Fetch captchas from remote_url, read them through the recognition API, and save each under its prediction.

The pictures go into online_image_dir. If the source gives the labels (webserver_captcha_image.py --with-label), the
accuracy is printed at the end.

examples:
  python recognize_online.py
  python recognize_online.py conf/my_config.json --count 100
"""

import errno
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, REQUESTS_FAILED, argument_parser, script, web_address, whole_number
from cnnlib.client.api_client import API_URL, Client
from cnnlib.codec.filenames import plain_suffix
from cnnlib.codec.images import decode_picture
from cnnlib.codec.picture_texts import picture_in_answer
from cnnlib.config import load_sample_config
from cnnlib.core.addresses import without_user
from cnnlib.core.errors import CaptchaError, UnreachableError, prefix_errors
from cnnlib.core.printable import printable
from cnnlib.data.folders import not_saved, save_picture
from cnnlib.evaluation.metrics import accuracy


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", type=web_address, default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--count", type=whole_number, default=1, help="captchas to fetch (default: %(default)s)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config)
    client, failed, labelled = Client(), 0, []
    source = without_user(config.remote_url)
    for _ in range(arguments.count):
        try:
            captcha = client.fetch_captcha(config.remote_url)
            with prefix_errors(source):
                data = picture_in_answer(captcha.data)
                suffix = plain_suffix(str(decode_picture(data).format))
            answer = client.recognize(arguments.url, data)
        except CaptchaError as error:
            print(printable(str(error)), file=sys.stderr)
            failed += 1
            if isinstance(error, UnreachableError):
                break
            continue
        label = "" if captcha.label is None else f"label: {captcha.label}, "
        print(printable(f"{source}: {label}{answer.summary}"))
        try:
            save_picture(config.online_image_dir, answer.value, suffix, data)
        except (OSError, UnicodeError) as error:
            if isinstance(error, OSError) and error.errno != errno.ENAMETOOLONG:
                raise  # such as a full disk, on which the next picture would find no room either
            print(not_saved(error), file=sys.stderr)
            failed += 1
        labelled += [] if captcha.label is None else [(config.label(captcha.label), config.label(answer.value))]
    if labelled:
        result = accuracy(*zip(*labelled, strict=True))
        print(f"Picture accuracy of {result.pictures} captchas: {result.picture:.1%}")
    return REQUESTS_FAILED if failed else DONE


if __name__ == "__main__":
    sys.exit(main())
