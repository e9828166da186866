"""A picture from the captcha source, as a server asks for it."""

import base64
import time
import urllib.request
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cnnlib.wire import LOOPBACK

TIMEOUT_S = 5  # less than what a server in front waits, so that it hears which machine did not answer
SAFE = "%/:=&?~+!$,;'@()*"  # signs that paths and queries have as they are; all others are percent-encoded


def fetch(source: str, limit: int) -> bytes:
    """What a source gives, no more than some bytes beyond `limit`; proxies are not asked for this very machine.

    Raises OSError, also when it takes longer than `TIMEOUT_S`, ValueError or HTTPException.
    """
    proxies = urllib.request.ProxyHandler({} if urlsplit(source).hostname in LOOPBACK else None)
    end, data = time.monotonic() + TIMEOUT_S, b""
    with urllib.request.build_opener(proxies).open(_request(source), timeout=TIMEOUT_S) as answer:
        while len(data) <= limit and (part := answer.read1(2**16)):
            data += part
            if time.monotonic() > end:
                raise TimeoutError
    return data


def without_user(source: str) -> str:
    """The address without user and password, for everyone to see."""
    parts = urlsplit(source)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _request(source: str) -> urllib.request.Request:
    """The request to a source: its address in ASCII, user and password in a header."""
    parts = urlsplit(source)
    host = (parts.hostname or "").encode("idna").decode()
    place = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
    path, query = quote(parts.path, safe=SAFE), quote(parts.query, safe=SAFE)
    asked = urllib.request.Request(urlunsplit((parts.scheme, place, path, query, "")))
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        asked.add_unredirected_header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return asked
