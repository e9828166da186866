"""Verify labelled pictures and split them into training and test pictures, 19:1, or 9:1 of few.

Pictures in origin_image_dir and new_image_dir that fit the config move into train_image_dir and test_image_dir.
origin_image_dir may be a list of folders, one for each look of the pictures.
Abnormal ones stay where they are and are listed with the reason. A picture that is there already, byte for byte and
under the same label, is removed.

--import copies pictures from elsewhere into origin_image_dir, the first of several, under names that hold their labels.
It takes the labels from the names, from tables beside the pictures or from the names of folders, and opens zip files.

--doctor looks for wrong labels in all sets and moves nothing: doubles, rare characters, mixed cases, and labels that
networks contradict which did not learn them. It writes report/doctor.csv and report/doctor.html into model_save_dir.

examples:
  python verify_and_split_data.py
  python verify_and_split_data.py conf/my_config.json --dry-run
  python verify_and_split_data.py --import downloads/captchas.zip
  python verify_and_split_data.py --write-config conf/my_config.json
  python verify_and_split_data.py --doctor conf/my_config.json
"""

import random
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, SIGNAL_BASE, argument_parser, command_of, script, shell_word
from cnnlib.codec.characters import escape_odd
from cnnlib.codec.images import read_picture
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core.errors import CaptchaError, ConfigError, ModelError, SampleError, missing_package
from cnnlib.core.files import check_place, check_writable, optional_output, sync_disk
from cnnlib.core.paths import display_path, short_name
from cnnlib.core.progress import progress_bar
from cnnlib.core.stderr import muted_stderr
from cnnlib.data import config_proposal, doctor, importing
from cnnlib.data import verify_and_split as splitting
from cnnlib.data.folders import first_picture, locked
from cnnlib.data.listing import list_skipped, stems
from cnnlib.data.reporting import (
    as_json,
    show_abnormal,
    show_disagreements,
    show_empty_folders,
    show_other_suffixes,
    show_shares,
    show_taken_names,
    show_ways_out,
    start_folder,
)
from cnnlib.data.samples import Sample, doubt_looks, inspect, inspect_folder, judge
from cnnlib.data.verify_and_split import SetSizes, moved_labels, set_sizes
from cnnlib.inference.compatibility import check_resumable, requirements_of
from cnnlib.report import doctor as doctor_page

SHEET_PICTURES = 24
PROGRESS = partial(progress_bar, unit=" pictures", leave=False)
THIS = command_of("verify", "verify_and_split_data.py")


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__)
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="say what would happen; move nothing")
    instead.add_argument(
        "--write-config", type=Path, metavar="PATH", help="write a config that fits the pictures; move nothing"
    )
    instead.add_argument(
        "--import",
        type=Path,
        dest="source",
        metavar="SRC",
        help="copy the pictures of a folder, a zip file or a table of labels into origin_image_dir",
    )
    parser.add_argument("--doctor", action="store_true", help="look for wrong labels in all sets; move nothing")
    parser.add_argument("--no-test", action="store_true", help="move all into train_image_dir; the test set stays")
    parser.add_argument("--accept-labels", action="store_true", help="take labels that are likely wrong as they are")
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.doctor and (arguments.dry_run or arguments.write_config or arguments.source):
        parser().error("--doctor goes without --dry-run, --write-config and --import")
    if arguments.no_test and (arguments.doctor or arguments.write_config or arguments.source):
        parser().error("--no-test goes without --doctor, --write-config and --import")
    config = load_sample_config(arguments.config)
    if arguments.source:
        import_pictures(arguments.source, config, arguments.config, arguments.accept_labels)
        return DONE
    if arguments.doctor:
        return examine(config)
    for folder in config.dirs_to_split:
        check_place(folder)  # before the pictures of another one are moved
    check_moved(config, arguments.config, arguments.write_config)
    known = moved_labels(config)
    if arguments.write_config:
        write_config(arguments.write_config, arguments.config, config, known, arguments.accept_labels)
    else:
        sizes = replace(set_sizes(config), drawing=not arguments.no_test)
        split(config, known, sizes, moving=not arguments.dry_run, accept_labels=arguments.accept_labels)
    return DONE


