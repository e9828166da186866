"""What is counted of requests and readings for Prometheus, and the log of requests.

In a server of several processes the figures of all are told when each has `PROMETHEUS_MULTIPROC_DIR` in its
environment before it starts.
"""

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from cnnlib.web import ACCESS_LOG

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # environment variable of the folder where the figures of processes meet
OTHER = "other"  # a route or method that is not ours: never as it comes, which anyone can invent

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
MODEL_SAVED = Gauge(
    "captcha_model_saved_timestamp_seconds",
    "When the model in use was saved, in seconds since 1970",
    ["model"],
    multiprocess_mode="mostrecent",
)

_log = logging.getLogger(__name__)
_access = logging.getLogger(ACCESS_LOG)


def make_metrics_folder() -> bool:
    """Make the folder where the figures of processes meet, if there is to be one and it is missing; whether it was.

    Raises OSError.
    """
    if METRICS_FOLDER not in os.environ or Path(os.environ[METRICS_FOLDER]).is_dir():
        return False
    Path(os.environ[METRICS_FOLDER]).mkdir(0o700, parents=True, exist_ok=True)
    return True


def restore_metrics_folder() -> None:
    """Make the folder anew where a system removed it, as some do at a log-out, and warn of what is lost."""
    if make_metrics_folder():
        _log.warning(
            "the folder of figures was removed: what the processes that run now counted, and still count, is not told "
            "any more; start the server anew"
        )


def open_figures() -> None:
    """Open the files of this process's figures in their folder, so that counting costs no answer once it is removed."""
    REQUESTS.labels("/healthz", "GET", 200)
    SECONDS.labels("/healthz")


def log_request(client: str | None, status: int, **more: Any) -> None:
    """A line for one request, a JSON object."""
    _access.info("%s", json.dumps({"time": round(time.time(), 3), "client": client, "status": status, **more}))
