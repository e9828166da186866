"""Read local pictures through the recognition API, and save each under its reading into local_image_dir.

examples:
  python recognize_local.py
  python recognize_local.py --image captcha.png
  python recognize_local.py --image sample/test/ --count 10 --url http://127.0.0.1:6000/b
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from cnnlib.client import API_URL, Answer, Client
from cnnlib.config import display_path, load_sample_config
from cnnlib.errors import SampleError, ServiceError
from cnnlib.pictures import label_of, read_picture, save_picture
from cnnlib.samples import first_test_picture, pictures_at
from cnnlib.script import DONE, REQUESTS_FAILED, argument_parser, script, whole_number


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--url", default=API_URL, help="the recognition API (default: %(default)s)")
    parser.add_argument("--image", type=Path, help="picture or folder (default: the first picture of test_image_dir)")
    parser.add_argument("--count", type=whole_number, help="at most this many pictures of a folder")
    arguments = parser.parse_args(argv)
    config = load_sample_config(arguments.config)
    client, failed = Client(), 0
    for path in pictures_at(arguments.image or first_test_picture(config))[: arguments.count]:
        data = read_picture(path)
        try:
            answer = client.recognize(arguments.url, data, path.name)
        except ServiceError as error:
            print(f"{display_path(path)}: {error}", file=sys.stderr)
            failed += 1
            if error.status is None:  # nobody there: the next request would fail as well
                break
            continue
        print(describe(path, answer))
        save_picture(config.local_image_dir, answer.value, path.suffix[1:] or config.image_suffix, data)
    return REQUESTS_FAILED if failed else DONE


def describe(path: Path, answer: Answer) -> str:
    """One line: picture, its label where the name holds one, reading and times."""
    try:
        label = f"label: {label_of(path.name)}, "
    except SampleError:
        label = ""
    return f"{display_path(path)}: {label}{answer.summary}"


if __name__ == "__main__":
    sys.exit(main())
