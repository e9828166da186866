"""The project's folder, the files shipped with the library, and how configs and messages show paths."""

import hashlib
import os
from pathlib import Path

from cnnlib.core.printable import printable

_PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = (_PACKAGE / "shipped").is_dir()  # from a wheel, as opposed to a checkout
SHIPPED = _PACKAGE / "shipped" if INSTALLED else _PACKAGE.parent  # scripts, configs and the general model
GENERAL_MODEL = SHIPPED / "model" / "general"
PROJECT_ROOT = Path.cwd() if INSTALLED else _PACKAGE.parent  # relative paths in a config start here
SHORT_NAME_BYTES = 120  # file systems allow 143 or 255


def project_path(path: str) -> Path:
    """A path of the project; if it is missing there, the shipped file or general model of this name, if there is one.

    Other folders are the user's, even where something below a folder of this name is shipped.
    """
    own, shipped = PROJECT_ROOT / path, SHIPPED / path
    is_shipped = shipped.is_file() or (shipped.is_dir() and shipped.is_relative_to(GENERAL_MODEL))
    return shipped if is_shipped and not own.exists() else own


def config_path(path: Path) -> str:
    """A path for a config: relative inside the project, absolute elsewhere. A folder ends with a slash."""
    absolute = _absolute(path)
    inside = absolute.is_relative_to(PROJECT_ROOT)
    return _with_slash(absolute.relative_to(PROJECT_ROOT) if inside else absolute, absolute)


def display_path(path: Path) -> str:
    """A path for messages, printable: relative inside the project when run from there, absolute elsewhere."""
    return printable(short_path(path))


def short_path(path: Path) -> str:
    """The path that `display_path` shows, with every character of its names as it is."""
    absolute = _absolute(path)
    return config_path(absolute) if _run_from_project() else _with_slash(absolute, absolute)


def short_name(name: str) -> str:
    """A name of at most 120 bytes, so that names of files and folders about it can be made from it.

    A longer one is cut, as valid UTF-8, and ends with a hash.
    """
    data = os.fsencode(name)
    if len(data) <= SHORT_NAME_BYTES:
        return name
    digest = f"-{hashlib.sha256(data).hexdigest()[:8]}"
    return data[: SHORT_NAME_BYTES - len(digest)].decode(errors="ignore") + digest


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (Path.resolve would replace the user's links)


def _with_slash(path: Path, absolute: Path) -> str:
    return path.as_posix() + ("" if absolute.is_file() or path.suffix else "/")


def _run_from_project() -> bool:
    try:
        return Path.cwd() == PROJECT_ROOT
    except OSError:  # the working directory was deleted
        return False
