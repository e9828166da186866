"""Collect the characters of the labelled pictures into labels.json, for alphabets that are tedious to type.

It takes them from the file names in origin_image_dir, new_image_dir, train_image_dir and test_image_dir. A config with
"use_labels_json_file": true takes its alphabet from labels.json. With "ignore_case": true, letters are collected in
lower case.

Labels that are likely wrong are listed, and nothing is collected from them: what is in the alphabet is in no doubt
later. Those of pictures in train_image_dir and test_image_dir were verified before.

examples:
  python gen_image/collect_labels.py
  python gen_image/collect_labels.py conf/my_config.json
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # found however the script is started

from cnnlib.cli import DONE, argument_parser, script
from cnnlib.codec.alphabet import Alphabet
from cnnlib.config import SampleConfig, load_sample_config, save_labels
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data.folders import scan_labels
from cnnlib.data.listing import list_abnormal, stems
from cnnlib.data.reporting import show_ways_out
from cnnlib.data.samples import Sample, doubt_looks, named_samples

PROGRESS = partial(progress_bar, unit=" names", leave=False)


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    parser.add_argument("--accept-labels", action="store_true", help="collect from labels that are likely wrong too")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config, with_labels=False)
    characters = collect(config, arguments.accept_labels)
    save_labels(config.labels_json_file, Alphabet(characters))
    print(f"{len(characters)} characters are in {display_path(config.labels_json_file)}")
    return DONE


def collect(config: SampleConfig, accept_labels: bool = False) -> tuple[str, ...]:
    """The characters of all labels in the sample folders, sorted by code point. Labels in doubt are printed instead.

    Raises SampleError when there are fewer than two.
    """
    sets = (config.train_image_dir, config.test_image_dir)
    moved = [config.label(label) for folder in sets for label in scan_labels(folder, config.image_suffix)]
    characters = set("".join(moved))
    samples = [sample for folder in config.dirs_to_split for sample in named_samples(folder, config, PROGRESS)]
    if not accept_labels:
        accepted = "".join(sorted(characters)) if config.has_looks else ""  # rare in a look, they are no slips
        samples = doubt_looks(samples, moved, config, accepted, opened=False)
        show_doubtful([sample for sample in samples if sample.doubt], config)
    characters |= {character for sample in samples if not sample.doubt for character in str(sample.label)}
    if len(characters) < 2:
        shown = ", ".join(map(display_path, (*config.dirs_to_split, *sets)))
        raise SampleError(f"{shown}: expected labels with 2 or more different characters; got {len(characters)}")
    return tuple(sorted(characters))


def show_doubtful(samples: Sequence[Sample], config: SampleConfig) -> None:
    """Print which labels are likely wrong, those of each folder under its name, and what to do."""
    for folder, stem in zip(config.dirs_to_split, stems(config.dirs_to_split), strict=True):
        own = [sample for sample in samples if sample.folder == folder]
        if own:
            print(f"{display_path(folder)}: nothing is collected from these labels:")
            print(*list_abnormal(own, config.log_dir / f"doubtful_{stem}.txt"), sep="\n")
    show_ways_out(samples, config)


if __name__ == "__main__":
    sys.exit(main())
