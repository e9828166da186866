"""The HTTP server that both applications run on."""

import logging

import waitress
from flask import Flask

from cnnlib.errors import ServiceError
from cnnlib.web import ACCESS_LOG

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def configure_logs() -> None:
    """Warnings, and a line of JSON for each request, on standard error."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    lines = logging.StreamHandler()
    lines.setFormatter(logging.Formatter("%(message)s"))
    access = logging.getLogger(ACCESS_LOG)
    access.handlers, access.propagate = [lines], False
    access.setLevel(logging.INFO)


def serve(app: Flask, host: str, port: int, path: str, *, token: bool = False) -> None:
    """Serve until Ctrl-C or SIGTERM, printing the address of `path`; `token`: requests need one.

    Raises ServiceError when the address can't be bound.
    """
    configure_logs()
    shown = f"[{host}]" if ":" in host else host
    try:
        server = waitress.create_server(app, host=host, port=port)
    except (OSError, ValueError) as error:
        remedy = "is another program, or another run of this one, there? --host and --port take others"
        raise ServiceError(f"http://{shown}:{port}: can't serve there ({error}); {remedy}") from error
    if host not in LOOPBACK:
        who = "only those with the token are answered" if token else "nothing asks who it is"
        print(f"Listening on {host}: every machine that reaches this one can send requests; {who}")
    listening = getattr(server, "effective_listen", None) or [(host, server.effective_port)]  # several for localhost
    print(f"Serving http://{shown}:{listening[0][1]}{path} (Ctrl-C stops)", flush=True)
    server.run()
