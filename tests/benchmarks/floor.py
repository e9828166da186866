"""The recognition server with `POST /floor` beside `POST /b`: it parses the form and decodes the picture, no more."""

import sys
from functools import partial

import numpy as np
from flask import Flask, Response, jsonify, request

from cnnlib.codec.images import decode_picture
from cnnlib.web.request_parsing import parse_request
from cnnlib.web.server import serve
from webserver_recognize_api import create_app


def create_floor(config: str) -> Flask:
    app = create_app(config)

    @app.post("/floor")
    def floor() -> Response:
        pixels = np.asarray(decode_picture(parse_request(request).pictures[0]))
        return jsonify({"value": str(pixels.shape), "speed_time(ms)": 0})

    return app


if __name__ == "__main__":
    path, port, workers = sys.argv[1:]
    serve(partial(create_floor, path), "127.0.0.1", int(port), "/floor", workers=int(workers))
