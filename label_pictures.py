"""Label pictures by hand, on a page in the browser. A model types in beforehand what it reads.

FOLDER is a folder of pictures, with its sub-folders, or a zip file. It stays as it is. Copies named by their labels
go into origin_image_dir. Your answers are kept beside the config, so the next start goes on. A training on the labels
so far is started from the page, or with --train. It writes the config if there is none.

With a suspects.csv in place of FOLDER, labels that are likely wrong are shown again, and corrected where they are.

examples:
  python label_pictures.py
  python label_pictures.py my_pictures/
  python label_pictures.py my_pictures.zip --config conf/my_config.json
  python label_pictures.py my_pictures/ --train
  python label_pictures.py model/report/suspects.csv
"""

import glob
import hashlib
import itertools
import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

from filelock import Timeout

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, add_allow_host_argument, config_file, plain_parser, port_number, script
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core.api_contract import api_token
from cnnlib.core.errors import SampleError
from cnnlib.core.files import take_lock
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.printable import printable
from cnnlib.data.listing import kinds_of_skipped, list_skipped
from cnnlib.data.sources import Entry as File
from cnnlib.data.sources import Source, list_source
from cnnlib.inference.hints import Hints
from cnnlib.labelling import rounds
from cnnlib.labelling.filing import Copies, Renames
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.model_in_use import ModelInUse
from cnnlib.labelling.round_state import RoundFolder, Rounds
from cnnlib.labelling.session import Labelling
from cnnlib.labelling.suspects import suspects_in
from cnnlib.web.label_app import create_label_app
from cnnlib.web.server import serve

OTHER = "serve a model with api_save, or name a folder: python label_pictures.py my_pictures/"
FITTING = 20  # labels, whose pictures tell whether a folder is one that was moved
ASIDE = "aside"  # folder beside the sets, for labelled pictures that can't be read
OWN_CONFIG = "conf/FOLDER_config.json"
SUITE_CONFIGS = ("captcha", "sample", "general", "general_captcha", "general_training", "demo_captcha", "demo_sample")


def parser() -> ArgumentParser:
    parser = plain_parser(__doc__)
    text = f"config file, which may be missing (default: {OWN_CONFIG}; without FOLDER {display_path(SAMPLE_CONFIG)})"
    parser.add_argument("--config", type=config_file, metavar="PATH", help=text)
    text = "a folder, a zip file, or a suspects.csv (default: api_image_dir, what the recognition API received)"
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help=text)
    parser.add_argument("--train", action="store_true", help="open no page; train on the labels so far")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6200, help="port to listen on (default: %(default)s)")
    add_allow_host_argument(parser)
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if arguments.train and arguments.folder and arguments.folder.suffix == ".csv":
        parser().error("--train needs the folder or zip file that was labelled, not a table")
    path = arguments.config or config_of(arguments.folder)
    config = rounds.open_config(path)
    folder = arguments.folder or config.api_image_dir
    if arguments.train:
        take_over(path, folder)
        rounds.run(path, folder, Journal(journal_path(path, folder)), say)
        return DONE
    if folder.suffix == ".csv":
        with alone(journal_path(path, folder), folder):
            serve_page(arguments, path, config, folder, look_again(config, path, folder))
        return DONE
    if arguments.folder is None and not folder.exists():
        raise SampleError(f"{display_path(folder)}: expected pictures that the service received; got none; {OTHER}")
    pictures = pictures_of(config, folder)
    take_over(path, folder)
    with alone(journal_path(path, folder), folder):
        serve_page(arguments, path, config, folder, labelling_of(config, path, folder, pictures))
    return DONE


