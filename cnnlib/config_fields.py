"""Types of config values: how each is checked, and what an error message calls it."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from cnnlib.codec.characters import alphabet_faults, is_visible, normalise
from cnnlib.core.paths import project_path
from cnnlib.core.printable import excerpt
from cnnlib.network.names import NETWORKS

LABEL_LIMIT = 64  # characters
COUNT_LIMIT = 10**9
BYTES_LIMIT = 10**12
_DRIVE = re.compile(r"[A-Za-z]:([\\/]|$)")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_VARIABLE = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_][A-Za-z0-9_()]*%")
CHANNELS = "1 (grey) or 3 (colour)"
PATHS = "a path, absolute or relative to the project's folder, or a list of 1 or more"
NETWORK_NAMES = " or ".join([", ".join([*NETWORKS][:-1]), [*NETWORKS][-1]])


@dataclass(frozen=True)
class Expected:
    """What an error message says after "expected"."""

    text: str


def web_address(text: str) -> str:
    """The address, if a request can be sent to it: http or https, a valid host, and a valid port or none.

    Raises ValueError for any other text.
    """
    try:
        parts = urlsplit(text)  # raises ValueError for an open bracket, as `port` and `encode` do for invalid parts
        host, port = parts.hostname or "", parts.port
        blank = any(ord(character) < 32 for character in text) or any(map(str.isspace, parts.netloc))
        valid = parts.scheme in ("http", "https") and port != 0 and not blank and bool(host.encode("idna"))
    except ValueError:
        valid = False
    if not valid:
        raise ValueError(f"expected an address such as http://127.0.0.1:6000/b; got {excerpt(text)}")
    return text


def _resolve_path(value: Any) -> Any:
    """The path of a folder or file. Relative ones start at the project root, whatever the working directory.

    Raises ValueError for control characters, for what only a shell or a browser understands and, but on Windows, for
    paths of Windows.
    """
    if isinstance(value, str) and any(ord(character) < 32 for character in value):
        remedy = "write / or \\\\ between folders, a single \\ begins a control character"
        raise ValueError(f"expected a path without control characters; got {json.dumps(value)}; {remedy}")
    if not isinstance(value, str) or not value.strip():
        return value  # pydantic refuses it
    path = project_path(os.path.expanduser(value))  # noqa: PTH111 (Path.expanduser raises for an unknown ~name)
    if os.name != "nt":
        _refuse_windows(value, path)
    _refuse_foreign(value, path)
    return path


def _refuse_foreign(value: str, path: Path) -> None:
    """Raise ValueError for what other programs turn into a path, unless there is a file or folder that is called so.

    It would be taken for the name of a new folder.
    """
    if os.path.lexists(path):
        return
    shown = excerpt(json.dumps(value, ensure_ascii=False))
    if _VARIABLE.search(value):
        raise ValueError(f"expected a path without variables, which only a shell knows; got {shown}; write it out")
    if value.startswith("~") and path == project_path(value):  # nothing was put in its place
        raise ValueError(f"expected a path; got {shown}; no user is called so here: write the path of the folder")
    if _ADDRESS.match(value):
        raise ValueError(f"expected a path on this machine; got the address {shown}; write the path alone")
    if value != value.strip():
        raise ValueError(f"expected a path without blanks around it; got {shown}; leave them off")


def _refuse_windows(value: str, path: Path) -> None:
    """Raise ValueError for a path of Windows, which another system takes for the name of one new folder."""
    shown = excerpt(json.dumps(value, ensure_ascii=False))
    if _DRIVE.match(value):
        raise ValueError(f"expected a path without a drive letter, which only Windows has; got {shown}")
    if "\\" in value and not os.path.lexists(path):
        raise ValueError(f"expected / between folders; got {shown}; write / for each \\")


def _resolve_paths(value: Any) -> Any:
    """The path of a folder, or a tuple of the paths in a list of one or more."""
    if not isinstance(value, list):
        return _resolve_path(value)
    if not value or not all(isinstance(path, str) and path.strip() for path in value):
        raise ValueError(f"expected {PATHS}; got {excerpt(json.dumps(value, ensure_ascii=False))}")
    return tuple(map(_resolve_path, value))


def _check_channels(value: int) -> int:
    if value not in (1, 3):
        raise ValueError(f"expected {CHANNELS}; got {value}")
    return value


def _to_bool(value: Any) -> Any:
    return bool(value) if value in (0, 1) and isinstance(value, int) else value


def _check_network(value: str) -> str:
    if value not in NETWORKS:
        raise ValueError(f"expected {NETWORK_NAMES}; got {json.dumps(value, ensure_ascii=False)}")
    return value


def _join_characters(value: Any) -> Any:
    """A list of characters as a text: configs of the first versions of the original suite have one."""
    if isinstance(value, list) and all(isinstance(character, str) for character in value):
        return "".join(value)
    return value


def _check_alphabet(value: str) -> str:
    value = normalise(value)
    faults = alphabet_faults(value)
    if faults:
        raise ValueError("; ".join(faults))
    return value


def _check_drawable(value: str) -> str:
    value = normalise(value)
    if not value or not all(map(is_visible, value)):
        raise ValueError(f"expected 1 or more characters that can be drawn; got {value!a}")
    return value


FilePath = Annotated[
    Path,
    BeforeValidator(_resolve_path),
    WithJsonSchema({"type": "string", "minLength": 1}),
    Expected("a path, absolute or relative to the project's folder"),
]
FolderPaths = Annotated[
    Path | tuple[Path, ...],
    BeforeValidator(_resolve_paths),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1, "uniqueItems": True},
            ]
        }
    ),
    Expected(PATHS),
]
Flag = Annotated[
    bool, BeforeValidator(_to_bool), WithJsonSchema({"enum": [True, False, 1, 0]}), Expected("true, false, 1 or 0")
]
Pixels = Annotated[int, Field(ge=8, le=4096), Expected("a whole number of pixels, 8 to 4096")]
Length = Annotated[int, Field(ge=1, le=LABEL_LIMIT), Expected("a whole number of characters, 1 to 64")]
Bytes = Annotated[int, Field(ge=1, le=BYTES_LIMIT)]
Count = Annotated[int, Field(ge=1, le=COUNT_LIMIT), Expected(f"a whole number, 1 to {COUNT_LIMIT}")]
BatchSize = Annotated[int, Field(ge=1, le=65536), Expected("a whole number of pictures, 1 to 65536")]
Seed = Annotated[int, Field(ge=0, lt=2**32), Expected("a whole number, 0 to 4294967295")]
Share = Annotated[float, Field(ge=0, le=1), Expected("a number from 0 to 1")]
Channels = Annotated[int, AfterValidator(_check_channels), WithJsonSchema({"enum": [1, 3]}), Expected(CHANNELS)]
Network = Annotated[
    str,
    AfterValidator(_check_network),
    WithJsonSchema({"enum": [*NETWORKS], "type": "string"}),
    Expected(NETWORK_NAMES),
]
Url = Annotated[
    str,
    AfterValidator(web_address),
    WithJsonSchema({"type": "string", "pattern": "^https?://."}),
    Expected("an address that starts with http:// or https://"),
]
Text = Annotated[str, Field(min_length=1), Expected("a text in quotes")]
Characters = Annotated[
    str,
    BeforeValidator(_join_characters),
    AfterValidator(_check_alphabet),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
    Expected("a text of 2 or more different characters"),
]
DrawnCharacters = Annotated[str, AfterValidator(_check_drawable), Expected("a text of 1 or more characters")]
Suffix = Annotated[
    Literal["png", "jpg", "jpeg", "gif", "bmp", "webp"],
    Expected("one of png, jpg, jpeg, gif, bmp, webp, in lower case and without a dot"),
]
SuffixOrAny = Annotated[
    Literal["png", "jpg", "jpeg", "gif", "bmp", "webp", "any"],
    Expected("one of png, jpg, jpeg, gif, bmp, webp, in lower case and without a dot, or any"),
]