def split(config: SampleConfig, known: Sequence[str], sizes: SetSizes, *, moving: bool, accept_labels: bool) -> None:
    """Check and move the pictures of all folders. `known` and `sizes` are of pictures that were moved earlier."""
    samples: list[Sample] = []
    for folder, stem in zip(config.dirs_to_split, stems(config.dirs_to_split), strict=True):
        start_folder(folder, config, moving)
        file = config.log_dir / f"abnormal_{stem}.txt"
        earlier = [sample for sample in samples if not (moving or sample.fault)]
        with locked(folder, config.train_image_dir, config.test_image_dir) if moving else nullcontext():
            checked = [judge(sample, config) for sample in inspect_folder(folder, PROGRESS)]
            if not accept_labels:
                checked = doubt(checked, known, config, str(config.alphabet))
            samples += separate(checked, folder, config, moving, sizes, earlier, file)
    left = [sample for sample in samples if sample.fault or not moving]
    moved = moved_labels(config)
    totals = Counter(sample.folder for sample in samples)
    if not (config.has_looks and len(left) < len(samples)):  # else each was judged with its look, which is gone now
        left = question(left, moved, config, accept_labels)
    proposed = config_proposal.propose(left, moved, config, totals=totals)
    show_disagreements(config_proposal.disagreements(proposed, config), config)
    if not moving:
        print("Dry run: nothing was moved")
    show_other_suffixes(left, config)
    show_ways_out(left, config)
    if not samples and not moved:
        show_empty_folders(config)


def doubt(samples: Sequence[Sample], known: Sequence[str], config: SampleConfig, accepted: str) -> list[Sample]:
    """The judged samples with doubts about their labels, which are compared as the config takes them."""
    return doubt_looks(samples, [*map(config.label, known)], config, "".join(map(config.label, accepted)))


def question(samples: list[Sample], known: Sequence[str], config: SampleConfig, accept_labels: bool) -> list[Sample]:
    """The judged samples with doubts about their labels, from which a config is proposed.

    The alphabet of a config that pictures were moved by is in no doubt.
    """
    return samples if accept_labels else doubt(samples, known, config, str(config.alphabet) if known else "")


def check_moved(config: SampleConfig, path: Path, target: Path | None) -> None:
    """Raise ConfigError when the training pictures were moved by another config than the one at `path`.

    Also when a config would be written over, at `target`, that they may have been moved by.
    """
    if target and target.is_dir():
        raise ConfigError(f"{display_path(target)}: expected a file to write the config into; this is a folder")
    folder = config.train_image_dir
    first = first_picture(folder, config.image_suffix) or first_picture(folder)
    if first:
        config_proposal.check_training_picture(inspect(first), config)
        if target and target.exists() and not target.samefile(path):
            raise ConfigError(
                f"{display_path(target)}: pictures were moved already, maybe by this config, which would start anew "
                f"from {config.name}: name it with --config too, or write another one"
            )


def separate(
    checked: Sequence[Sample],
    folder: Path,
    config: SampleConfig,
    moving: bool,
    sizes: SetSizes,
    earlier: Sequence[Sample],
    file: Path,
) -> list[Sample]:
    """Separate the samples of a folder into training and test set, and print the original's lines.

    Returns the samples without duplicates. `earlier` are pictures of the folders before that would have been moved.
    `file` is where a long list of abnormal pictures goes.
    """
    targets = (config.train_image_dir, config.test_image_dir)
    renaming = config.has_looks or folder == config.new_image_dir  # where people count from 1 again
    samples, twins = splitting.separate_duplicates(
        checked, targets, config.image_suffix, earlier, PROGRESS, renaming, config.label
    )
    drop_twins(twins, moving)
    if renaming:
        samples = with_free_names(samples, targets, earlier, moving)
    show_abnormal(samples, file)
    good = [sample.name for sample in samples if not sample.fault]
    later = splitting.count_later(folder, config)
    share = sizes.test_share(len(good), later)
    print(f"Start to separate the original image set: test set ({share:.0%}) and training set ({1 - share:.0%})")
    before = replace(sizes) if later is None else SetSizes()  # a look has its share at any time, whatever others have
    if moving and good:
        sync_disk(folder)  # what was verified may be in memory alone, and be empty in the sets after a power cut
    test = sizes.draw_test(good, config.split_seed, later)
    vanished = splitting.move_all(good, test, targets, before, folder, PROGRESS) if moving else []
    show_shares(good, test, vanished, len(samples) - len(good))
    return samples


