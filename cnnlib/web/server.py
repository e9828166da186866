"""The HTTP server that both applications run on: uvicorn, with as many processes as wanted, on one port or two."""

import gc
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from flask import Flask
from uvicorn.supervisors import Multiprocess

from cnnlib.core.signals import block_signals, unblock_signals
from cnnlib.web import ACCESS_LOG, BODY_LIMIT_BYTES
from cnnlib.web.http_limits import LimitedProtocol
from cnnlib.web.prometheus import METRICS_FOLDER, make_metrics_folder, open_figures, restore_metrics_folder
from cnnlib.web.sockets import listen_on
from cnnlib.web.wsgi_bridge import WsgiBridge

SILENCE_S = 20  # after which a worker is taken for dead; one that starts on a busy machine is silent as it imports
FINISH_S = 30  # that requests under way have when the server is stopped
MANY_WORKERS = 4
MEMORY_FOLDER = "/dev/shm"
HANGUP = getattr(signal, "SIGHUP", None)  # of a closed terminal, where systems tell of that
METRICS_PREFIX = "captcha-metrics-"  # of the name of such a folder that is ours


@dataclass(frozen=True)
class Worker:
    """What each process of a server does at its start: it makes the application anew."""

    make_app: Callable[[], Flask]

    def __call__(self) -> WsgiBridge:
        configure_logs()
        restore_metrics_folder()
        open_figures()  # before their folder may be removed, at the end of the parent
        parent = multiprocessing.parent_process()
        if parent:
            if HANGUP:
                signal.signal(HANGUP, signal.SIG_IGN)  # the parent hears it too, and tells what is to be done
            unblock_signals()  # before there are threads, which would keep them blocked
            threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        app = self.make_app()
        gc.collect()
        gc.freeze()  # what is there now stays: no collection needs to look at it again
        return WsgiBridge(app, app.config["MAX_CONTENT_LENGTH"] or BODY_LIMIT_BYTES)


class Supervisor(Multiprocess):
    """uvicorn's, which replaces a worker that has died, but sees a death at once while it waits for an answer too."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        on_hangup = signal.getsignal(HANGUP) if HANGUP else None
        super().__init__(config, sockets)
        if HANGUP:
            signal.signal(HANGUP, on_hangup)  # uvicorn's own would start all workers anew

    def init_processes(self) -> None:
        with block_signals():  # until they heed signals: one that interrupts their imports would be told at length
            super().init_processes()

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            process.child_conn.close()  # the worker has its own; with this one open, its end would not be seen
        with block_signals():
            super().keep_subprocess_alive()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    """Stop this process once its parent has gone, however it went, and remove the folder that the parent could not."""
    parent.join()
    folder = Path(os.environ[METRICS_FOLDER])
    if folder.name.startswith(METRICS_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
    signal.raise_signal(signal.SIGTERM)


def default_workers() -> int:
    """A process for each core, at most four."""
    return min(os.cpu_count() or 1, MANY_WORKERS)


def configure_logs() -> None:
    """Warnings, what happens to models, and a line of JSON for each request, on standard error."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("cnnlib").setLevel(logging.INFO)
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger(ACCESS_LOG)
    access.handlers, access.propagate = [lines], False
    access.setLevel(logging.INFO)


def _tell_deaths() -> None:
    """Log that a worker died, in the process that replaces it; of what else the supervisor tells, warnings alone."""
    configure_logs()
    supervisor = logging.getLogger("uvicorn.error")
    supervisor.setLevel(logging.INFO)
    supervisor.addFilter(lambda record: record.levelno > logging.INFO or "died" in record.getMessage())


def serve(
    make_app: Callable[[], Flask],
    host: str,
    port: int,
    path: str,
    *,
    page_port: int | None = None,
    token: bool = False,
    workers: int = 1,
) -> None:
    """Serve until Ctrl-C, SIGTERM or a closed terminal, printing the address of `path`; `token`: requests need one.

    `make_app` is called in each of the `workers`, processes that share the ports, and must not raise; one that dies is
    replaced where there are several. `page_port` is another port for the same application, one that browsers go to;
    where it is taken, it is left out.

    Raises ServiceError when the address can't be bound, OSError when there can be no folder for figures.
    """
    make_metrics_folder()
    listening = listen_on(host, port, path, page_port, token)
    config = _configured(Worker(make_app), workers)
    with suppress(KeyboardInterrupt, SystemExit):  # stopping as asked is no fault
        _heed_hangup()
        if workers == 1:
            uvicorn.Server(config).run(listening)
        else:
            _run_workers(config, listening)


def _configured(worker: Worker, workers: int) -> uvicorn.Config:
    return uvicorn.Config(
        worker,
        factory=True,
        interface="asgi3",
        http=LimitedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        workers=workers,
        timeout_worker_healthcheck=SILENCE_S,
        timeout_graceful_shutdown=FINISH_S,
    )


def _heed_hangup() -> None:
    """End when the terminal is closed, as by SIGTERM, unless that is ignored, as under nohup."""
    if HANGUP and signal.getsignal(HANGUP) != signal.SIG_IGN:
        signal.signal(HANGUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _run_workers(config: uvicorn.Config, listening: list[socket.socket]) -> None:
    """Serve in several processes, whose figures meet in a folder."""
    _tell_deaths()
    with tempfile.TemporaryDirectory(prefix=METRICS_PREFIX, dir=_memory_folder()) as folder:
        os.environ.setdefault(METRICS_FOLDER, folder)
        Supervisor(config, listening).run()


def _memory_folder() -> str | None:
    """A folder that a full disk does not touch, where there is one: a process dies when it can't write its figures."""
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
