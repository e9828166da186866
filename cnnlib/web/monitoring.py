"""Monitoring of a server: /healthz, /readyz, /metrics for Prometheus, and a log line for each request."""

import os
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.exceptions import ServiceUnavailable

from cnnlib.web.access_log import log_request
from cnnlib.web.prometheus import (
    METRICS_FOLDER,
    MODEL_SAVED,
    MODEL_STEP,
    OTHER,
    count_request,
    counting,
    restore_metrics_folder,
)

METHODS = ("GET", "HEAD", "POST", "OPTIONS")


class Model(Protocol):
    """What is monitored of a served model."""

    @property
    def ready(self) -> bool: ...

    @property
    def recognizer(self) -> Any: ...


def add_monitoring(app: Flask, models: Mapping[str, Model]) -> None:
    """Add the monitoring routes for models by name, and time, count and log every request of `app`."""
    _add_health_routes(app, models)
    _add_metrics_route(app, models)
    _record_requests(app)


def _add_health_routes(app: Flask, models: Mapping[str, Model]) -> None:
    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "alive"})

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        states = {name: model.ready for name, model in models.items()}
        ready = all(states.values())
        return jsonify({"status": "ready" if ready else "not ready", "models": states}), 200 if ready else 503


def _add_metrics_route(app: Flask, models: Mapping[str, Model]) -> None:
    @app.get("/metrics")
    def metrics() -> Response:
        restore_metrics_folder()
        for name, model in models.items():
            if model.ready:
                card = model.recognizer.card
                with counting():
                    MODEL_STEP.labels(name).set(card.step)
                    MODEL_SAVED.labels(name).set(datetime.fromisoformat(card.saved_at).timestamp())
        try:
            return Response(_all_metrics(), content_type=CONTENT_TYPE_LATEST)
        except OSError as error:
            raise ServiceUnavailable(f"the metrics can't be read: {error.strerror or error}") from error


def _all_metrics() -> bytes:
    """The metrics of all processes. Raises OSError when those of the others can't be read."""
    if METRICS_FOLDER not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)
    except ValueError as error:  # the folder can't be made
        raise OSError(str(error)) from error
    return generate_latest(registry)


def _record_requests(app: Flask) -> None:
    @app.before_request
    def start_timer() -> None:
        g.started_at = time.perf_counter()

    @app.after_request
    def record(response: Response) -> Response:
        seconds = time.perf_counter() - g.started_at
        route = request.url_rule.rule if request.url_rule else OTHER
        method = request.method if request.method in METHODS else OTHER
        count_request(route, method, response.status_code, seconds)
        log_request(
            request.remote_addr,
            response.status_code,
            g.get("readings", ()),
            g.get("fault", ""),
            method=request.method,
            path=request.path,
            ms=round(1000 * seconds, 2),
            bytes=request.content_length or 0,
            **g.get("log_fields", {}),
        )
        return response
