"""The Prometheus metrics of a server.

A server of several processes adds up their metrics in a folder. Each process needs its path in the environment
variable `PROMETHEUS_MULTIPROC_DIR` before it starts.
"""

import logging
import os
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # environment variable of prometheus_client
OTHER = "other"  # label of unknown routes and methods, which a client could invent without end

REQUESTS = Counter("captcha_requests", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "captcha_request_seconds",
    "Seconds from a request's arrival to its answer",
    ["route"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 4.096),
)
CONFIDENCE = Histogram(
    "captcha_confidence",
    "Confidence of each prediction",
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


def make_metrics_folder() -> bool:
    """Whether the metrics folder was missing and has been made. Without the environment variable there is none.

    Raises OSError.
    """
    if METRICS_FOLDER not in os.environ or Path(os.environ[METRICS_FOLDER]).is_dir():
        return False
    Path(os.environ[METRICS_FOLDER]).mkdir(0o700, parents=True, exist_ok=True)
    return True


def restore_metrics_folder() -> None:
    """Make the metrics folder if it was removed, as some systems do at logout, and log the loss."""
    if make_metrics_folder():
        _log.warning(
            "the metrics folder was removed: the counts of the running processes, later ones too, are lost; "
            "restart the server"
        )


def open_metrics_files() -> None:
    """Open this process's files in the metrics folder, so that requests are counted even after its removal."""
    REQUESTS.labels("/healthz", "GET", 200)
    SECONDS.labels("/healthz")
