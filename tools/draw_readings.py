"""Draw the first test pictures with their predictions: the picture at the top of the README.

examples:
  python tools/draw_readings.py --config conf/demo_sample_config.json
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, argument_parser, script, whole_number
from cnnlib.codec.filenames import label_of
from cnnlib.config import load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.evaluation.plots import draw_sheet
from cnnlib.inference.recognizer import Recognizer

PICTURE = PROJECT_ROOT / "docs" / "readings.png"


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE, metavar="PNG", help="file (default: docs/readings.png)")
    parser.add_argument("--count", type=whole_number, default=12, help="pictures to show (default: %(default)s)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config)
    paths = list_entries(config.test_image_dir)[: arguments.count]
    data = [path.read_bytes() for path in paths]
    predictions = Recognizer(config.model_save_dir).recognize(data)
    right = [prediction.text == label_of(path.name) for path, prediction in zip(paths, predictions, strict=True)]
    captions = [f"{prediction.text}  {prediction.confidence:.0%}" for prediction in predictions]
    draw_sheet(arguments.output, data, captions, right)
    return DONE


if __name__ == "__main__":
    sys.exit(main())
