"""A WSGI application for a server with an event loop (ASGI): a request is received whole, then answered at once.

A reading computes for a millisecond, so it runs in the loop itself: threads would only take turns with it. What waits
for other machines gets a thread.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from werkzeug.routing import Map, MapAdapter

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication
    from flask import Flask

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Answer = tuple[int, list[tuple[str, str]], bytes]  # status, headers, body


View = TypeVar("View", bound=Callable[..., Any])


def waits_for_others(view: View) -> View:
    """Mark a view of Flask that waits for other machines or long work: it is answered in a thread of its own."""
    view.waits_for_others = True  # type: ignore[attr-defined]
    return view


def waiting_routes(app: Flask) -> MapAdapter:
    """The routes of the views that are marked with `waits_for_others`."""
    rules = [
        rule.empty()
        for rule in app.url_map.iter_rules()
        if getattr(app.view_functions[rule.endpoint], "waits_for_others", False)
    ]
    return Map(rules).bind("localhost")


class WsgiBridge:
    """An ASGI application of a Flask one. It keeps at most `body_limit` bytes of a body; `app` has to refuse more."""

    def __init__(self, app: Flask, body_limit: int) -> None:
        self.app, self.body_limit, self._waiting = app, body_limit, waiting_routes(app)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive)
        if body is None:
            return  # the client has gone
        environ = _environ(scope, body)
        if self._waiting.test(scope["path"], scope["method"]):
            status, headers, content = await asyncio.to_thread(_answer, self.app, environ)
        else:
            status, headers, content = _answer(self.app, environ)
        kept = [(name.lower(), value) for name, value in headers if name.lower() != "date"]  # uvicorn adds one
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    async def _body(self, scope: Message, receive: Receive) -> bytes | None:
        """The body, or its first part where it is too large."""
        if _declared_length(scope) > self.body_limit:
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


def _declared_length(scope: Message) -> int:
    return next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)


def _environ(scope: Message, body: bytes) -> dict[str, Any]:
    """The request as WSGI has it (PEP 3333); a body that was not kept has its declared length all the same."""
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
        # The body is whole by now; and a name with _ would pass for another header, one that a proxy has checked.
        if name != b"transfer-encoding" and b"_" not in name:
            key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]}, {text}" if key in environ else text
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ["CONTENT_LENGTH"] = str(max(len(body), int(environ.pop("HTTP_CONTENT_LENGTH", "0"))))
    return environ


def _answer(app: WSGIApplication, environ: dict[str, Any]) -> Answer:
    started: list[Any] = []

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
