"""The recognition API: `POST /b` with pictures, answers in JSON; `GET /models` tells what it reads with."""

import itertools
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from flask import Flask, Response, g, jsonify, request

from cnnlib.codec.alphabet import Reading
from cnnlib.codec.images import decode_picture
from cnnlib.core.errors import SampleError, SizeError
from cnnlib.web import BODY_LIMIT_BYTES, PIXEL_LIMIT
from cnnlib.web.api_errors import NOT_A_PICTURE, WRONG_SIZE, RefusalError, answer_refusals
from cnnlib.web.auth import guard
from cnnlib.web.model_registry import Model, Models
from cnnlib.web.monitoring import observe
from cnnlib.web.openapi import describe_api
from cnnlib.web.page import add_page
from cnnlib.web.prometheus import CONFIDENCE
from cnnlib.web.request_parsing import InMemory, read_request


def create_recognition_app(
    models: Models, token: str | None = None, origins: Sequence[str] = (), body_limit: int = BODY_LIMIT_BYTES
) -> Flask:
    """A Flask application that reads pictures with `models`, and keeps them where each model's config says so.

    A request needs the `token`, if there is one; pages of the `origins` may call it from a browser.
    """
    app = Flask(__name__)
    app.request_class = InMemory
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = body_limit
    app.json.sort_keys = False  # type: ignore[attr-defined]
    answer_refusals(app)
    observe(app, models)
    guard(app, token, origins)
    describe_api(app)
    add_page(app, models, body_limit)
    readers = ThreadPoolExecutor(os.cpu_count(), "reader")  # of the pictures of one request

    @app.post("/b")
    @app.post("/b/<name>")
    def recognize(name: str | None = None) -> Response:
        asked = read_request(request)
        chosen = name or asked.model
        named = models.named(chosen) if chosen else None
        several = len(asked.pictures) > 1
        most = PIXEL_LIMIT // len(asked.pictures)
        read = partial(_read, named=named, models=models, pixel_limit=most)
        done = [*(readers.map if several else map)(read, itertools.count(1), asked.pictures)]
        g.told = {"pictures": len(done), "model": done[0][0].name}
        for data, (model, reading, _) in zip(asked.pictures, done, strict=True):
            CONFIDENCE.labels(model.name).observe(reading.confidence)
            model.keeper.keep(data, reading.text)
        answers = [_answer(reading, seconds, asked.min_confidence) for _, reading, seconds in done]
        return jsonify(answers if asked.as_list else answers[0])

    @app.get("/models")
    def list_models() -> Response:
        return jsonify([model.describe() for model in models.by_name.values()])

    return app


def _read(
    number: int, data: bytes, named: Model | None, models: Models, pixel_limit: int
) -> tuple[Model, Reading, float]:
    """Model, reading and seconds of one of the pictures of a request. Raises RefusalError, naming it by its number."""
    start = time.perf_counter()
    try:
        picture = decode_picture(data, pixel_limit)
        model = named or models.fitting(picture.size)
        reading = model.recognizer.recognize([picture])[0]
    except SizeError as error:
        raise RefusalError(422, WRONG_SIZE, f"picture {number}: {error}") from error
    except SampleError as error:
        raise RefusalError(400, NOT_A_PICTURE, f"picture {number}: {error}") from error
    return model, reading, time.perf_counter() - start


def _answer(reading: Reading, seconds: float, min_confidence: float) -> dict[str, Any]:
    """The original's keys and ours; a doubtful text is a candidate, not a value."""
    answer = {
        "time": str(time.time()),
        "value": reading.text,
        "speed_time(ms)": round(1000 * seconds, 3),
        "confidence": round(reading.confidence, 6),
        "character_confidences": [round(share, 6) for share in reading.character_confidences],
    }
    doubtful = reading.confidence < min_confidence
    return answer | {"value": None, "candidate": reading.text} if doubtful else answer
