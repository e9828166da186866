"""The project's folder, and paths as configs and messages name them."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def config_path(path: Path) -> str:
    """A path as a config has it, a folder with a slash: relative to the project's folder where it lies below."""
    absolute = _absolute(path)
    return _shown(absolute.relative_to(PROJECT_ROOT) if absolute.is_relative_to(PROJECT_ROOT) else absolute, absolute)


def display_path(path: Path) -> str:
    """A path as messages have it: as a config has it, or whole, for whoever does not stand in the project's folder."""
    absolute = _absolute(path)
    return config_path(absolute) if _stands_there() else _shown(absolute, absolute)


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 (links stay as the user wrote them)


def _shown(path: Path, absolute: Path) -> str:
    return path.as_posix() + ("" if absolute.is_file() or path.suffix else "/")


def _stands_there() -> bool:
    try:
        return Path.cwd() == PROJECT_ROOT
    except OSError:  # the folder that we stand in has gone
        return False
