"""Copy what reading with a model, and starting from it, needs; what only training on needs is left behind.

examples:
  python tools/ship_model.py model/ path/to/shipped/
"""

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.config import display_path
from cnnlib.errors import ModelError
from cnnlib.model_card import READING, has_file, load_model, save_model
from cnnlib.script import DONE, script

SHIPPED = {"weights": ".npz", READING: ".tflite"}


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder of a trained model")
    parser.add_argument("target", type=Path, help="folder that the copy goes into")
    arguments = parser.parse_args(argv)
    if arguments.source.resolve() == arguments.target.resolve():
        raise ModelError(f"{display_path(arguments.target)}: expected another folder than the model's own")
    if has_file(arguments.target, "checkpoint"):
        raise ModelError(f"{display_path(arguments.target)}: a model that can be trained on is there; it stays")
    loaded = {kind: load_model(arguments.source, kind) for kind in SHIPPED}
    cards = [card for card, _ in loaded.values()]
    if cards[0] != cards[-1]:
        raise ModelError(f"{display_path(arguments.source)}: a training saved meanwhile; try again")
    card = cards[0]
    kinds = {"weights": "weights", READING: card.reads}
    contents = {kinds[kind]: (suffix, loaded[kind][1]) for kind, suffix in SHIPPED.items()}
    save_model(arguments.target, card, contents)
    size = sum(len(content) for _, content in contents.values())
    print(f"{size / 1e6:.1f} MB are in {display_path(arguments.target)}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
