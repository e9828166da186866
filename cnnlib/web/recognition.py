"""The recognition API: `POST /b` with a picture, an answer in JSON."""

import logging
import time

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from cnnlib.config import SampleConfig
from cnnlib.errors import SampleError, SizeError
from cnnlib.pictures import save_picture
from cnnlib.recognizer import Recognizer

BODY_LIMIT_BYTES = 2**20
NO_PICTURE, NO_DECODABLE_PICTURE, WRONG_SIZE = "1001", "1002", "1003"  # 1001 is the original's
log = logging.getLogger(__name__)


def create_recognition_app(recognizer: Recognizer, config: SampleConfig) -> Flask:
    """A Flask application that reads pictures with `recognizer` and keeps them in the config's `api_image_dir`."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = BODY_LIMIT_BYTES
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.register_error_handler(HTTPException, _http_error)

    @app.post("/b")
    def recognize() -> Response | tuple[Response, int]:
        upload = request.files.get("image_file")
        data = upload.read() if upload else b""
        if not data:
            return _error(400, NO_PICTURE, "expected a picture in the multipart field image_file; got none")
        start = time.perf_counter()
        try:
            reading = recognizer.recognize([data])[0]
        except SizeError as error:
            return _error(422, WRONG_SIZE, str(error))
        except SampleError as error:
            return _error(400, NO_DECODABLE_PICTURE, str(error))
        elapsed_ms = 1000 * (time.perf_counter() - start)
        keep(data, reading.text, config)
        return jsonify(
            {
                "time": str(time.time()),
                "value": reading.text,
                "speed_time(ms)": round(elapsed_ms, 3),
                "confidence": round(reading.confidence, 6),
            }
        )

    return app


def keep(data: bytes, text: str, config: SampleConfig) -> None:
    """Keep a received picture under its reading; where that fails, the answer is given all the same."""
    try:
        save_picture(config.api_image_dir, text, config.image_suffix, data)
    except OSError as error:
        log.warning("%s: the received picture is not kept: %s", config.api_image_dir, error.strerror)


def _error(status: int, code: str, message: str) -> tuple[Response, int]:
    return jsonify({"error_code": code, "message": message}), status


def _http_error(error: HTTPException) -> tuple[Response, int]:
    """404, 405, 413 and the like, as JSON with the status as code."""
    status = error.code or 500
    return _error(status, str(status), error.description or error.name)
