"""Who may use the API: those with the token, if one is set, and the pages of web origins that are named."""

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, request

from cnnlib.web.api_errors import RefusalError

OPEN = ("/healthz", "/readyz", "/")  # of supervisors, and the page: they tell nothing of pictures


def guard(app: Flask, token: str | None, origins: Sequence[str]) -> None:
    """Ask every request for `Authorization: Bearer <token>`, if there is a token, and answer pages of `origins`.

    Those of other sites may send nothing, also where browsers would hide the answer from them.
    """

    @app.before_request
    def check() -> None:
        if request.method == "POST" and _of_another_site() and request.headers.get("Origin") not in origins:
            raise RefusalError(403, "403", "pages of other sites may not send pictures; --cors names those that may")
        if not token or request.method == "OPTIONS" or _open(request.path):
            return
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), token.encode()):
            raise RefusalError(401, "401", "expected the header Authorization: Bearer <token>, with the server's token")

    @app.after_request
    def tell(response: Response) -> Response:
        if response.status_code == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        origin = request.headers.get("Origin")
        if origin in origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            response.headers["Access-Control-Allow-Methods"] = "GET, POST"
        if origins:
            response.vary.add("Origin")
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response


def _of_another_site() -> bool:
    """Whether a page of another site sends the request: browsers say so, or, over plain HTTP, only where it is from."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site or origin is None:
        return site == "cross-site"
    if origin != "null" and not origin.startswith(("http://", "https://")):
        return False  # a browser's extension, which no page can pretend to be
    host = _host(origin)
    return host is None or host != _host(f"//{request.host}")


def _host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _open(path: str) -> bool:
    return path in OPEN or path.startswith("/static/")
