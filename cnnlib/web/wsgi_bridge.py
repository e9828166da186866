"""Runs a WSGI application on a server with an event loop (ASGI).

Reading a picture is a computation of a millisecond, so it runs in the loop itself. Threads would only take turns with
it. A view that waits for other machines runs in a thread.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.routing import Map, MapAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication
    from flask import Flask

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body
STOPPING = "cnnlib.stopping"  # key of a request's scope: an event that is set when the server stops
STOPPED: Answer = (
    503,
    [("Content-Type", "application/json"), ("Retry-After", "1")],
    b'{"error_code":"503","message":"the server is stopping; come again in a moment"}\n',
)
View = TypeVar("View", bound=Callable[..., Any])


def waits_for_others(view: View) -> View:
    """Mark a Flask view that waits for other machines or works for long, so that it runs in a thread."""
    view.waits_for_others = True  # type: ignore[attr-defined]
    return view


def waiting_routes(app: Flask) -> MapAdapter:
    """The routes of the views that are marked with `waits_for_others`."""
    rules = [
        rule.empty()
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions.get(rule.endpoint), "waits_for_others", False)
    ]
    return Map(rules).bind("localhost")


class WsgiBridge:
    """An ASGI application that runs a Flask application.

    It receives a body whole, but stops soon after `body_limit` bytes. `app` has to refuse such a request.
    """

    def __init__(self, app: Flask, body_limit: int) -> None:
        self.app, self.body_limit, self._waiting_routes = app, body_limit, waiting_routes(app)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await self._receive_body(scope, receive)
        if body is None:
            return  # the client has disconnected
        environ = _environ(scope, body)
        if self._waiting_routes.test(scope["path"], scope["method"]):
            status, headers, content = await _answer_or_stop(self.app, environ, scope)
        else:
            status, headers, content = _answer(self.app, environ)
        raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers
            if name.lower() != "date"  # uvicorn adds its own
        ]
        await send({"type": "http.response.start", "status": status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": content})

    async def _receive_body(self, scope: Message, receive: Receive) -> bytes | None:
        """The body, cut if it is larger than the limit. None when the client disconnects before its end."""
        if _content_length(scope) > self.body_limit:
            return b""
        body = bytearray()
        while len(body) <= self.body_limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        return bytes(body)


def stop_waiting(scope: Message) -> None:
    """Let a request whose view waits for others be answered at once, because the server stops."""
    if STOPPING in scope:
        scope[STOPPING].set()


async def _answer_or_stop(app: WSGIApplication, environ: dict[str, Any], scope: Message) -> Answer:
    """The answer of a view that runs in a thread, or 503 when the server stops before.

    Nothing waits for the thread then: Python ends such threads with the process.
    """
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    answer: asyncio.Future[Answer] = loop.create_future()

    def run() -> None:
        try:
            result: Callable[[], None] = partial(_resolve, answer, _answer(app, environ))
        except Exception as error:
            result = partial(_fail, answer, error)
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(result)

    scope[STOPPING] = stopping
    threading.Thread(target=run, daemon=True).start()
    stop = asyncio.ensure_future(stopping.wait())
    either: set[asyncio.Future[Any]] = {answer, stop}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    return answer.result() if answer.done() else STOPPED


def _resolve(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _content_length(scope: Message) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _environ(scope: Message, body: bytes) -> dict[str, Any]:
    """The WSGI environment of a request (PEP 3333). Its CONTENT_LENGTH is the declared one even if the body was cut."""
    host, port = scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        # The body is no longer chunked here. A name with _ could pass for a header with -, which a proxy has checked.
        if name != b"transfer-encoding" and b"_" not in name:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]}, {text}" if key in environ else text
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(max(len(body), int(environ.pop("HTTP_CONTENT_LENGTH", "0"))))
    return environ


def _answer(app: WSGIApplication, environ: dict[str, Any]) -> Answer:
    started: list[Any] = []  # status and headers

    def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> Callable[[bytes], object]:
        started[:] = int(status.split(" ", 1)[0]), headers
        return lambda _: None

    start: StartResponse = start_response
    parts: Iterable[bytes] = app(environ, start)
    try:
        content = b"".join(parts)
    finally:
        getattr(parts, "close", lambda: None)()
    return started[0], started[1], content
