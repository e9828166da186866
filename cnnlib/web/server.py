"""The HTTP server of both applications: uvicorn, with one or more processes, on one port or two."""

import asyncio
import gc
import ipaddress
import logging
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from flask import Flask
from uvicorn.supervisors import Multiprocess

from cnnlib.core.printable import PrintableFormatter
from cnnlib.core.signals import block_signals, unblock_signals
from cnnlib.web import ACCESS_LOG, BODY_LIMIT_BYTES
from cnnlib.web.access_log import TerminalFormatter
from cnnlib.web.http_limits import LimitedProtocol
from cnnlib.web.prometheus import METRICS_FOLDER, make_metrics_folder, open_metrics_files, restore_metrics_folder
from cnnlib.web.sockets import listen_on, refuse_new_connections
from cnnlib.web.stopping import GracefulServer
from cnnlib.web.worker_process import use_worker_processes
from cnnlib.web.wsgi_bridge import WsgiBridge

WORKER_TIMEOUT_S = 20  # a silent worker is replaced after this time
SHUTDOWN_TIMEOUT_S = 30  # for the requests under way when the server stops
DEFAULT_WORKERS_LIMIT = 4
MEMORY_FOLDER = "/dev/shm"
HANGUP = getattr(signal, "SIGHUP", None)  # sent when a terminal is closed; Windows has no such signal
METRICS_PREFIX = "captcha-metrics-"  # of the metrics folders that this module makes


