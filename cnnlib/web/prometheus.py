"""The Prometheus metrics of a server.

A server of several processes adds up their metrics in a folder. Each process needs its path in the environment
variable `PROMETHEUS_MULTIPROC_DIR` before it starts.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, mmap_dict, values

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # environment variable of prometheus_client
OTHER = "other"  # label of unknown routes and methods, which a client could invent without end
FILE_BYTES = 2**16  # of a new file of metrics
ENTRY_BYTES = 32  # of an entry beside its key, at most


class AllocatedDict(mmap_dict.MmapedDict):
    """A file of metrics whose whole space is taken from the disk before it is written to.

    Where the disk is full, this raises OSError. Writing to a page that the disk has no room for kills the process.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        if not read_mode:
            _allocate(Path(filename))
        super().__init__(filename, read_mode)

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + ENTRY_BYTES > self._capacity and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)


def _allocate(path: Path) -> None:
    """Make a file of metrics, or take the space of one that is there. Raises OSError, and then leaves no empty file."""
    with path.open("ab") as file:
        size = os.fstat(file.fileno()).st_size
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size or FILE_BYTES)
        except OSError:
            if not size:
                path.unlink()  # reading an empty one would fail
            raise


values.MmapedDict = AllocatedDict  # type: ignore[attr-defined]

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


_faults: set[str] = set()  # that were logged


@contextmanager
def counting() -> Iterator[None]:
    """Go on when a metric can't be written, as in a full folder or without file descriptors; log a reason once."""
    try:
        yield
    except OSError as error:
        reason = str(error.strerror or error)
        if reason not in _faults:
            _faults.add(reason)
            _log.warning(
                "%s: metrics can't be written: %s; requests are answered, but some are not counted",
                os.environ.get(METRICS_FOLDER, "metrics"),
                reason,
            )


def count_request(route: str, method: str, status: int, seconds: float | None = None) -> None:
    """Count a request, and how long its answer took if that is known."""
    with counting():
        REQUESTS.labels(route, method, status).inc()
        if seconds is not None:
            SECONDS.labels(route).observe(seconds)


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
    with counting():
        if make_metrics_folder():
            _log.warning(
                "the metrics folder was removed: the counts of the running processes, later ones too, are lost; "
                "restart the server"
            )


def open_metrics_files() -> None:
    """Open this process's files in the metrics folder, so that requests are counted even after its removal."""
    with counting():
        REQUESTS.labels("/healthz", "GET", 200)
        SECONDS.labels("/healthz")
