"""Copy a model without what only training needs: the rest is enough to read with it and to start from it.

examples:
  python tools/ship_model.py model/ path/to/shipped/
  python tools/ship_model.py model/ path/to/shipped/ --reads quantised
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, plain_parser, script
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.inference.model_card import READING, has_file, held, load_model, save_model

EXPORTS = ("float32", "quantised")


def parser() -> ArgumentParser:
    parser = plain_parser(__doc__)
    parser.add_argument("source", type=Path, help="folder of a trained model")
    parser.add_argument("target", type=Path, help="folder for the copy")
    parser.add_argument("--reads", choices=EXPORTS, help="file to read with (default: as the model does)")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.source.resolve() == arguments.target.resolve():
        raise ModelError(f"{display_path(arguments.target)}: expected another folder than the model's own")
    card, weights = load_model(arguments.source, "weights")
    same, litert = load_model(arguments.source, arguments.reads or READING)
    if card != same:
        raise ModelError(f"{display_path(arguments.source)}: a training saved meanwhile; try again")
    card = card.model_copy(update={"reads": arguments.reads or card.reads})
    contents = {"weights": (".npz", weights), card.reads: (".tflite", litert)}
    with held(arguments.target):
        if has_file(arguments.target, "checkpoint"):
            raise ModelError(f"{display_path(arguments.target)}: it holds a model that can be trained on, which stays")
        save_model(arguments.target, card, contents)
    size = sum(len(content) for _, content in contents.values())
    print(f"{size / 1e6:.1f} MB are in {display_path(arguments.target)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
