"""A source of fresh captchas: `GET /captcha/` gives a PNG of the configured look."""

import secrets
import threading
from urllib.parse import quote

from flask import Flask, Response

from cnnlib.config import CaptchaConfig
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.synthesis.captcha import draw_captcha


def create_captcha_app(config: CaptchaConfig, with_label: bool = False, fonts: tuple[str, ...] = ()) -> Flask:
    """A Flask application that draws a picture for each request; `with_label` tells its label in a header.

    `fonts` are files, one drawn for each character; none: the library's own.
    """
    app = Flask(__name__)
    look = config.model_copy(update={"image_suffix": "png"})
    drawing = threading.Lock()  # the captcha library draws from the global random generator

    @app.get("/captcha/")
    def captcha() -> Response:
        with drawing:
            label, data = draw_captcha(look, secrets.token_hex(), fonts)
        response = Response(data, mimetype="image/png", headers={"Cache-Control": "no-store"})
        if with_label:
            response.headers[LABEL_HEADER] = quote(label, safe="")
        return response

    return app
