"""Verify labelled pictures and split them, 19:1 of all that came so far, into training and test pictures.

Pictures in origin_image_dir and new_image_dir that fit the config are moved into train_image_dir and
test_image_dir; abnormal ones stay where they are and are listed with the reason. What is there already, or is put in
twice, byte for byte under the same label, is removed.

examples:
  python verify_and_split_data.py
  python verify_and_split_data.py --dry-run
  python verify_and_split_data.py --write-config conf/my_config.json
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cnnlib.cli import DONE, argument_parser, script
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.core.paths import display_path
from cnnlib.data import config_proposal
from cnnlib.data import verify_and_split as splitting
from cnnlib.data.folders import first_picture, has_suffix, labels_in
from cnnlib.data.verify_and_split import Sample, Sets
from cnnlib.inference.compatibility import check_resumable, wanted_of

PROGRESS = partial(tqdm, unit=" pictures", disable=None, leave=False)


@script
def main(argv: Sequence[str] | None = None) -> int:
    parser = argument_parser(__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="say what would happen and move nothing")
    instead.add_argument(
        "--write-config", type=Path, metavar="PATH", help="write the config that fits the pictures; move nothing"
    )
    arguments = parser.parse_args(argv)
    config = load_sample_config(arguments.config)
    check_moved(config, arguments.config, arguments.write_config)
    moving = not (arguments.dry_run or arguments.write_config)
    targets = (config.train_image_dir, config.test_image_dir)
    sets = Sets(*(len(labels_in(folder, config.image_suffix)) for folder in targets))
    found: list[Sample] = []
    for folder in (config.origin_image_dir, config.new_image_dir):
        earlier = [sample.path for sample in found if not (moving or sample.fault)]
        found += verify_and_split(folder, config, moving, sets, earlier)
    left = [sample for sample in found if sample.fault or not moving]
    known = [label for folder in targets for label in labels_in(folder, config.image_suffix)]
    if arguments.write_config:
        proposed = config_proposal.propose(left, known, config, config_proposal.LARGE_PIXELS)
        if not proposed:
            where = f"{display_path(config.origin_image_dir)}, {display_path(config.new_image_dir)}"
            raise ConfigError(f"{where}: expected labelled pictures that can be opened; found none, wrote no config")
        write_config(arguments.write_config, arguments.config, proposed)
    else:
        proposed = config_proposal.propose(left, known, config)
        show_disagreements(config_proposal.disagreements(proposed, config), config)
        if arguments.dry_run:
            print("Dry run: nothing was moved")
    show_other_suffixes(left, proposed.get("image_suffix", config.image_suffix))
    return DONE


def check_moved(config: SampleConfig, path: Path, target: Path | None) -> None:
    """Raise ConfigError where training pictures, as they look, were moved by another config than that at `path`.

    Also where another one would be written over, at `target`, by which they may have been moved.
    """
    if target and target.is_dir():
        raise ConfigError(f"{display_path(target)}: expected a file to write the config into; this is a folder")
    folder = config.train_image_dir
    first = first_picture(folder, [config.image_suffix]) or first_picture(folder)
    if first:
        config_proposal.check_settled(splitting.check_file(first, config), config)
        if target and target.exists() and not target.samefile(path):
            raise ConfigError(
                f"{display_path(target)}: pictures were moved already, maybe by this config, which would start anew "
                f"from {config.name}: name it with --config too, or write another one"
            )


def verify_and_split(
    folder: Path, config: SampleConfig, moving: bool, sets: Sets, earlier: Sequence[Path]
) -> list[Sample]:
    """Check one folder, move what fits, print the original's lines; returns what was found.

    `earlier` are the pictures that would have been moved before.
    """
    targets = (config.train_image_dir, config.test_image_dir)
    print(f">>> Start verification directory: [{display_path(folder)}]")
    for missing in (one for one in (folder, *targets) if moving and not one.is_dir()):
        print(f"[Warning] The directory {display_path(missing)} cannot be found, it will be created soon")
    print("Start to verify the original picture collection")
    with splitting.locked(folder, *targets) if moving else nullcontext():
        checked = splitting.check_folder(folder, config, PROGRESS)
        found, twins = splitting.find_taken(checked, targets, config.image_suffix, earlier)
        if twins:
            fate = "removed here" if moving else "would be removed here"
            counted = "1 picture is" if len(twins) == 1 else f"{len(twins)} pictures are"
            print(f"{counted} in the sets already or here twice, the same byte for byte: {fate}")
        for twin in twins if moving else ():
            twin.unlink()
        separate(found, config, moving, sets)
    return found


def separate(found: list[Sample], config: SampleConfig, moving: bool, sets: Sets) -> None:
    """List what is abnormal, and separate the rest into training and test set."""
    abnormal = [(index, sample) for index, sample in enumerate(found) if sample.fault]
    good = [sample.path for sample in found if not sample.fault]
    show_abnormal(abnormal, len(found))
    print("Start to separate the original image set: test set (5%) and training set (95%)")
    test = sets.draw_test(good, config.split_seed)
    for path in good if moving else ():  # in order: a run that is cut off leaves the rest to draw 5% of again
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
    """The config lines that would let the pictures in."""
    if wrong:
        print(f"Pictures and {config.name} disagree; these lines would fit the pictures:")
        for key, value in wrong.items():
            print(f'  "{key}": {json.dumps(value, ensure_ascii=False)},')
        print("Change them by hand, or let --write-config PATH write them")


def show_other_suffixes(found: Sequence[Sample], suffix: str) -> None:
    """How many labelled pictures stay out for their suffix."""
    others = [one for one in found if one.label and one.size and not has_suffix(one.path, suffix)]
    if others:
        print(f"Pictures of another suffix than {suffix}: {len(others)}, such as {others[0].path.name}; ", end="")
        print("rename them, whatever they hold is recognised")


def write_config(path: Path, template: Path, proposed: dict[str, Any]) -> None:
    """Write the template's keys with the proposed values, and tell what was proposed and what comes next."""
    older = config_proposal.write(path, template, proposed)
    kept = f" (the older one is {older.name})" if older else ""
    shown = ", ".join(f"{key} {json.dumps(value, ensure_ascii=False)}" for key, value in proposed.items())
    print(f"Nothing was moved; wrote {display_path(path)}{kept}: {shown}")
    if proposed["resize"]:
        size = f"{proposed['image_width']}x{proposed['image_height']}"
        print(f"Pictures of another size will be resized to {size} pixels, at which they are trained on and read")
    quoted = subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
    print(f"Move the pictures with: python verify_and_split_data.py --config {quoted}")
    show_older_model(path)


def show_older_model(path: Path) -> None:
    """Tell what to do about a model that the config at `path` does not fit any more."""
    config = load_sample_config(path)
    try:
        check_resumable(config.model_save_dir, wanted_of(config))
    except ModelError as error:
        print(error)


if __name__ == "__main__":
    sys.exit(main())