def drop_twins(twins: Sequence[Sample], moving: bool) -> None:
    """Delete pictures that are in the sets already or twice in their folder, and say how many they are."""
    if twins:
        fate = "removed here" if moving else "would be removed here"
        counted = "1 picture is" if len(twins) == 1 else f"{len(twins)} pictures are"
        print(f"{counted} in the sets already or here twice, the same byte for byte: {fate}")
    for twin in twins if moving else ():
        twin.path.unlink(missing_ok=True)


def with_free_names(
    samples: list[Sample], targets: Sequence[Path], earlier: Sequence[Sample], moving: bool
) -> list[Sample]:
    """The samples, renamed where the sets have their names: looks, and new pictures, may be numbered alike."""
    taken = splitting.with_taken_names(samples, targets, earlier)
    show_taken_names(len(taken), moving)
    return [splitting.rename(sample, moving) if sample.name in taken else sample for sample in samples]


def write_config(path: Path, template: Path, config: SampleConfig, known: Sequence[str], accept_labels: bool) -> None:
    """Write a config that fits the pictures. Print what it leaves out, what it says, and what comes next."""
    folders = config.dirs_to_split
    inspected = [judge(sample, config) for folder in folders for sample in inspect_folder(folder, PROGRESS)]
    inspected = [sample for sample in inspected if not sample.name.startswith(".")]
    found = question(inspected, known, config, accept_labels)
    proposed = config_proposal.propose(found, known, config, config_proposal.PIXEL_LIMIT)
    if not proposed:
        refuse_to_propose(found, config, beside(path, "abnormal.txt"))
    _, fitting = config_proposal.combine(path, template, proposed)
    samples: list[Sample] = []
    sizes = set_sizes(fitting)
    for folder, stem in zip(folders, stems(folders), strict=True):
        start_folder(folder, fitting, moving=False)
        checked = [judge(sample, fitting) for sample in found if sample.folder == folder]
        earlier = [sample for sample in samples if not sample.fault]
        samples += separate(checked, folder, fitting, False, sizes, earlier, beside(path, f"abnormal_{stem}.txt"))
    older = config_proposal.write(path, template, proposed)
    kept = f" (the older one is {older.name})" if older else ""
    shown = ", ".join(f"{key} {as_json(value)}" for key, value in proposed.items())
    print(f"Nothing was moved; wrote {display_path(path)}{kept}: {shown}")
    if proposed["resize"]:
        size = f"{proposed['image_width']}x{proposed['image_height']}"
        print(f"Pictures of another size will be resized to {size} pixels for training and reading")
    show_other_suffixes(samples, fitting)
    show_ways_out(samples, fitting)
    draw_sheet(path, [sample for sample in samples if not sample.fault], fitting.split_seed)
    accepting = " --accept-labels" if accept_labels else ""
    print(f"Move the pictures with: {THIS} --config {shell_word(path)}{accepting}")
    show_older_model(path)


def beside(path: Path, ending: str) -> Path:
    """A file about the config at `path`, whose name may have dots."""
    return path.with_name(f"{short_name(path.name.removesuffix('.json'))}_{ending}")


def refuse_to_propose(found: Sequence[Sample], config: SampleConfig, file: Path) -> None:
    """Print why no picture can be used. Raises ConfigError. `file` is where a long list of pictures goes."""
    samples = [config_proposal.judge_for_any(sample) for sample in found]
    show_abnormal(samples, file)
    show_ways_out(samples, config)
    if not samples:
        show_empty_folders(config)
    names = ", ".join(map(display_path, config.dirs_to_split))
    raise ConfigError(f"{names}: expected labelled pictures that a config can take; got none; no config is written")


