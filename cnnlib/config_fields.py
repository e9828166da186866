"""The kinds of values that config keys take: what each is checked for, and what a fault's message calls it."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from cnnlib.codec.characters import alphabet_faults, is_visible, normalise
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.network.names import NETWORKS

LONGEST = 64  # characters of a label
MOST = 10**9  # of anything that is counted
CHANNELS = "1 (grey) or 3 (colour)"
NETWORK_NAMES = " or ".join([", ".join([*NETWORKS][:-1]), [*NETWORKS][-1]])


@dataclass(frozen=True)
class Expected:
    """What a fault's message says after `expected`."""

    text: str


def web_address(text: str) -> str:
    """An address that can be asked: http or https, a host, and a port that exists where there is one.

    Raises ValueError for any other text.
    """
    try:
        parts = urlsplit(text)  # which refuses brackets that stay open, as `port` does what no port is
        host, port = parts.hostname or "", parts.port
        hidden = any(ord(character) < 32 for character in text) or any(map(str.isspace, parts.netloc))
        sound = parts.scheme in ("http", "https") and port != 0 and not hidden and bool(host.encode("idna"))
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"expected an address such as http://127.0.0.1:6000/b; got {text}")
    return text


def _from_root(value: Any) -> Any:
    """A folder or file, relative to the project root whatever the working directory."""
    if isinstance(value, str) and any(ord(character) < 32 for character in value):
        remedy = "write / or \\\\ between folders, a single \\ begins a control character"
        raise ValueError(f"expected a path without control characters; got {json.dumps(value)}; {remedy}")
    usable = isinstance(value, str) and value.strip()
    return PROJECT_ROOT / os.path.expanduser(value) if usable else value  # noqa: PTH111 (an unknown ~name stays)


def _channels(value: int) -> int:
    if value not in (1, 3):
        raise ValueError(f"expected {CHANNELS}; got {value}")
    return value


def _flag(value: Any) -> Any:
    return bool(value) if value in (0, 1) and isinstance(value, int) else value


def _network(value: str) -> str:
    if value not in NETWORKS:
        raise ValueError(f"expected {NETWORK_NAMES}; got {json.dumps(value, ensure_ascii=False)}")
    return value


def _characters(value: str) -> str:
    value = normalise(value)
    faults = alphabet_faults(value)
    if faults:
        raise ValueError("; ".join(faults))
    return value


def _drawn(value: str) -> str:
    value = normalise(value)
    hidden = [character for character in value if not is_visible(character)]
    if hidden or not value:
        raise ValueError(f"expected 1 or more characters that can be drawn; got {value!a}")
    return value


FilePath = Annotated[
    Path,
    BeforeValidator(_from_root),
    WithJsonSchema({"type": "string", "minLength": 1}),
    Expected("a path, absolute or relative to the project's folder"),
]
Flag = Annotated[
    bool, BeforeValidator(_flag), WithJsonSchema({"enum": [True, False, 1, 0]}), Expected("true, false, 1 or 0")
]
Pixels = Annotated[int, Field(ge=8, le=4096), Expected("a whole number of pixels, 8 to 4096")]
Length = Annotated[int, Field(ge=1, le=LONGEST), Expected("a whole number of characters, 1 to 64")]
Count = Annotated[int, Field(ge=1, le=MOST), Expected(f"a whole number, 1 to {MOST}")]
BatchSize = Annotated[int, Field(ge=1, le=65536), Expected("a whole number of pictures, 1 to 65536")]
Seed = Annotated[int, Field(ge=0, lt=2**32), Expected("a whole number, 0 to 4294967295")]
Share = Annotated[float, Field(ge=0, le=1), Expected("a number from 0 to 1")]
Channels = Annotated[int, AfterValidator(_channels), WithJsonSchema({"enum": [1, 3]}), Expected(CHANNELS)]
Network = Annotated[
    str,
    AfterValidator(_network),
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
Characters = Annotated[str, AfterValidator(_characters), Expected("a text of 2 or more different characters")]
Drawn = Annotated[str, AfterValidator(_drawn), Expected("a text of 1 or more characters")]
Suffix = Annotated[
    Literal["png", "jpg", "jpeg", "gif", "bmp", "webp"],
    Expected("one of png, jpg, jpeg, gif, bmp, webp, in lower case and without a dot"),
]
