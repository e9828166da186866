"""Collect the characters of the labelled pictures into labels.json, for alphabets that are tedious to type.

It takes them from the file names in origin_image_dir, new_image_dir, train_image_dir and test_image_dir. A config with
"use_labels_json_file": true takes its alphabet from labels.json. With "ignore_case": true, letters are collected in
lower case.

examples:
  python gen_image/collect_labels.py
  python gen_image/collect_labels.py conf/my_config.json
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, argument_parser, script
from cnnlib.codec.alphabet import Alphabet
from cnnlib.config import SampleConfig, load_sample_config, save_labels
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data.folders import scan_labels


def parser() -> ArgumentParser:
    return argument_parser(__doc__)


@script
def main(argv: Sequence[str] | None = None) -> int:
    config = load_sample_config(parser().parse_args(argv).config, with_labels=False)
    characters = collect(config)
    save_labels(config.labels_json_file, Alphabet(characters))
    print(f"{len(characters)} characters are in {display_path(config.labels_json_file)}")
    return DONE


def collect(config: SampleConfig) -> tuple[str, ...]:
    """The characters of all labels in the sample folders, sorted by code point.

    Raises SampleError when there are fewer than two.
    """
    folders = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    labels = (config.label(label) for folder in folders for label in scan_labels(folder, config.image_suffix))
    with progress_bar(labels, unit=" names", leave=False) as counted:
        characters = sorted({character for label in counted for character in label})
    if len(characters) < 2:
        shown = ", ".join(map(display_path, folders))
        raise SampleError(f"{shown}: expected labels with 2 or more different characters; got {len(characters)}")
    return tuple(characters)


if __name__ == "__main__":
    sys.exit(main())
