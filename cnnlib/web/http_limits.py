"""uvicorn's HTTP protocol with bounds that it lacks: a request has so long to arrive, and so many bytes of head."""

import asyncio
import re
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cnnlib.web.prometheus import OTHER, REQUESTS, log_request

ARRIVAL_S = 30  # from a connection, or a request's first byte, to the request's last byte
HEAD_LIMIT_BYTES = 2**16
KEPT_REQUESTS = 100  # over one connection
CHUNK_COST = 6  # bytes that one of a body may take: in a chunk of its own, "1\r\nx\r\n"
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request takes too long or has too large a head; others are not disturbed.

    After 100 requests the client has to connect anew: a worker takes all connections that wait when it looks, so one
    may have many, and another none; the idle one takes what comes singly.
    """

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0  # of the request under way that are no body: its head, the lines between chunks, what follows them
    _body_bytes = 0  # of the data that is being taken in
    _in_head = True
    _requests = 0  # that have begun

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._requests += 1
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # what follows a body is none of the headers, which a proxy may have checked
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)  # of ": " and "\r\n"
        if size > HEAD_LIMIT_BYTES:
            self._head_bytes = size
            raise ValueError("too large a head")  # which the parser takes for a fault of its own
        super().on_headers_complete()
        if self._requests >= KEPT_REQUESTS:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True  # of the next one
        self._stop_timer()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._body_bytes = 0
        super().data_received(self._without_upgrade(data) if self._in_head else data)
        if self._timer and not self.transport.is_closing():
            self._head_bytes += max(0, len(data) - CHUNK_COST * self._body_bytes)
            if self._head_bytes > HEAD_LIMIT_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @staticmethod
    def _without_upgrade(data: bytes) -> bytes:
        """The data with the wish for another protocol made void: the parser would lose the body of such a request.

        Java's client wishes for HTTP/2 so.
        """
        head, end, rest = data.partition(b"\r\n\r\n")
        return UPGRADE.sub(b"\r\nIgnored:", head) + end + rest

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the parser's words, of what it doesn't understand)
        large = self._head_bytes > HEAD_LIMIT_BYTES
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if large else HTTPStatus.BAD_REQUEST)

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(ARRIVAL_S, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        if not self.transport.is_closing():
            if self._head_bytes or status != HTTPStatus.REQUEST_TIMEOUT:  # browsers open connections that stay unused
                REQUESTS.labels(OTHER, OTHER, status.value).inc()
                log_request(self.client and self.client[0], status.value)
            body = f'{{"error_code":"{status.value}","message":"{status.phrase}"}}\n'.encode()
            head: list[Any] = [status.value, status.phrase, len(body)]
            line = "HTTP/1.1 {} {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n"
            if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
                self.transport.write(line.format(*head).encode() + body)
            self.transport.close()
