"""The project's folder, and paths as messages name them."""

import os
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parent.parent


def display_path(path: Path) -> str:
    """A path as a config would write it: relative to the project root where it lies below, a folder with a slash."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 (links stay as the user wrote them)
    shown = absolute.relative_to(PROJECT_ROOT) if absolute.is_relative_to(PROJECT_ROOT) else absolute
    return shown.as_posix() + ("" if absolute.is_file() or shown.suffix else "/")
