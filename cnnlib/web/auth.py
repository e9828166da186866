"""Access to the API: the token that requests need, and the web origins whose pages may call it."""

import hmac
from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Response, request

from cnnlib.web.api_errors import ApiError

OPEN_PATHS = ("/healthz", "/readyz", "/")  # need no token: health checks, and the page, which asks for the token itself


def protect(app: Flask, token: str | None, origins: Sequence[str]) -> None:
    """Require `Authorization: Bearer <token>` if there is a token, and let pages of `origins` call the API.

    A POST from a page of another site is refused. CORS alone would only hide the answer from that page.
    """

    @app.before_request
    def check_access() -> None:
        if request.method == "POST" and _is_cross_site() and request.headers.get("Origin") not in origins:
            raise ApiError(403, "403", "pages of other sites may not send pictures; --cors allows an origin")
        if not token or request.method == "OPTIONS" or _is_open(request.path):
            return
        scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(credentials.strip().encode(), token.encode()):
            raise ApiError(401, "401", "expected the header Authorization: Bearer <token>, with the server's token")

    @app.after_request
    def add_headers(response: Response) -> Response:
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


def _is_cross_site() -> bool:
    """Whether a page of another site sent the request.

    Browsers say so in Sec-Fetch-Site. Over plain HTTP to another machine they send only Origin.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site or origin is None:
        return site == "cross-site"
    if origin != "null" and not origin.startswith(("http://", "https://")):
        return False  # a browser extension, whose origin no page can forge
    host = _host(origin)
    return host is None or host != _host(f"//{request.host}")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")