@contextmanager
def alone(journal: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of a journal, which leaves no file behind. Raises SampleError when another process has it."""
    lock = journal.with_suffix(".lock")
    try:
        with take_lock(lock, 0):
            try:
                yield
            finally:
                with suppress(OSError):  # before it is free: whoever waits for it makes another one
                    lock.unlink()
    except Timeout as error:
        raise SampleError(f"{display_path(folder)}: another labelling of it is running; open its page") from error


def serve_page(arguments: Namespace, path: Path, config: SampleConfig, folder: Path, labelling: Labelling) -> None:
    """Serve the page over a folder, or a table of suspects, until Ctrl-C."""
    second_look = labelling.is_second_look
    progress, journal = labelling.progress(), display_path(labelling.journal.path)
    print(f"{display_path(folder)}: {progress.done} labelled, {progress.aside} set aside, {progress.left} left")
    place = "stay where they are" if second_look else f"are copied into {display_path(config.origin_dirs[0])}"
    print(f"Labelled pictures {place}, the journal is {journal}")
    token, hosts = api_token(), (arguments.host, *arguments.allow_host)
    command = [sys.executable, __file__, str(folder), "--config", str(path), "--train"]
    if not second_look:
        Thread(target=labelling.leave_out_doubles, daemon=True).start()
    count = partial(rounds.count_labelled, config)
    check = partial(check_tested, config, labelling)
    training = None if second_look else Rounds(command, RoundFolder.of(config), count, check)
    make_app = partial(create_label_app, lambda: labelling, training, token, hosts)
    serve(make_app, arguments.host, arguments.port, "/", token=bool(token))


def check_tested(config: SampleConfig, labelling: Labelling) -> None:
    """Raise SampleError when pictures that come at random are to be labelled before a training; these come next."""
    lacking = rounds.lacking_for_test(config, labelling.journal, labelling.files)
    labelling.want_even(lacking)
    rounds.check_tested(lacking)


def say(line: str) -> None:
    print(printable(line), flush=True)  # what the scripts of the round say comes between


def config_of(folder: Path | None) -> Path:
    """The config for a folder of pictures: one of its own, but for the folders of the suite's own config.

    It is named like the folder, with a number where that name is the suite's or is used for other pictures.
    """
    if folder is None or folder.suffix == ".csv":
        return SAMPLE_CONFIG
    suite = load_sample_config(SAMPLE_CONFIG, with_labels=False)
    received = suite.api_image_dir, suite.online_image_dir, suite.local_image_dir
    if any(os.path.realpath(folder) == os.path.realpath(own) for own in received):
        return SAMPLE_CONFIG
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(os.path.realpath(folder)).stem).strip("._") or "pictures"
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    if moved := moved_journal(PROJECT_ROOT / "conf", "*", folder):
        return moved.with_name(f"{moved.stem.rpartition('_labels_')[0]}.json")
    paths = (PROJECT_ROOT / "conf" / f"{each}_config.json" for each in names if each not in SUITE_CONFIGS)
    return next(path for path in paths if _is_free(path, folder))


def _is_free(config_path: Path, folder: Path) -> bool:
    """Whether a config is used for this folder, or for none: the journals beside it tell."""
    pattern = journal_path(config_path, folder).name.rpartition("_")[0]
    journals = [*config_path.parent.glob(f"{glob.escape(pattern)}_*.jsonl")]
    return not journals or journal_path(config_path, folder) in journals


def open_labelling(config: SampleConfig, config_path: Path, folder: Path) -> Labelling:
    """The labelling of a folder's pictures; says what it passes over.

    Raises SampleError when it has none, or the journal is broken.
    """
    return labelling_of(config, config_path, folder, pictures_of(config, folder))


def pictures_of(config: SampleConfig, folder: Path) -> Source:
    """The pictures of a folder that are in no set; says what it passes over. Raises SampleError when it has none."""
    source = rounds.list_pictures(folder, (*config.dirs_to_split, config.train_image_dir, config.test_image_dir))
    if not source.entries:
        reasons = "".join(f"\n{line}" for line in kinds_of_skipped(source.skipped))
        way_out = f"; {OTHER}" if folder == config.api_image_dir else ""
        raise SampleError(f"{display_path(folder)}: expected pictures; got none{way_out}{reasons}")
    for line in list_skipped(source.skipped, config.log_dir / "label_skipped.txt"):
        say(line)
    return source


def labelling_of(config: SampleConfig, config_path: Path, folder: Path, pictures: Source) -> Labelling:
    """The labelling of these pictures. Raises SampleError when the journal is broken."""
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    journal = Journal(journal_path(config_path, folder))
    journal.note_folder(folder)
    copies = Copies(config.origin_dirs[0], sets[1:])
    labelling = Labelling(pictures.entries, journal, copies, reader_of(config), fold=config.label)
    labelling.want_even(rounds.lacking_for_test(config, journal, labelling.files))
    return labelling


def reader_of(config: SampleConfig) -> ModelInUse:
    """The model that types in beforehand, in lower case where the config ignores case."""
    return ModelInUse(config.model_save_dir, Hints(ignore_case=config.ignore_case))


def take_over(config_path: Path, folder: Path) -> None:
    """Go on with the labels of a folder that was moved or renamed to this one: its journal gets this one's name."""
    moved = moved_journal(config_path.parent, config_path.stem, folder)
    if moved is None:
        return
    journal = Journal(moved)
    with alone(moved, folder):
        moved.rename(journal_path(config_path, folder))
    place = display_path(Path(journal.folder))
    say(f"{display_path(folder)} was {place}: its {len(journal.standing)} answers count here")


def moved_journal(beside: Path, stem: str, folder: Path) -> Path | None:
    """The journal, for configs of this stem, of pictures that are in this folder now and not where they were.

    None if there is none, and where the folder has a journal of its own.
    """
    if folder.suffix == ".csv" or not folder.exists():
        return None
    own = journal_path(beside / "any.json", folder).name.rpartition("_")[2]
    journals = sorted(beside.glob(f"{stem if stem == '*' else glob.escape(stem)}_labels_*.jsonl"))
    if any(path.name.endswith(f"_{own}") for path in journals):
        return None
    return next((path for path in journals if _is_of(path, folder)), None)


def _is_of(path: Path, folder: Path) -> bool:
    """Whether a journal's folder is gone, and the pictures that were labelled last are in this one, byte for byte."""
    try:
        journal = Journal(path)
    except SampleError:
        return False
    labels = [entry for entry in journal.standing.values() if entry.copy][-FITTING:]
    if not journal.folder or os.path.lexists(journal.folder) or not labels:
        return False
    files = {str(file.name): file for file in list_source(folder).entries}
    fitting = [entry for entry in labels if entry.picture in files and _is_copy(entry, files[entry.picture])]
    return 2 * len(fitting) > len(labels)


def _is_copy(entry: Entry, file: File) -> bool:
    try:
        return Copies(Path(), ()).name(entry.picture, entry.label, file.read()) == entry.copy
    except SampleError:
        return False


def look_again(config: SampleConfig, config_path: Path, table: Path) -> Labelling:
    """The labelling of the pictures in a suspects.csv, where they are, the likeliest wrong label first.

    Raises SampleError when it is no such table, or the journal is broken.
    """
    journal = Journal(journal_path(config_path, table))
    filing = Renames(PROJECT_ROOT, config.train_image_dir.with_name(ASIDE))
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    suspects, reader = suspects_in(table, sets, filing, journal), reader_of(config)
    return Labelling(suspects, journal, filing, reader, at_random=False, fold=config.label)


def journal_path(config_path: Path, folder: Path) -> Path:
    """The journal of a folder or of a table, beside the config: another one has another journal."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:8]
    kind = "looks" if folder.suffix == ".csv" else "labels"
    return config_path.with_name(f"{config_path.stem}_{kind}_{digest}.jsonl")


if __name__ == "__main__":
    sys.exit(main())
