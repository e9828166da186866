"""Files written whole or not at all, and JSON read with each key once."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import display_path

_PART = ".part"  # ending of a file under way


def temporary_path(path: Path) -> Path:
    """Where a file is written before it gets its name."""
    return path.with_name(f".{path.name}{_PART}")


def is_temporary(path: Path) -> bool:
    """Whether this is a file under way, or what a killed run left of one."""
    return path.name.startswith(".") and path.name.endswith(_PART)


@contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Let an OSError of the block name the file, as that of a full disk does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that a reader, or a kill, finds it as it was or whole; if `durable`, a power cut too."""
    part = temporary_path(path)
    try:
        with name_file_in_errors(path), part.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:  # on a full disk its part would keep the next try from succeeding
        with suppress(OSError):
            part.unlink()
        raise


def read_json(path: Path, remedy: str = "") -> Any:
    """What a JSON file holds. Raises ConfigError, with line and column where it is no JSON.

    `remedy` is told where the file can't be read.
    """
    name = display_path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_doubles)
        json.dumps(content, ensure_ascii=False).encode()  # half a surrogate pair is no character
    except OSError as error:
        raise ConfigError(f"{name}: can't be read: {error.strerror}{remedy and f'; {remedy}'}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: expected UTF-8; got the byte 0x{error.object[error.start]:02x} at {error.start}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not JSON that can be read: it is nested too deep") from error
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name}: line {error.lineno}, column {error.colno}: not JSON: {error.msg}") from error
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
    return content


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ConfigError as `read_json` does, and when it holds anything else."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{display_path(path)}: expected an object of keys and values, {{…}}; got {json.dumps(content)[:60]}"
        )
    return content


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ValueError(f"key '{key}': expected once; got it {keys.count(key)} times")
    return dict(pairs)
