"""What an operator sees of a server: /healthz, /readyz, /metrics for Prometheus, and a log line for each request.

In a server of several processes the metrics of all are told when each has `PROMETHEUS_MULTIPROC_DIR` in its
environment before it starts.
"""

import json
import logging
import os
import time

from flask import Flask, Response, g, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client import generate_latest as in_text_form
from prometheus_client.multiprocess import MultiProcessCollector

from cnnlib.web import ACCESS_LOG
from cnnlib.web.models import Models

REQUESTS = Counter("captcha_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "captcha_request_seconds",
    "Seconds from a request's arrival to its answer",
    ["route"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 4.096),
)
CONFIDENCE = Histogram(
    "captcha_confidence",
    "Confidence of each reading",
    ["model"],
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0),
)
MODEL_STEP = Gauge("captcha_model_step", "Training step of the model in use", ["model"], multiprocess_mode="mostrecent")
METHODS = ("GET", "HEAD", "POST", "OPTIONS")

access = logging.getLogger(ACCESS_LOG)


def observe(app: Flask, models: Models) -> None:
    """Add the routes, and time, count and log every request of `app`."""

    @app.get("/healthz")
    def healthz() -> Response:
        return jsonify({"status": "alive"})

    @app.get("/readyz")
    def readyz() -> tuple[Response, int]:
        states = {name: model.ready for name, model in models.by_name.items()}
        ready = all(states.values())
        return jsonify({"status": "ready" if ready else "not ready", "models": states}), 200 if ready else 503

    @app.get("/metrics")
    def metrics() -> Response:
        for name, model in models.by_name.items():
            if model.ready:
                MODEL_STEP.labels(name).set(model.recognizer.card.step)
        registry = REGISTRY
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return Response(in_text_form(registry), content_type=CONTENT_TYPE_LATEST)

    @app.before_request
    def arrive() -> None:
        g.arrived = time.perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        seconds = time.perf_counter() - g.arrived
        # Never the path or the method as they come, which anyone can invent.
        route = request.url_rule.rule if request.url_rule else "other"
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(route, method, response.status_code).inc()
        SECONDS.labels(route).observe(seconds)
        access.info("%s", _line(response.status_code, seconds))
        return response


def _line(status: int, seconds: float) -> str:
    """One request as a JSON object."""
    return json.dumps(
        {
            "time": round(time.time(), 3),
            "client": request.remote_addr,
            "method": request.method,
            "path": request.path,
            "status": status,
            "ms": round(1000 * seconds, 2),
            "bytes": request.content_length or 0,
            **g.get("told", {}),
        }
    )
