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
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from threading import Thread

from filelock import Timeout

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, add_allow_host_argument, config_file, plain_parser, port_number, script
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core.api_contract import api_token
from cnnlib.core.errors import SampleError
from cnnlib.core.files import take_lock
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.printable import printable
from cnnlib.data.listing import kinds_of_skipped, list_skipped
from cnnlib.data.sources import list_source
from cnnlib.labelling import rounds
from cnnlib.labelling.filing import Copies, Renames
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.model_in_use import ModelInUse
from cnnlib.labelling.round_state import RoundFolder, Rounds
from cnnlib.labelling.session import Labelling
from cnnlib.labelling.suspects import suspects_in
from cnnlib.web.label_app import create_label_app
from cnnlib.web.server import serve

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
        rounds.run(path, folder, Journal(journal_path(path, folder)), say)
        return DONE
    try:
        with take_lock(journal_path(path, folder).with_suffix(".lock"), 0):
            serve_page(arguments, path, config, folder)
    except Timeout as error:
        raise SampleError(f"{display_path(folder)}: another labelling of it is running; open its page") from error
    return DONE


def serve_page(arguments: Namespace, path: Path, config: SampleConfig, folder: Path) -> None:
    """Serve the page over a folder, or a table of suspects, until Ctrl-C."""
    second_look = folder.suffix == ".csv"
    labelling = look_again(config, path, folder) if second_look else open_labelling(config, path, folder)
    progress, journal = labelling.progress(), display_path(labelling.journal.path)
    print(f"{display_path(folder)}: {progress.done} labelled, {progress.aside} set aside, {progress.left} left")
    place = "stay where they are" if second_look else f"are copied into {display_path(config.origin_dirs[0])}"
    print(f"Labelled pictures {place}, the journal is {journal}")
    token, hosts = api_token(), (arguments.host, *arguments.allow_host)
    command = [sys.executable, __file__, str(folder), "--config", str(path), "--train"]
    if not second_look:
        Thread(target=labelling.leave_out_doubles, daemon=True).start()
    training = None if second_look else Rounds(command, RoundFolder.of(config))
    make_app = partial(create_label_app, lambda: labelling, training, token, hosts)
    serve(make_app, arguments.host, arguments.port, "/", token=bool(token))


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
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    source = list_source(folder, sets)
    files = [file for file in source.entries if has_suffix(file.name, ANY_SUFFIX)]
    if not files:
        reasons = "".join(f"\n{line}" for line in kinds_of_skipped(source.skipped))
        raise SampleError(f"{display_path(folder)}: expected pictures; got none{reasons}")
    for line in list_skipped(source.skipped, config.log_dir / "label_skipped.txt"):
        say(line)
    journal = Journal(journal_path(config_path, folder))
    return Labelling(files, journal, Copies(config.origin_dirs[0], sets[1:]), ModelInUse(config.model_save_dir))


def look_again(config: SampleConfig, config_path: Path, table: Path) -> Labelling:
    """The labelling of the pictures in a suspects.csv, where they are, the likeliest wrong label first.

    Raises SampleError when it is no such table, or the journal is broken.
    """
    journal = Journal(journal_path(config_path, table))
    filing = Renames(PROJECT_ROOT, config.train_image_dir.with_name(ASIDE))
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    reader = ModelInUse(config.model_save_dir)
    return Labelling(suspects_in(table, sets, filing, journal), journal, filing, reader, at_random=False)


def journal_path(config_path: Path, folder: Path) -> Path:
    """The journal of a folder or of a table, beside the config: another one has another journal."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:8]
    kind = "looks" if folder.suffix == ".csv" else "labels"
    return config_path.with_name(f"{config_path.stem}_{kind}_{digest}.jsonl")


if __name__ == "__main__":
    sys.exit(main())
