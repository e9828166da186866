"""What the verification prints: the original's lines about each folder, and what to do next."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnnlib.codec.characters import escape_odd, is_odd
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.config import SampleConfig
from cnnlib.core.paths import display_path
from cnnlib.data.listing import list_abnormal
from cnnlib.data.samples import Sample


def start_folder(folder: Path, config: SampleConfig, moving: bool) -> None:
    """Print the original's first lines about a folder."""
    print(f">>> Start verification directory: [{display_path(folder)}]")
    folders = (folder, config.train_image_dir, config.test_image_dir)
    for missing in (each for each in folders if moving and not each.is_dir()):
        print(f"[Warning] The directory {display_path(missing)} cannot be found, it will be created soon")
    print("Start to verify the original picture collection")


def show_shares(good: Sequence[str], test: set[str], vanished: Sequence[str], abnormal: int) -> None:
    """Print how many pictures are in each set."""
    for name in vanished:
        print(f"[Warning] {escape_odd(name)} has vanished before it could be moved")
    moved, tested = len(good) - len(vanished), len(test.difference(vanished))
    kept = (
        "one of which is an anomaly and remains" if abnormal == 1 else f"{abnormal} of which are anomalies and remain"
    )
    print(f"A total of {moved} images are allocated to the training set and test set, ", end="")
    print(f"{kept} in the original directory")
    print(f"The number of test sets is: {tested}")
    print(f"The number of training sets is: {moved - tested}")


def show_abnormal(samples: Sequence[Sample], file: Path) -> None:
    """Print which pictures of a folder are left out, and why. A long list goes into `file`."""
    count = sum(sample.fault is not None for sample in samples)
    print(f"Total pictures in the original set: {len(samples)}")
    print(f"====The following {count} {'picture is' if count == 1 else 'pictures are'} abnormal====")
    for line in list_abnormal(samples, file):
        print(line)
    if not count:
        print(f"No abnormality found ({len(samples)} pictures in total)")
    print("========end")


def show_disagreements(wrong: dict[str, Any], config: SampleConfig) -> None:
    """Print the config lines that would fit the pictures."""
    if wrong:
        print(f"Pictures and {config.name} disagree; these lines would fit the pictures:")
        for key, value in wrong.items():
            print(f'  "{key}": {as_json(value)},')
        print("Change them by hand, or let --write-config PATH write them")


def show_other_suffixes(samples: Sequence[Sample], config: SampleConfig) -> None:
    """Print how many labelled pictures are left out because of their suffix, which is that of another format."""
    suffix, pictures = config.image_suffix, [sample for sample in samples if sample.label and sample.size]
    others = [each for each in pictures if has_suffix(each.name, ANY_SUFFIX) and not has_suffix(each.name, suffix)]
    if others:
        print(f"Pictures of another suffix than {suffix}: {len(others)}, such as {_shown(others[0], config)}; ", end="")
        print('"image_suffix": "any" takes them')


def show_ways_out(samples: Sequence[Sample], config: SampleConfig) -> None:
    """Print what to do about names without a label or a picture's suffix, and about labels that are likely wrong."""
    unnamed = [sample for sample in samples if sample.label is None and (sample.size or sample.path.is_dir())]
    if unnamed:
        print(f"Names without a label: {len(unnamed)}, such as {_shown(unnamed[0], config)}; ", end="")
        print("put them into a folder of their own, and copy them with --import FOLDER, which knows other names")
    bare = [each for each in samples if each.label and each.size and not has_suffix(each.name, ANY_SUFFIX)]
    if bare:
        print(f"Pictures without the suffix of a picture: {len(bare)}, such as {_shown(bare[0], config)}; ", end="")
        print("put them into a folder of their own, and copy them with --import FOLDER, which gives them one")
    doubtful = [sample for sample in samples if sample.doubt]
    if doubtful:
        print(f"Labels that are likely wrong: {len(doubtful)}, such as {_shown(doubtful[0], config)}; ", end="")
        print("rename them, or take them as they are with --accept-labels")


def _shown(sample: Sample, config: SampleConfig) -> str:
    """The name of a picture; its path where there are several folders of pictures."""
    return display_path(sample.path) if config.has_looks else escape_odd(sample.name)


def show_taken_names(count: int, moving: bool) -> None:
    """Print how many pictures get another name because the sets have theirs."""
    if count:
        pictures = "1 picture has a name" if count == 1 else f"{count} pictures have names"
        fate = "the serial number becomes" if moving else "the serial number would become"
        print(f"{pictures} that another one in the sets has: {fate} the hash of the content")


def show_empty_folders(config: SampleConfig) -> None:
    """Print that there is nothing to verify, and what to do."""
    folders = " and ".join(map(display_path, config.dirs_to_split))
    print(f"No pictures: {folders} are missing or empty; put labelled pictures there, write where they are as ", end="")
    print(f"origin_image_dir in {config.name}, or copy them with --import FOLDER")


def as_json(value: object) -> str:
    """A value as JSON for people, with escapes for what can't be seen."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(json.dumps(character)[1:-1] if is_odd(character) else character for character in text)