def draw_sheet(path: Path, samples: Sequence[Sample], seed: int) -> None:
    """Draw some pictures over their labels, beside the config at `path`. Without matplotlib there is no sheet."""
    chosen = random.Random(seed).sample(samples, min(SHEET_PICTURES, len(samples)))
    sheet = beside(path, "pictures.png")
    try:
        from cnnlib.evaluation import plots  # takes a second

        data = [read_picture(sample.path) for sample in chosen]
        plots.draw_sheet(sheet, data, [escape_odd(str(sample.label)) for sample in chosen]) if chosen else None
    except (CaptchaError, OSError, ImportError) as error:
        print(f"[Warning] {display_path(sheet)}: can't be drawn: {error}")
        return
    if chosen:
        print(f"{len(chosen)} pictures over their labels are in {display_path(sheet)}: look whether they are right")


def import_pictures(source: Path, config: SampleConfig, path: Path, accept_labels: bool) -> None:
    """Copy pictures into the original set. Print where their labels are from, what was skipped, and what comes next."""
    found = importing.find(source, config, PROGRESS, accept_labels)
    print(found.summary)
    copied = importing.copy(found, config, PROGRESS)
    skipped = found.skipped + copied.skipped
    for line in list_skipped(skipped, config.log_dir / "import_skipped.txt"):
        print(line)
    if not accept_labels and importing.has_doubts(skipped):
        print("Labels that are likely wrong: correct them, or take them as they are with --accept-labels")
    already = f"; {copied.present} were there already" if copied.present else ""
    print(f"Copied {copied.new} pictures into {display_path(config.origin_dirs[0])}{already}")
    if not (copied.new or copied.present):
        raise SampleError(f"{display_path(source)}: expected pictures that can be copied; got none")
    if not first_picture(config.origin_dirs[0]):
        return
    shown = "" if path == SAMPLE_CONFIG else f" --config {shell_word(path)}"
    if first_picture(config.train_image_dir, config.image_suffix):
        print(f"Move them with: {THIS}{shown}")
        return
    target = "conf/my_config.json" if path == SAMPLE_CONFIG else shell_word(path)
    print(f"Write a config for them with: {THIS}{shown} --write-config {target}")


def examine(config: SampleConfig) -> int:
    """Look for wrong labels in all sets, print what was found and write the reports; returns the exit status."""
    folder = config.model_save_dir / "report"
    check_writable(folder)  # before the trainings
    examination = doctor.examine(config, PROGRESS)
    if not examination.samples:
        raise SampleError(f"{config.name}: expected labelled pictures in its folders; got none")
    readings, signal = read_left_out(config, examination.samples)
    every = doctor.findings(examination, readings)
    lines = doctor_page.summary_lines(examination, every)
    for line in (*lines, *doctor_page.first_lines(every)):
        print(line, flush=True)
    write_reports(lines, every, folder)
    return SIGNAL_BASE + signal if signal else DONE


def write_reports(lines: Sequence[str], every: Sequence[doctor.Finding], folder: Path) -> None:
    """Write the table and the page, and say where they are. One that can't be written is named, and costs nothing."""
    table, page = folder / "doctor.csv", folder / "doctor.html"
    written = []
    with optional_output(table):
        doctor_page.write_table(every, table)
        written.append(f"All pictures, the most suspicious first: {display_path(table)}")
    with optional_output(page):
        doctor_page.write_page(lines, every, page)
        written.append(f"{'to' if written else 'To'} look at: {display_path(page)}")
    print(*written, sep="; ", end="\n" if written else "")


def read_left_out(config: SampleConfig, samples: Sequence[Sample]) -> tuple[doctor.Readings, int | None]:
    """The readings of networks that did not learn the pictures, and the signal that ended them early.

    Where no network can be trained there are none, and the reason is printed.
    """
    try:
        with muted_stderr():
            from cnnlib.training.cross_fitting import read_left_out as read  # takes seconds, and needs TensorFlow
            from cnnlib.training.reporting import print_line
        return read(config, samples, print_line)
    except ModuleNotFoundError as error:
        reason = missing_package(error)
    except CaptchaError as error:
        reason = str(error)
    print(f"[Warning] No network compares the labels: {reason}")
    return {}, None


def show_older_model(path: Path) -> None:
    """Print what to do about a model that the config at `path` no longer fits."""
    config = load_sample_config(path)
    try:
        check_resumable(config.model_save_dir, requirements_of(config))
    except ModelError as error:
        print(error)


if __name__ == "__main__":
    sys.exit(main())
