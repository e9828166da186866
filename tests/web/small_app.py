"""A small application, and requests to its server as bytes on a socket, for what no HTTP client sends."""

import socket
import threading
import time

from flask import Flask, Response, request

from cnnlib.web.wsgi_bridge import waits_for_others

POST = b"POST /size?a=%20b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"  # to the small application


class Gate:
    """Holds up the slow routes of the small application: `reached` by a request, until `opened`."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()


def small_app(gate: Gate) -> Flask:
    """The application; its requests may have 1000 bytes."""
    app = Flask("small")
    app.config["MAX_CONTENT_LENGTH"] = 1000

    @app.post("/size")
    def size() -> Response:
        return Response(f"{len(request.get_data())} {request.query_string.decode()} {request.headers.get('X-Y')}")

    @app.get("/path/<path:name>")
    def path(name: str) -> Response:
        return Response(name)

    @app.get("/slow")
    @app.get("/slow/<name>")
    @waits_for_others
    def slow(name: str = "none") -> Response:
        gate.reached.set()
        return Response(f"{name} {gate.opened.wait(60)}")

    @app.get("/dated")
    def dated() -> Response:
        return Response("", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})

    return app


def get(path: bytes) -> bytes:
    """The bytes of a GET request."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def answer_to(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """All that a server answers to these bytes; each part is sent `pause` seconds after the one before."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        connection.settimeout(20)
        answer = b""
        while more := connection.recv(4096):
            answer += more
        return answer
