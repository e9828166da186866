"""A source of fresh captchas: `GET /captcha/` answers with a PNG in the configured look."""

import secrets
import threading
from collections.abc import Sequence
from urllib.parse import quote

from flask import Flask, Response

from cnnlib.config import CaptchaConfig
from cnnlib.core.api_contract import LABEL_HEADER
from cnnlib.synthesis.captcha import draw_captcha
from cnnlib.web.hosts import answer_known_names_only


def create_captcha_app(
    config: CaptchaConfig, with_label: bool = False, fonts: tuple[str, ...] = (), hosts: Sequence[str] = ()
) -> Flask:
    """A Flask application that draws a picture for each request, with its label in a header if `with_label`.

    `fonts` are font files; each character takes one at random. Without any, the captcha library's are used.
    Over a loopback address it answers to the names of this machine and to `hosts`.
    """
    app = Flask(__name__)
    answer_known_names_only(app, hosts)
    look = config.model_copy(update={"image_suffix": "png"})
    lock = threading.Lock()  # the captcha library draws from the global random generator

    @app.get("/captcha/")
    def captcha() -> Response:
        with lock:
            label, data = draw_captcha(look, secrets.token_hex(), fonts)
        response = Response(data, mimetype="image/png", headers={"Cache-Control": "no-store"})
        if with_label:
            response.headers[LABEL_HEADER] = quote(label, safe="")
        return response

    return app
