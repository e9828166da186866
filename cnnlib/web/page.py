"""The page at GET /: pictures in, readings out, for people; and fresh pictures from the captcha source for it."""

import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError, URLError

from flask import Flask, Response, render_template

from cnnlib.pictures import FORMATS
from cnnlib.web.models import Models
from cnnlib.web.refusal import NO_SOURCE, RefusalError

TIMEOUT_S = 10
KINDS = [f"image/{name.lower()}" for name in FORMATS]  # an SVG, say, may hold a script
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def add_page(app: Flask, models: Models, body_limit: int) -> None:
    """Add `GET /` and `GET /fresh`, a picture from the `remote_url` of the first model's config."""

    @app.get("/")
    def page() -> Response:
        response = Response(render_template("page.html", body_limit=body_limit), mimetype="text/html")
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        return response

    @app.get("/fresh")
    def fresh() -> Response:
        source = next(iter(models.by_name.values())).config.remote_url
        try:
            with urllib.request.urlopen(source, timeout=TIMEOUT_S) as answer:
                data, kind = answer.read(body_limit + 1), answer.headers.get_content_type()
        except HTTPError as error:
            raise RefusalError(502, NO_SOURCE, f"{source}: the captcha source answered {error.code}") from error
        except (URLError, OSError, ValueError, HTTPException) as error:
            raise RefusalError(502, NO_SOURCE, f"{source}: the captcha source can't be reached") from error
        if kind not in KINDS:
            raise RefusalError(502, NO_SOURCE, f"{source}: expected one of {', '.join(KINDS)}; got {kind}")
        if len(data) > body_limit:
            raise RefusalError(502, NO_SOURCE, f"{source}: expected at most {body_limit} bytes; got more")
        return Response(data, mimetype=kind, headers={"Cache-Control": "no-store"})
