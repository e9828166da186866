"""The page at GET /, where people read pictures, and GET /fresh, which fetches captchas for it."""

import urllib.request
from http.client import HTTPException, HTTPResponse
from threading import BoundedSemaphore
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from flask import Flask, Response, render_template

from cnnlib.client.answers import Exchange, bounded
from cnnlib.codec.images import decode_picture
from cnnlib.codec.picture_texts import picture_in_answer
from cnnlib.core.addresses import without_user
from cnnlib.core.api_contract import is_loopback_name
from cnnlib.core.errors import SampleError, ServiceError
from cnnlib.web import PIXEL_LIMIT
from cnnlib.web.api_errors import NO_SOURCE, ApiError
from cnnlib.web.wsgi_bridge import waits_for_others

WAITING_LIMIT = 6  # requests of a process that wait for the captcha source
HEAD_LIMIT_BYTES = 2**16  # of the source's answer, with all that is not the picture
TIMEOUT_S = 5  # below the timeout of a proxy in front, so that the client hears that the source did not answer
SAFE = "%/:=&?~+!$,;'@()*"  # characters of a path or query that are not percent-encoded
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class OtherHostError(Exception):
    """A source sends to another host, which this names."""


class SameHost(urllib.request.HTTPRedirectHandler):
    """Follows redirections on the same host and port, and from there to HTTPS: a source may not choose whom we ask."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], *arguments: Any
    ) -> urllib.request.Request | None:
        url = arguments[-1]
        if urlsplit(url).scheme not in ("http", "https"):  # FTP would be followed too
            return None
        if _place(url) not in (_place(req.full_url), _place(req.full_url.replace("http:", "https:", 1))):
            raise OtherHostError(without_user(url))
        fp.close()  # else its body would be read, of any length
        return super().redirect_request(req, fp, *arguments)


class BoundedHandler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    """Asks over connections that `exchange` bounds."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange

    def do_open(self, http_class: Any, req: urllib.request.Request, **options: Any) -> HTTPResponse:
        return super().do_open(bounded(http_class, self._exchange), req, **options)


def _place(url: str) -> tuple[str | None, int]:
    """Host and port of a URL. Raises ValueError."""
    parts = urlsplit(url)
    return parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def add_page(app: Flask, source: str, body_limit: int) -> None:
    """Add `GET /`, and `GET /fresh` with a picture from the captcha source at the URL `source`.

    `body_limit` is in bytes.
    """
    places = BoundedSemaphore(WAITING_LIMIT)

    @app.get("/")
    def page() -> Response:
        response = Response(render_template("page.html", body_limit=body_limit), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/fresh")
    @waits_for_others
    def fresh() -> Response:
        if not places.acquire(blocking=False):
            message = f"{WAITING_LIMIT} requests wait for the captcha source already; come again in a moment"
            raise ApiError(503, NO_SOURCE, message)
        try:
            data = _fetch_captcha(source, body_limit)
        finally:
            places.release()
        try:  # the source's Content-Type is ignored: an SVG, for example, can contain a script
            data = picture_in_answer(data)
            picture_format = str(decode_picture(data, PIXEL_LIMIT).format).lower()
        except SampleError as error:
            raise ApiError(502, NO_SOURCE, f"{without_user(source)}: {error}") from error
        return Response(data, mimetype=f"image/{picture_format}", headers={"Cache-Control": "no-store"})


def _fetch_captcha(source: str, limit_bytes: int) -> bytes:
    """The body of the source's answer. Raises ApiError."""
    name = without_user(source)
    try:
        return fetch(source, limit_bytes)
    except HTTPError as error:
        raise ApiError(502, NO_SOURCE, f"{name}: the captcha source answered {error.code}") from error
    except OtherHostError as error:
        raise ApiError(
            502, NO_SOURCE, f"{name}: the captcha source sends on to {error}; write that into remote_url"
        ) from error
    except (OSError, ValueError, HTTPException) as error:
        raise ApiError(502, NO_SOURCE, f"{name}: the captcha source can't be reached") from error
    except ServiceError as error:
        raise ApiError(502, NO_SOURCE, f"{name}: {error}") from error


def fetch(source: str, limit_bytes: int) -> bytes:
    """The body of the answer from the URL `source`.

    A source on this machine is asked without a proxy. A redirection is followed on the same host only.
    Raises OSError, also after `TIMEOUT_S`, ValueError, HTTPException, OtherHostError, or ServiceError when the body is
    larger than `limit_bytes`.
    """
    parts, url = urlsplit(source), _to_ascii(without_user(source))
    proxies = urllib.request.ProxyHandler({} if is_loopback_name(parts.hostname or "") else None)
    passwords = urllib.request.HTTPPasswordMgrWithPriorAuth()
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        passwords.add_password(None, urljoin(url, "/"), user, password, is_authenticated=True)
    bounded_handler = BoundedHandler(Exchange(TIMEOUT_S, limit_bytes + HEAD_LIMIT_BYTES))
    opener = urllib.request.build_opener(
        proxies, urllib.request.HTTPBasicAuthHandler(passwords), SameHost(), bounded_handler
    )
    with opener.open(url, timeout=TIMEOUT_S) as response:
        data: bytes = response.read(limit_bytes + 1)
    if len(data) > limit_bytes:
        raise ServiceError(f"expected at most {limit_bytes} bytes; got more")
    return data


def _to_ascii(url: str) -> str:
    """A URL without user and fragment, in ASCII: the host in IDNA, path and query percent-encoded."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    netloc = (f"[{host}]" if ":" in host else host) + (f":{parts.port}" if parts.port else "")
    path, query = quote(parts.path, safe=SAFE), quote(parts.query, safe=SAFE)
    return urlunsplit((parts.scheme, netloc, path, query, ""))
