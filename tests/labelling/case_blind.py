"""A file system that ignores case in names, as those of macOS and Windows do, for a test on one that does not."""

import os
from pathlib import Path
from typing import Any

import pytest


def ignore_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever looks for a name find one in other case, and let a new name be written as it is given."""
    for place, names in ((Path, ("stat", "open", "rename", "unlink")), (os, ("stat", "lstat"))):
        for name in names:
            monkeypatch.setattr(place, name, _finding(getattr(place, name)))


def _finding(call: Any) -> Any:
    def find_and_call(path: Any, *arguments: Any, **options: Any) -> Any:
        return call(_as_spelled(Path(path)) if isinstance(path, str | Path) else path, *arguments, **options)

    return find_and_call


def _as_spelled(path: Path) -> Path:
    """A path with its last name as the folder has it."""
    names = os.listdir(path.parent) if os.access(path.parent, os.R_OK) else []  # noqa: PTH208 (which looks for names)
    alike = [name for name in names if name.lower() == path.name.lower()]
    return path.with_name(alike[0]) if alike and path.name not in alike else path
