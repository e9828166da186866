"""Verify labelled pictures and split them into training and test pictures, 19:1 of all pictures so far.

Pictures in origin_image_dir and new_image_dir that fit the config move into train_image_dir and test_image_dir.
Abnormal ones stay where they are and are listed with the reason. A picture that is there already, byte for byte and
under the same label, is removed.

examples:
  python verify_and_split_data.py
  python verify_and_split_data.py conf/my_config.json --dry-run
  python verify_and_split_data.py --write-config conf/my_config.json
"""

import json
import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, argument_parser, script
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.core.paths import display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data import config_proposal
from cnnlib.data import verify_and_split as splitting
from cnnlib.data.folders import first_picture, has_suffix, labels_in, locked
from cnnlib.data.verify_and_split import Sample, SetSizes
from cnnlib.inference.compatibility import check_resumable, requirements_of

PROGRESS = partial(progress_bar, unit=" pictures", leave=False)


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="say what would happen; move nothing")
    instead.add_argument(
        "--write-config", type=Path, metavar="PATH", help="write a config that fits the pictures; move nothing"
    )
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config)
    check_moved(config, arguments.config, arguments.write_config)
    moving = not (arguments.dry_run or arguments.write_config)
    targets = (config.train_image_dir, config.test_image_dir)
    sizes = SetSizes(*(len(labels_in(folder, config.image_suffix)) for folder in targets))
    samples: list[Sample] = []
    for folder in (config.origin_image_dir, config.new_image_dir):
        earlier = [sample.path for sample in samples if not (moving or sample.fault)]
        samples += verify_and_split(folder, config, moving, sizes, earlier)
    left = [sample for sample in samples if sample.fault or not moving]
    known = [label for folder in targets for label in labels_in(folder, config.image_suffix)]
    if arguments.write_config:
        proposed = config_proposal.propose(left, known, config, config_proposal.PIXEL_LIMIT)
        if not proposed:
            folders = f"{display_path(config.origin_image_dir)}, {display_path(config.new_image_dir)}"
            raise ConfigError(
                f"{folders}: expected labelled pictures that can be opened; got none; no config is written"
            )
        write_config(arguments.write_config, arguments.config, proposed)
    else:
        proposed = config_proposal.propose(left, known, config)
        show_disagreements(config_proposal.disagreements(proposed, config), config)
        if arguments.dry_run:
            print("Dry run: nothing was moved")
    show_other_suffixes(left, proposed.get("image_suffix", config.image_suffix))
    return DONE


def check_moved(config: SampleConfig, path: Path, target: Path | None) -> None:
    """Raise ConfigError when the training pictures were moved by another config than the one at `path`.

    Also when a config would be written over, at `target`, that they may have been moved by.
    """
    if target and target.is_dir():
        raise ConfigError(f"{display_path(target)}: expected a file to write the config into; this is a folder")
    folder = config.train_image_dir
    first = first_picture(folder, [config.image_suffix]) or first_picture(folder)
    if first:
        config_proposal.check_training_picture(splitting.check_file(first, config), config)
        if target and target.exists() and not target.samefile(path):
            raise ConfigError(
                f"{display_path(target)}: pictures were moved already, maybe by this config, which would start anew "
                f"from {config.name}: name it with --config too, or write another one"
            )


def verify_and_split(
    folder: Path, config: SampleConfig, moving: bool, sizes: SetSizes, earlier: Sequence[Path]
) -> list[Sample]:
    """Check one folder, move what fits, print the original's lines; returns its samples.

    `earlier` are the pictures of the folder before that would have been moved.
    """
    targets = (config.train_image_dir, config.test_image_dir)
    print(f">>> Start verification directory: [{display_path(folder)}]")
    for missing in (each for each in (folder, *targets) if moving and not each.is_dir()):
        print(f"[Warning] The directory {display_path(missing)} cannot be found, it will be created soon")
    print("Start to verify the original picture collection")
    with locked(folder, *targets) if moving else nullcontext():
        checked = splitting.check_folder(folder, config, PROGRESS)
        samples, twins = splitting.separate_duplicates(checked, targets, config.image_suffix, earlier)
        if twins:
            fate = "removed here" if moving else "would be removed here"
            counted = "1 picture is" if len(twins) == 1 else f"{len(twins)} pictures are"
            print(f"{counted} in the sets already or here twice, the same byte for byte: {fate}")
        for twin in twins if moving else ():
            twin.unlink()
        separate(samples, config, moving, sizes)
    return samples


