"""The page at GET /: pictures in, readings out, for people; and fresh pictures from the captcha source for it."""

from http.client import HTTPException
from urllib.error import HTTPError

from flask import Flask, Response, render_template

from cnnlib.codec.images import decode_picture
from cnnlib.core.errors import SampleError
from cnnlib.web import PIXEL_LIMIT
from cnnlib.web.api_errors import NO_SOURCE, RefusalError
from cnnlib.web.fetching import fetch, without_user
from cnnlib.web.model_registry import Models

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
        shown = without_user(source)
        try:
            data = fetch(source, body_limit)
        except HTTPError as error:
            raise RefusalError(502, NO_SOURCE, f"{shown}: the captcha source answered {error.code}") from error
        except (OSError, ValueError, HTTPException) as error:
            raise RefusalError(502, NO_SOURCE, f"{shown}: the captcha source can't be reached") from error
        if len(data) > body_limit:
            raise RefusalError(502, NO_SOURCE, f"{shown}: expected at most {body_limit} bytes; got more")
        try:  # what the source says of its kind doesn't count; an SVG, say, may hold a script
            kind = str(decode_picture(data, PIXEL_LIMIT).format).lower()
        except SampleError as error:
            raise RefusalError(502, NO_SOURCE, f"{shown}: {error}") from error
        return Response(data, mimetype=f"image/{kind}", headers={"Cache-Control": "no-store"})
