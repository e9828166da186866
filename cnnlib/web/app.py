"""The recognition API: `POST /b` reads pictures and answers in JSON, `GET /models` lists the models."""

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask, Response, g, jsonify, request

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.arithmetic import answer_of
from cnnlib.codec.images import decode_picture
from cnnlib.config import SAMPLE_CONFIG, SampleConfig
from cnnlib.core.api_contract import api_token
from cnnlib.core.errors import ConfigError, ModelError, SampleError, SizeError
from cnnlib.core.printable import excerpt
from cnnlib.web import BODY_LIMIT_BYTES, PIXEL_LIMIT
from cnnlib.web.api_errors import BAD_OPTION, NOT_A_PICTURE, READING_PATHS, WRONG_SIZE, ApiError, answer_errors_in_json
from cnnlib.web.auth import protect
from cnnlib.web.corrections import add_corrections
from cnnlib.web.examples import add_examples
from cnnlib.web.hosts import answer_known_names_only
from cnnlib.web.model_registry import ModelRegistry, ServedModel, load_configs, load_models
from cnnlib.web.monitoring import add_monitoring
from cnnlib.web.openapi import add_openapi
from cnnlib.web.page import add_page
from cnnlib.web.prometheus import CONFIDENCE, counting, make_metrics_folder, open_metrics_files
from cnnlib.web.request_parsing import RecognitionRequest, parse_request


def create_recognition_app(
    models: ModelRegistry,
    token: str | None = None,
    origins: Sequence[str] = (),
    body_limit: int = BODY_LIMIT_BYTES,
    hosts: Sequence[str] = (),
) -> Flask:
    """A Flask application that reads pictures with `models`, and saves them as each model's config says.

    With a `token`, every request needs it. Without one, requests over a loopback address have to name this machine, or
    one of `hosts`, as Host. Pages of the web `origins` may call the API from a browser. `body_limit` is in bytes.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = body_limit
    app.config[READING_PATHS] = "POST /b, or POST /b/NAME with a name from GET /models"
    app.json.sort_keys = False  # type: ignore[attr-defined]
    answer_errors_in_json(app)
    add_monitoring(app, models.by_name)
    if not token:
        answer_known_names_only(app, hosts)
    protect(app, token, origins)
    add_openapi(app)
    add_corrections(app, lambda name: models.named(name).config)
    add_examples(app, lambda name: models.named(name).examples.current())
    add_page(app, next(iter(models.by_name.values())).config.remote_url, body_limit)
    pool = ThreadPoolExecutor(os.cpu_count(), "reader")  # reads the pictures of one request in parallel

    @app.post("/b")
    @app.post("/b/<name>")
    def recognize(name: str | None = None) -> Response:
        return _answer_request(models, pool, name)

    @app.get("/models")
    def list_models() -> Response:
        return jsonify([model.describe() for model in models.by_name.values()])

    return app


def create_app(
    *config_paths: Path | str,
    origins: Sequence[str] = (),
    body_limit: int = BODY_LIMIT_BYTES,
    hosts: Sequence[str] = (),
) -> Flask:
    """The WSGI application for gunicorn, uWSGI and others. Without a path it uses conf/sample_config.json.

    Requests need the token in the environment variable CAPTCHA_API_TOKEN, if it is set. Pages of the web `origins` may
    call the API. A request's body may have `body_limit` bytes. Without a token, a server on a loopback address answers
    to the names of this machine and to `hosts`.
    Raises ConfigError for a faulty config or token, ModelError when no model fits a config, and OSError when the
    metrics folder can't be made.
    """
    models = load_models(load_configs(config_paths or (SAMPLE_CONFIG,)))
    make_metrics_folder()
    open_metrics_files()
    return create_recognition_app(models, api_token(), origins, body_limit, hosts)


def create_worker_app(
    configs: Mapping[str, SampleConfig], origins: Sequence[str], body_limit: int, hosts: Sequence[str]
) -> Flask:
    """The application of a worker process, with the configs that its parent loaded. A model may still be missing."""
    return create_recognition_app(load_models(configs, allow_missing=True), api_token(), origins, body_limit, hosts)


class ReadPicture(NamedTuple):
    """What became of a picture: the model that read it, its prediction, and the least confidence that was asked for.

    `seconds` is what decoding and reading took.
    """

    model: ServedModel
    prediction: Prediction
    threshold: float
    seconds: float


def _read(
    number: int, data: bytes, chosen: ServedModel | None, models: ModelRegistry, parsed: RecognitionRequest
) -> ReadPicture:
    """The reading of one of a request's pictures.

    Without a `chosen` model, the picture's size decides. Raises ApiError that names the picture by its `number`.
    """
    start = time.perf_counter()
    try:
        picture = decode_picture(data, PIXEL_LIMIT // len(parsed.pictures))
        model = chosen or models.for_size(picture.size)
        recognizer = model.recognizer
        threshold = recognizer.threshold(parsed.min_confidence)
        prediction = recognizer.recognize([picture], parsed.hints)[0]
    except ModelError as error:
        raise ApiError(400, BAD_OPTION, f"the model {model.name}: {error}") from error
    except ConfigError as error:
        raise ApiError(400, BAD_OPTION, str(error)) from error
    except SizeError as error:
        raise ApiError(422, WRONG_SIZE, f"picture {number}: {error}") from error
    except SampleError as error:
        raise ApiError(400, NOT_A_PICTURE, f"picture {number}: {error}") from error
    return ReadPicture(model, prediction, threshold, time.perf_counter() - start)


def _answer_request(models: ModelRegistry, pool: ThreadPoolExecutor, name: str | None) -> Response:
    """Read and keep the pictures of the current request, with the model of this name if it has one."""
    parsed = parse_request(request)
    model_name = name or parsed.model
    if parsed.model not in (None, model_name):
        got = excerpt(str(parsed.model))
        raise ApiError(400, BAD_OPTION, f"expected no model, or {name}, as the address says; got {got}")
    chosen = models.named(model_name) if model_name else None
    read = partial(_read, chosen=chosen, models=models, parsed=parsed)
    apply = pool.map if len(parsed.pictures) > 1 else map
    readings = [*apply(read, itertools.count(1), parsed.pictures)]
    g.readings = [(reading.prediction.text, reading.prediction.confidence) for reading in readings]
    g.log_fields = {"pictures": len(readings), "model": readings[0].model.name}
    answers = []
    for data, reading in zip(parsed.pictures, readings, strict=True):
        with counting():
            CONFIDENCE.labels(reading.model.name).observe(reading.prediction.confidence)
        answers.append(_answer(reading))
        serial = reading.model.received.save(data, reading.prediction.text) if parsed.save else None
        if parsed.kept:
            answers[-1]["kept"] = serial and f"{reading.model.name}/{serial}"
    if parsed.answer:
        answers = [answer | {"answer": answer_of(answer["value"] or "")} for answer in answers]
    return jsonify(answers if parsed.as_list else answers[0])


def _answer(reading: ReadPicture) -> dict[str, Any]:
    """The JSON of one reading: the original project's keys and ours.

    A text of less confidence than was asked for is the candidate, and the value is null.
    """
    prediction = reading.prediction
    answer = {
        "time": str(time.time()),
        "value": prediction.text,
        "speed_time(ms)": round(1000 * reading.seconds, 3),
        "confidence": round(prediction.confidence, 6),
        "character_confidences": [round(share, 6) for share in prediction.character_confidences],
    }
    if prediction.confidence < reading.threshold:
        return answer | {"value": None, "candidate": prediction.text}
    return answer
