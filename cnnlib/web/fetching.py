"""A picture from the captcha source, as a server asks for it."""

import time
import urllib.request
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from cnnlib.core.api_contract import LOOPBACK

TIMEOUT_S = 5  # less than what a server in front waits, so that it hears which machine did not answer
SAFE = "%/:=&?~+!$,;'@()*"  # signs that paths and queries have as they are; all others are percent-encoded


def fetch(source: str, limit: int) -> bytes:
    """What a source gives, no more than some bytes beyond `limit`; proxies are not asked for this very machine.

    Raises OSError, also when it takes longer than `TIMEOUT_S`, ValueError or HTTPException.
    """
    parts, address = urlsplit(source), _in_ascii(without_user(source))
    proxies = urllib.request.ProxyHandler({} if parts.hostname in LOOPBACK else None)
    users = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if parts.username is not None:
        name, password = unquote(parts.username), unquote(parts.password or "")
        users.add_password(None, urljoin(address, "/"), name, password, is_authenticated=True)
    opener = urllib.request.build_opener(proxies, urllib.request.HTTPBasicAuthHandler(users))
    end, data = time.monotonic() + TIMEOUT_S, b""
    with opener.open(address, timeout=TIMEOUT_S) as answer:
        while len(data) <= limit and (part := answer.read1(2**16)):
            data += part
            if time.monotonic() > end:
                raise TimeoutError
    return data


def without_user(source: str) -> str:
    """The address without user and password, for everyone to see."""
    parts = urlsplit(source)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _in_ascii(address: str) -> str:
    """An address without a user as it is sent: other letters of the host in IDNA, those of the rest percent-encoded."""
    parts = urlsplit(address)
    host = (parts.hostname or "").encode("idna").decode()
    place = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
    path, query = quote(parts.path, safe=SAFE), quote(parts.query, safe=SAFE)
    return urlunsplit((parts.scheme, place, path, query, ""))
