"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PART = ".part"  # ending of a file under way


def part_of(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}{_PART}")


def is_part(path: Path) -> bool:
    """Whether this is a file under way, or what a killed run left of one."""
    return path.name.startswith(".") and path.name.endswith(_PART)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let an OSError of the block name the file, as that of a full disk does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_whole(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a kill, finds it as it was or whole; if `durable`, a power cut too."""
    part = part_of(path)
    try:
        with naming(path), part.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # on a full disk its part would keep the next try from succeeding
        with suppress(OSError):
            part.unlink()
        raise
