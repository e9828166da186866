"""Files that are written whole or not at all."""

import os
from pathlib import Path

_PART = ".part"  # ending of a file under way


def part_of(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}{_PART}")


def is_part(path: Path) -> bool:
    """Whether this is a file under way, or what a killed run left of one."""
    return path.name.startswith(".") and path.name.endswith(_PART)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a reader, or a kill, finds it as it was or whole."""
    part = part_of(path)
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
