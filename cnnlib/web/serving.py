"""The HTTP server that both applications run on."""

import logging
import signal
import sys

import waitress
from flask import Flask

from cnnlib.errors import ServiceError
from cnnlib.script import SIGNAL_BASE

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(app: Flask, host: str, port: int, path: str) -> None:
    """Serve until Ctrl-C or SIGTERM, printing the address of `path`.

    Raises ServiceError when the address can't be bound.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    try:
        server = waitress.create_server(app, host=host, port=port)
    except OSError as error:
        remedy = "is another program, or another run of this one, there? --port takes another"
        raise ServiceError(f"http://{host}:{port}: can't serve there: {error.strerror}; {remedy}") from error
    if host not in LOOPBACK:
        print(f"Listening on {host}: every machine that reaches this one can send requests, and nothing asks who it is")
    print(f"Serving http://{host}:{server.effective_port}{path} (Ctrl-C stops)", flush=True)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(SIGNAL_BASE + number))
    server.run()