def separate(samples: list[Sample], config: SampleConfig, moving: bool, sizes: SetSizes) -> None:
    """List the abnormal samples, and separate the others into training and test set."""
    abnormal = [(index, sample) for index, sample in enumerate(samples) if sample.fault]
    good = [sample.path for sample in samples if not sample.fault]
    show_abnormal(abnormal, len(samples))
    print("Start to separate the original image set: test set (5%) and training set (95%)")
    test = sizes.draw_test(good, config.split_seed)
    for path in good if moving else ():  # in order: after a run that was cut off, the next draws 5% of the rest
        splitting.move(path, config.test_image_dir if path in test else config.train_image_dir)
    count = len(abnormal)
    kept = "one of which is an anomaly and remains" if count == 1 else f"{count} of which are anomalies and remain"
    print(f"A total of {len(good)} images are allocated to the training set and test set, ", end="")
    print(f"{kept} in the original directory")
    print(f"The number of test sets is: {len(test)}")
    print(f"The number of training sets is: {len(good) - len(test)}")


def show_abnormal(abnormal: list[tuple[int, Sample]], total: int) -> None:
    print(f"Total pictures in the original set: {total}")
    print(f"====The following {len(abnormal)} {'picture is' if len(abnormal) == 1 else 'pictures are'} abnormal====")
    for index, sample in abnormal:
        print(f"[Picture {index}] [{sample.path.name}] [{sample.fault}]")
    if not abnormal:
        print(f"No abnormality found ({total} pictures in total)")
    print("========end")


def show_disagreements(wrong: dict[str, Any], config: SampleConfig) -> None:
    """Print the config lines that would fit the pictures."""
    if wrong:
        print(f"Pictures and {config.name} disagree; these lines would fit the pictures:")
        for key, value in wrong.items():
            print(f'  "{key}": {json.dumps(value, ensure_ascii=False)},')
        print("Change them by hand, or let --write-config PATH write them")


def show_other_suffixes(samples: Sequence[Sample], suffix: str) -> None:
    """How many labelled pictures are left out because of their suffix."""
    others = [sample for sample in samples if sample.label and sample.size and not has_suffix(sample.path, suffix)]
    if others:
        print(f"Pictures of another suffix than {suffix}: {len(others)}, such as {others[0].path.name}; ", end="")
        print("rename them; their format is recognised from their content")


def write_config(path: Path, template: Path, proposed: dict[str, Any]) -> None:
    """Write the template's keys with the proposed values; print what was proposed and what comes next."""
    older = config_proposal.write(path, template, proposed)
    kept = f" (the older one is {older.name})" if older else ""
    shown = ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in proposed.items())
    print(f"Nothing was moved; wrote {display_path(path)}{kept}: {shown}")
    if proposed["resize"]:
        size = f"{proposed['image_width']}x{proposed['image_height']}"
        print(f"Pictures of another size will be resized to {size} pixels for training and reading")
    quoted = subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
    print(f"Move the pictures with: python verify_and_split_data.py --config {quoted}")
    show_older_model(path)


def show_older_model(path: Path) -> None:
    """Print what to do about a model that the config at `path` no longer fits."""
    config = load_sample_config(path)
    try:
        check_resumable(config.model_save_dir, requirements_of(config))
    except ModelError as error:
        print(error)


if __name__ == "__main__":
    sys.exit(main())
