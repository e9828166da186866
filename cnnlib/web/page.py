"""The page at GET /: pictures in, readings out, for people; and fresh pictures from the captcha source for it."""

import time
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from flask import Flask, Response, render_template

from cnnlib.codec.images import decode_picture
from cnnlib.core.api_contract import LOOPBACK
from cnnlib.core.errors import SampleError
from cnnlib.web import PIXEL_LIMIT
from cnnlib.web.api_errors import NO_SOURCE, ApiError
from cnnlib.web.wsgi_bridge import waits_for_others

TIMEOUT_S = 5  # less than what a server in front waits, so that it hears which machine did not answer
SAFE = "%/:=&?~+!$,;'@()*"  # signs that paths and queries have as they are; all others are percent-encoded
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_page(app: Flask, source: str, body_limit: int) -> None:
    """Add `GET /` and `GET /fresh`, a picture from the captcha source at the address `source`."""

    @app.get("/")
    def page() -> Response:
        response = Response(render_template("page.html", body_limit=body_limit), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/fresh")
    @waits_for_others
    def fresh() -> Response:
        shown = without_user(source)
        try:
            data = fetch(source, body_limit)
        except HTTPError as error:
            raise ApiError(502, NO_SOURCE, f"{shown}: the captcha source answered {error.code}") from error
        except (OSError, ValueError, HTTPException) as error:
            raise ApiError(502, NO_SOURCE, f"{shown}: the captcha source can't be reached") from error
        if len(data) > body_limit:
            raise ApiError(502, NO_SOURCE, f"{shown}: expected at most {body_limit} bytes; got more")
        try:  # what the source says of its kind doesn't count; an SVG, say, may hold a script
            kind = str(decode_picture(data, PIXEL_LIMIT).format).lower()
        except SampleError as error:
            raise ApiError(502, NO_SOURCE, f"{shown}: {error}") from error
        return Response(data, mimetype=f"image/{kind}", headers={"Cache-Control": "no-store"})


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
