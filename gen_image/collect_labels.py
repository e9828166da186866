"""Collect the characters of the labelled pictures into labels.json, for alphabets that nobody wants to type.

Reads the names in origin_image_dir, new_image_dir, train_image_dir and test_image_dir. With
"use_labels_json_file": true the config takes its alphabet from the file.

examples:
  python gen_image/collect_labels.py
  python gen_image/collect_labels.py --config conf/my_config.json
"""

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, argument_parser, script
from cnnlib.codec.alphabet import Alphabet, save_labels
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.data.folders import labels_in


@script
def main(argv: Sequence[str] | None = None) -> int:
    config = load_sample_config(argument_parser(__doc__).parse_args(argv).config, with_labels=False)
    characters = collect(config)
    save_labels(config.labels_json_file, Alphabet(characters))
    print(f"{len(characters)} characters are in {display_path(config.labels_json_file)}")
    return DONE


def collect(config: SampleConfig) -> tuple[str, ...]:
    """The characters of all labels in the sample folders, sorted by code point.

    Raises SampleError when there are fewer than two.
    """
    folders = (config.origin_image_dir, config.new_image_dir, config.train_image_dir, config.test_image_dir)
    found = sorted(
        {character for folder in folders for label in labels_in(folder, config.image_suffix) for character in label}
    )
    if len(found) < 2:
        shown = ", ".join(map(display_path, folders))
        raise SampleError(f"{shown}: expected labels with 2 or more different characters; got {len(found)}")
    return tuple(found)


if __name__ == "__main__":
    sys.exit(main())