class PlainAddressProtocol(LimitedProtocol):
    """Knows client and server by their IPv4 addresses where a socket of both versions of IP maps these into IPv6.

    So proxies are compared, and clients are logged, as people write them: 127.0.0.1 and not ::ffff:127.0.0.1.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.client, self.server = plain_address(self.client), plain_address(self.server)


def plain_address(place: tuple[str, Any] | None) -> tuple[str, Any] | None:
    """An address and port, with the IPv4 address where it is mapped into IPv6. Others, such as names, stay."""
    if place is None:
        return None
    try:
        mapped = getattr(ipaddress.ip_address(place[0]), "ipv4_mapped", None)
    except ValueError:
        return place
    return (str(mapped or place[0]), *place[1:])


@dataclass(frozen=True)
class Worker:
    """Starts a process of a server: called by uvicorn, it makes the application."""

    make_app: Callable[[], Flask]

    def __call__(self) -> WsgiBridge:
        configure_logs()
        restore_metrics_folder()
        open_metrics_files()  # now, because the folder may be removed when the parent ends
        parent = multiprocessing.parent_process()
        if parent:
            if HANGUP:
                signal.signal(HANGUP, signal.SIG_IGN)  # the parent gets it too, and stops the workers if need be
            unblock_signals()  # before threads start, which would inherit the blocked signals
            threading.Thread(target=_stop_with, args=(parent,), daemon=True).start()
        app = self.make_app()
        gc.collect()
        gc.freeze()  # what is loaded now stays, so later collections can skip it
        return WsgiBridge(app, app.config["MAX_CONTENT_LENGTH"] or BODY_LIMIT_BYTES)


class Supervisor(Multiprocess):
    """uvicorn's supervisor, which replaces dead workers.

    This one also notices a death during a health check, and loses no connection when it stops.
    """

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        on_hangup = signal.getsignal(HANGUP) if HANGUP else None
        super().__init__(config, sockets)
        if HANGUP:
            signal.signal(HANGUP, on_hangup)  # uvicorn's handler would restart all workers

    def init_processes(self) -> None:
        with block_signals():  # until the workers handle signals: an interrupted import prints a long traceback
            super().init_processes()

    def handle_int(self) -> None:
        refuse_new_connections(self.sockets)
        super().handle_int()

    def handle_term(self) -> None:
        refuse_new_connections(self.sockets)
        super().handle_term()

    def terminate_all(self) -> None:
        super().terminate_all()
        for listener in self.sockets:
            listener.close()  # or connections that a worker can't accept any more would wait for nothing

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            process.child_conn.close()  # the worker has its own copy; only without ours does its death close the pipe
        with block_signals():
            super().keep_subprocess_alive()


def _stop_with(parent: multiprocessing.process.BaseProcess) -> None:
    """Wait for the parent's end, then stop this process. A killed parent leaves its metrics folder: remove it."""
    parent.join()
    folder = Path(os.environ[METRICS_FOLDER])
    if folder.name.startswith(METRICS_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
    signal.raise_signal(signal.SIGTERM)


def default_workers() -> int:
    """The default number of processes: one for each core, at most four."""
    return min(os.cpu_count() or 1, DEFAULT_WORKERS_LIMIT)


def configure_logs() -> None:
    """Log warnings, reloaded models and a line for each request to standard error: short in a terminal, else JSON."""
    messages = logging.StreamHandler()
    messages.setFormatter(PrintableFormatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[messages], level=logging.WARNING)
    logging.getLogger("cnnlib").setLevel(logging.INFO)
    handler = logging.StreamHandler()
    at_terminal = sys.stderr is not None and sys.stderr.isatty()
    handler.setFormatter(TerminalFormatter() if at_terminal else PrintableFormatter("%(message)s"))
    access_log = logging.getLogger(ACCESS_LOG)
    access_log.handlers, access_log.propagate = [handler], False
    access_log.setLevel(logging.INFO)


def _configure_supervisor_log() -> None:
    """Log each worker that died. Of the supervisor's other messages, log warnings only."""
    configure_logs()
    supervisor_log = logging.getLogger("uvicorn.error")
    supervisor_log.setLevel(logging.INFO)
    supervisor_log.addFilter(lambda record: record.levelno > logging.INFO or "died" in record.getMessage())


def serve(
    make_app: Callable[[], Flask],
    host: str,
    port: int,
    path: str,
    *,
    page_port: int | None = None,
    token: bool = False,
    workers: int = 1,
    proxies: Sequence[str] = (),
) -> None:
    """Serve until Ctrl-C, SIGTERM or a closed terminal, and print the URL of `path` at the start.

    Each of the `workers`, processes that share the ports, calls `make_app`, which must not raise. If there are several,
    one that dies is replaced. `page_port` is a second port of the same application, for browsers. It is left out if it
    is taken. `token` says whether requests need one. `proxies` are the addresses and networks whose X-Forwarded-For is
    believed; without any, they are those in the environment variable FORWARDED_ALLOW_IPS, or none.

    Raises ServiceError when the address can't be bound, and OSError when the metrics folder can't be made.
    """
    make_metrics_folder()
    listeners = listen_on(host, port, path, page_port, token)
    config = _uvicorn_config(Worker(make_app), workers, proxies)
    with suppress(KeyboardInterrupt, SystemExit):  # a stop on request is no error
        _stop_on_hangup()
        if workers == 1:
            GracefulServer(config).run(listeners)
        else:
            _run_workers(config, listeners)


def _uvicorn_config(worker: Worker, workers: int, proxies: Sequence[str]) -> uvicorn.Config:
    return uvicorn.Config(
        worker,
        factory=True,
        interface="asgi3",
        http=PlainAddressProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=[*proxies]
        or os.environ.get("FORWARDED_ALLOW_IPS", ""),  # by default uvicorn trusts 127.0.0.1
        workers=workers,
        timeout_worker_healthcheck=WORKER_TIMEOUT_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )


def _stop_on_hangup() -> None:
    """Handle a closed terminal as SIGTERM, unless the signal is ignored, as under nohup."""
    if HANGUP and signal.getsignal(HANGUP) != signal.SIG_IGN:
        signal.signal(HANGUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def _run_workers(config: uvicorn.Config, listeners: list[socket.socket]) -> None:
    """Serve in several processes, which add up their metrics in a folder."""
    _configure_supervisor_log()
    use_worker_processes()
    with tempfile.TemporaryDirectory(prefix=METRICS_PREFIX, dir=_memory_folder()) as folder:
        os.environ.setdefault(METRICS_FOLDER, folder)
        Supervisor(config, listeners).run()


def _memory_folder() -> str | None:
    """A folder in memory if there is one, because a worker that can't write its metrics to a full disk dies."""
    return MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
