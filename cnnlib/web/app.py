"""The recognition API: `POST /b` reads pictures and answers in JSON, `GET /models` lists the models."""

import itertools
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, jsonify, request

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.arithmetic import answer_of
from cnnlib.codec.images import decode_picture
from cnnlib.config import SAMPLE_CONFIG, SampleConfig
from cnnlib.core.api_contract import api_token
from cnnlib.core.errors import ConfigError, ModelError, SampleError, SizeError
from cnnlib.inference.hints import Hints
from cnnlib.web import BODY_LIMIT_BYTES, PIXEL_LIMIT
from cnnlib.web.api_errors import BAD_OPTION, NOT_A_PICTURE, READING_PATHS, WRONG_SIZE, ApiError, answer_errors_in_json
from cnnlib.web.auth import protect
from cnnlib.web.hosts import answer_known_names_only
from cnnlib.web.model_registry import ModelRegistry, ServedModel, load_configs, load_models
from cnnlib.web.monitoring import add_monitoring
from cnnlib.web.openapi import add_openapi
from cnnlib.web.page import add_page
from cnnlib.web.prometheus import CONFIDENCE, counting, make_metrics_folder, open_metrics_files
from cnnlib.web.request_parsing import parse_request


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
    add_monitoring(app, models)
    if not token:
        answer_known_names_only(app, hosts)
    protect(app, token, origins)
    add_openapi(app)
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


def _read(
    number: int, data: bytes, chosen: ServedModel | None, models: ModelRegistry, pixel_limit: int, hints: Hints
) -> tuple[ServedModel, Prediction, float]:
    """The model that read a picture, its prediction, and the seconds that decoding and reading took.

    Without a `chosen` model, the picture's size decides. Raises ApiError that names the picture by its `number`.
    """
    start = time.perf_counter()
    try:
        picture = decode_picture(data, pixel_limit)
        model = chosen or models.for_size(picture.size)
        prediction = model.recognizer.recognize([picture], hints)[0]
    except ConfigError as error:
        raise ApiError(400, BAD_OPTION, str(error)) from error
    except SizeError as error:
        raise ApiError(422, WRONG_SIZE, f"picture {number}: {error}") from error
    except SampleError as error:
        raise ApiError(400, NOT_A_PICTURE, f"picture {number}: {error}") from error
    return model, prediction, time.perf_counter() - start


def _answer_request(models: ModelRegistry, pool: ThreadPoolExecutor, name: str | None) -> Response:
    """Read and keep the pictures of the current request, with the model of this name if it has one."""
    parsed = parse_request(request)
    model_name = name or parsed.model
    chosen = models.named(model_name) if model_name else None
    pixel_limit = PIXEL_LIMIT // len(parsed.pictures)
    read = partial(_read, chosen=chosen, models=models, pixel_limit=pixel_limit, hints=parsed.hints)
    apply = pool.map if len(parsed.pictures) > 1 else map
    results = [*apply(read, itertools.count(1), parsed.pictures)]
    g.readings = [(prediction.text, prediction.confidence) for _, prediction, _ in results]
    g.log_fields = {"pictures": len(results), "model": results[0][0].name}
    for data, (model, prediction, _) in zip(parsed.pictures, results, strict=True):
        with counting():
            CONFIDENCE.labels(model.name).observe(prediction.confidence)
        model.received.save(data, prediction.text)
    answers = [
        _answer(prediction, seconds, _threshold(model, parsed.min_confidence)) for model, prediction, seconds in results
    ]
    if parsed.answer:
        answers = [answer | {"answer": answer_of(answer["value"] or "")} for answer in answers]
    return jsonify(answers if parsed.as_list else answers[0])


def _threshold(model: ServedModel, min_confidence: float | str) -> float:
    """The least confidence that a request asks of a model. Raises ApiError when the model can't promise a share."""
    try:
        return model.recognizer.threshold(min_confidence)
    except ModelError as error:
        raise ApiError(400, BAD_OPTION, f"the model {model.name}: {str(error).partition(': ')[2]}") from error


def _answer(prediction: Prediction, seconds: float, min_confidence: float) -> dict[str, Any]:
    """The JSON of one prediction: the original project's keys and ours.

    A text below `min_confidence` is the candidate, and the value is null.
    """
    answer = {
        "time": str(time.time()),
        "value": prediction.text,
        "speed_time(ms)": round(1000 * seconds, 3),
        "confidence": round(prediction.confidence, 6),
        "character_confidences": [round(share, 6) for share in prediction.character_confidences],
    }
    if prediction.confidence < min_confidence:
        return answer | {"value": None, "candidate": prediction.text}
    return answer
