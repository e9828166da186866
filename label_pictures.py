"""Label pictures by hand, on a page in the browser. A model types in beforehand what it reads.

FOLDER is a folder of pictures, with its sub-folders, or a zip file. It stays as it is. Copies named by their labels
go into origin_image_dir, for verify_and_split_data.py. What was said is kept beside the config, so the next start
goes on.

examples:
  python label_pictures.py
  python label_pictures.py my_pictures/
  python label_pictures.py my_pictures.zip --config conf/my_config.json
"""

import hashlib
import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))  # found however the script is started

from cnnlib.cli import DONE, add_allow_host_argument, argument_parser, port_number, script
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.api_contract import api_token
from cnnlib.core.errors import ModelError, SampleError
from cnnlib.core.paths import display_path
from cnnlib.data.sources import list_source
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.recognizer import Recognizer
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.session import Labelling
from cnnlib.web.label_app import create_label_app
from cnnlib.web.server import serve


def parser() -> ArgumentParser:
    parser = argument_parser(__doc__, place=False)
    text = "pictures: a folder or a zip file (default: api_image_dir, what the recognition API received)"
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help=text)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=port_number, default=6200, help="port to listen on (default: %(default)s)")
    add_allow_host_argument(parser)
    return parser


@script
def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    config = load_sample_config(arguments.config)
    folder = arguments.folder or config.api_image_dir
    labelling = open_labelling(config, Path(arguments.config), folder)
    progress = labelling.progress()
    place, target, journal = map(display_path, (folder, labelling.target, labelling.journal.path))
    print(f"{place}: {progress.done} labelled, {progress.aside} set aside, {progress.left} left")
    print(f"Labelled copies go into {target}, the journal is {journal}")
    token, hosts = api_token(), (arguments.host, *arguments.allow_host)
    make_app = partial(create_label_app, lambda: labelling, token, hosts)
    serve(make_app, arguments.host, arguments.port, "/", token=bool(token))
    return DONE


def open_labelling(config: SampleConfig, config_path: Path, folder: Path) -> Labelling:
    """The labelling of a folder's pictures. Raises SampleError when it has none, or the journal is broken."""
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    files = [file for file in list_source(folder, sets).entries if has_suffix(file.name, ANY_SUFFIX)]
    if not files:
        raise SampleError(f"{display_path(folder)}: expected pictures; got none")
    journal = Journal(journal_path(config_path, folder))
    return Labelling(files, journal, config.origin_dirs[0], sets[1:], open_recognizer(config))


def journal_path(config_path: Path, folder: Path) -> Path:
    """The journal of a folder, beside the config: another folder has another one."""
    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:8]
    return config_path.with_name(f"{config_path.stem}_labels_{digest}.jsonl")


def open_recognizer(config: SampleConfig) -> Recognizer:
    """The model of the config, or the general one while it has none."""
    try:
        return Recognizer(config.model_save_dir, requirements=requirements_of(config))
    except ModelError:
        return Recognizer.general()


if __name__ == "__main__":
    sys.exit(main())
