"""Atomic writes of files, and JSON files without duplicate keys."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cnnlib.core.errors import ConfigError
from cnnlib.core.json_faults import json_fault
from cnnlib.core.paths import display_path
from cnnlib.core.printable import excerpt

_TEMPORARY_SUFFIX = ".part"
_LONG_NAME_BYTES = 128  # file systems allow 143 or 255 bytes, and the temporary name adds some


def temporary_path(path: Path) -> Path:
    """The path that a file is written to before it is renamed to `path`. A long name is replaced by its hash."""
    name = os.fsencode(path.name)
    stem = hashlib.sha256(name).hexdigest() if len(name) > _LONG_NAME_BYTES else path.name
    return path.with_name(f".{stem}{_TEMPORARY_SUFFIX}")


def is_temporary(path: Path) -> bool:
    """Whether this is a `temporary_path`: of a file being written, or left by a killed run."""
    return path.name.startswith(".") and path.name.endswith(_TEMPORARY_SUFFIX)


@contextmanager
def naming_file(path: Path) -> Iterator[None]:
    """Add the file's name to an OSError that has none, such as that of a full disk."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a file so that it is never half-written, even when this process is killed.

    `durable`: wait for the disk, so that this also holds for a power cut.
    """
    temporary = temporary_path(path)
    try:
        with naming_file(path), temporary.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:  # left on a full disk, the temporary file would make the next try fail too
        with suppress(OSError):
            temporary.unlink()
        raise


def read_json(path: Path, remedy: str = "") -> Any:
    """The content of a JSON file.

    Raises ConfigError when the file can't be read, with `remedy` at its end, or is not JSON, with line and column.
    """
    name = display_path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_dict_of_unique_keys)
        json.dumps(content, ensure_ascii=False).encode()  # raises ValueError for an unpaired surrogate
    except OSError as error:
        raise ConfigError(f"{name}: can't be read: {error.strerror}{remedy and f'; {remedy}'}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{name}: expected UTF-8; got the byte 0x{error.object[error.start]:02x} at {error.start}"
        ) from error
    except RecursionError as error:
        raise ConfigError(f"{name}: can't be read: the JSON is nested too deep") from error
    except json.JSONDecodeError as error:
        raise ConfigError(
            f"{name}: line {error.lineno}, column {error.colno}: not JSON: {json_fault(error)}"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error
    return content


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ConfigError as `read_json` does, and when the file holds anything else."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise ConfigError(
            f"{display_path(path)}: expected an object of keys and values, {{…}}; got {json.dumps(content)[:60]}"
        )
    return content


def _dict_of_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, count in Counter(key for key, _ in pairs).items():
        if count > 1:
            raise ValueError(f"key '{excerpt(key)}': expected once; got it {count} times")
    return dict(pairs)
