"""The pictures of a suspects.csv, for a second look at their labels."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from cnnlib.codec.images import read_picture
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.core.tables import ENCODING, plain_cell
from cnnlib.data.sources import Entry as File
from cnnlib.labelling.filing import Renames
from cnnlib.labelling.journal import Journal

PICTURE = "picture"  # the column of the paths


def suspects_in(table: Path, folders: Sequence[Path], filing: Renames, journal: Journal) -> list[File]:
    """The pictures of a table of suspects that are in these folders, maybe under the label that a journal gives them.

    Raises SampleError when it can't be read, is another table, or none is there.
    """
    inside = {os.path.realpath(folder) for folder in folders}

    def find(name: PurePosixPath | str) -> Path:
        return filing.find(str(name), journal.standing.get(str(name)))

    def read(name: PurePosixPath) -> bytes:
        return read_picture(find(name))

    def is_there(name: str) -> bool:
        path = find(name)
        return path.exists() and os.path.realpath(Path(filing.root, name).parent) in inside

    found = [File(PurePosixPath(name), read) for name in _names(table) if is_there(name)]
    if not found:
        raise SampleError(f"{display_path(table)}: expected pictures of the sets of the config; got none")
    return found


def _names(table: Path) -> list[str]:
    try:
        with table.open(newline="", encoding=ENCODING) as file:
            reader = csv.DictReader(file)
            is_table = PICTURE in (reader.fieldnames or ())
            names = [row.get(PICTURE) or "" for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise SampleError(f"{display_path(table)}: can't be read: {reason}") from error
    if not is_table:
        raise SampleError(f"{display_path(table)}: expected a table with a column {PICTURE}, such as suspects.csv")
    return [plain_cell(name) for name in names if name]
