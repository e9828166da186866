"""The HTTP server that both applications run on."""

import logging

import waitress
from flask import Flask

from cnnlib.errors import ServiceError

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(app: Flask, host: str, port: int, path: str) -> None:
    """Serve until Ctrl-C or SIGTERM, printing the address of `path`.

    Raises ServiceError when the address can't be bound.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    shown = f"[{host}]" if ":" in host else host
    try:
        server = waitress.create_server(app, host=host, port=port)
    except (OSError, ValueError) as error:
        remedy = "is another program, or another run of this one, there? --host and --port take others"
        raise ServiceError(f"http://{shown}:{port}: can't serve there ({error}); {remedy}") from error
    if host not in LOOPBACK:
        print(f"Listening on {host}: every machine that reaches this one can send requests, and nothing asks who it is")
    listening = getattr(server, "effective_listen", None) or [(host, server.effective_port)]  # several for localhost
    print(f"Serving http://{shown}:{listening[0][1]}{path} (Ctrl-C stops)", flush=True)
    server.run()
