"""What lies in folders of labelled pictures."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cnnlib.codec.filenames import label_of, plain_suffix
from cnnlib.codec.images import FORMATS
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.files import is_part
from cnnlib.core.paths import display_path

LOCK = ".lock"  # in a folder that a run holds


def list_entries(folder: Path) -> list[Path]:
    """Files and folders in a sample folder, sorted by name, our own lock and temporary files left out.

    A missing folder has none.
    """
    if not folder.is_dir():
        return []
    return [path for path in sorted(folder.iterdir()) if path.name != LOCK and not is_part(path)]


def list_labelled(folder: Path, suffix: str) -> list[tuple[Path, str]]:
    """Pictures of a folder with their labels, sorted by name; what has another suffix is left out.

    Raises SampleError when a name holds no label.
    """
    return [(path, _label(path)) for path in list_entries(folder) if has_suffix(path, suffix) and path.is_file()]


def labels_in(folder: Path, suffix: str) -> list[str]:
    """Labels of the pictures in any sample folder; names without one are left out, and hidden files."""
    labels = []
    for path in list_entries(folder):
        if has_suffix(path, suffix) and path.is_file() and not path.name.startswith("."):
            with suppress(SampleError):
                labels.append(label_of(path.name))
    return labels


def pictures_at(path: Path) -> list[Path]:
    """The file itself, or the files of a folder, sorted by name, hidden ones left out.

    Raises SampleError when there is none.
    """
    shown = [one for one in list_entries(path) if not one.name.startswith(".")] if path.is_dir() else [path]
    found = [one for one in shown if one.is_file()]
    if not found:
        raise SampleError(f"{display_path(path)}: expected a picture or a folder of pictures; found none")
    return found


def first_test_picture(config: SampleConfig) -> Path:
    """The first picture of `test_image_dir` by name. Raises SampleError when it has none."""
    found = first_picture(config.test_image_dir, [config.image_suffix])
    if found is None:
        raise SampleError(
            f"{display_path(config.test_image_dir)}: expected .{config.image_suffix} pictures; got none; "
            "verify_and_split_data.py puts them there"
        )
    return found


def first_picture(folder: Path, suffixes: Sequence[str] = FORMATS) -> Path | None:
    """The first picture of a folder by name, None when it has none with one of these suffixes."""
    found = (path for path in list_entries(folder) if any(has_suffix(path, one) for one in suffixes))
    return next((path for path in found if path.is_file()), None)


def _label(path: Path) -> str:
    try:
        return label_of(path.name)
    except SampleError as error:
        raise SampleError(
            f"{display_path(path)}: {error}; let verify_and_split_data.py alone fill this folder"
        ) from error


def has_suffix(path: Path, suffix: str) -> bool:
    """Whether a file's suffix is this one, or another of the same format."""
    return plain_suffix(path.suffix) == plain_suffix(suffix)
