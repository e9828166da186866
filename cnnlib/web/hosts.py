"""The names that a server answers to, so that no web page reaches it by a name of its own (DNS rebinding).

A page of evil.example can have that name lead to 127.0.0.1. Then the browser takes this server for a part of the page's
own site, and lets the page read every answer. Only the header Host still tells the two apart.
"""

import re
import socket
from collections.abc import Iterable

from flask import Flask, request
from werkzeug.exceptions import Forbidden

from cnnlib.core.api_contract import is_loopback_name

_HOST = re.compile(
    r"(?:\[([0-9a-f:.]+)\]|([^\s\[\]:/\\?#@,]+))(?::[0-9]*)?", re.IGNORECASE
)  # a host, and a port or none


def answer_known_names_only(app: Flask, names: Iterable[str] = ()) -> None:
    """Refuse requests that came in over a loopback address under a foreign name in the header Host.

    Known are the names of loopback addresses, the name of this machine, and `names`, without ports.
    """
    known = {_plain(name) for name in (*names, socket.gethostname())}

    @app.before_request
    def check_host() -> None:
        if is_loopback_name(request.environ["SERVER_NAME"]) and not _is_known(request.environ.get("HTTP_HOST", "")):
            raise Forbidden(
                "Host: expected a name of this machine such as localhost, or one that --allow-host names; "
                f"got {request.environ.get('HTTP_HOST', '')[:200]}"
            )

    def _is_known(value: str) -> bool:
        name = host_of(value)
        return name is not None and (name in known or is_loopback_name(name))


def host_of(value: str) -> str | None:
    """The host in the value of a header Host, in lower case, without port. None when there is none."""
    match = _HOST.fullmatch(value.strip())
    return _plain(match[1] or match[2]) if match else None


def _plain(name: str) -> str:
    return name.strip("[]").lower().removesuffix(".")
