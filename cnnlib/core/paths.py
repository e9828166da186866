"""The project's folder, what is shipped with the library, and paths as configs and messages show them."""

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = (_PACKAGE / "shipped").is_dir()  # from a wheel; else this is a checkout
SHIPPED = _PACKAGE / "shipped" if INSTALLED else _PACKAGE.parent  # scripts, configs and the general model
GENERAL_MODEL = SHIPPED / "model" / "general"
PROJECT_ROOT = Path.cwd() if INSTALLED else _PACKAGE.parent  # what relative paths of a config start from


def default_config(name: str) -> Path:
    """A config file of the project's `conf/`, or the shipped one of this name when the project has none."""
    own = PROJECT_ROOT / "conf" / name
    return own if own.exists() else SHIPPED / "conf" / name


def config_path(path: Path) -> str:
    """A path for a config, a folder with a slash: relative inside the project, absolute elsewhere."""
    absolute = _absolute(path)
    return _with_slash(
        absolute.relative_to(PROJECT_ROOT) if absolute.is_relative_to(PROJECT_ROOT) else absolute, absolute
    )


def display_path(path: Path) -> str:
    """A path for messages: relative inside the project when run from there, absolute elsewhere."""
    absolute = _absolute(path)
    return config_path(absolute) if _run_from_project() else _with_slash(absolute, absolute)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (links stay as the user wrote them)


def _with_slash(path: Path, absolute: Path) -> str:
    return path.as_posix() + ("" if absolute.is_file() or path.suffix else "/")


def _run_from_project() -> bool:
    try:
        return Path.cwd() == PROJECT_ROOT
    except OSError:  # the working directory is gone
        return False
