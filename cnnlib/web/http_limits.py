"""uvicorn's HTTP protocol with limits that it lacks: on a request's arrival time and on its headers."""

import asyncio
import logging
import re
from functools import cache
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cnnlib.web.access_log import log_request
from cnnlib.web.prometheus import OTHER, count_request
from cnnlib.web.wsgi_bridge import stop_waiting

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)
ARRIVAL_S = 30  # from a request's first byte to its last; for the first request, from opening the connection
HEADER_LIMIT_BYTES = 2**16
CONNECTION_REQUESTS = 100  # after them the connection is closed
SPARE_FILES = 16  # file descriptors that connections leave to others
CHUNKED_RATIO = 6  # a body byte in a chunk of its own arrives as six: "1\r\nx\r\n"
UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


class LimitedProtocol(HttpToolsProtocol):
    """Closes a connection whose request arrives too slowly or has too large headers.

    After 100 requests the client has to reconnect. A worker accepts all connections that wait at that moment, so one
    worker can hold many and another none. New connections go to the idle worker and restore the balance.
    """

    _timer: asyncio.TimerHandle | None = None
    _header_bytes = 0  # of the current request without its body: headers, chunk lines and trailers
    _body_bytes = 0  # in the data that is being parsed
    _in_headers = True
    _receiving = False  # a request, whose first byte is there and whose last one is not
    _requests = 0  # begun over this connection
    _fault = ""  # of the current request, for the client

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if _is_one_of_the_last(transport):
            transport.write(_error_response(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections; try again"))
            transport.close()
            return
        self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._requests += 1
        self._receiving = True
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_headers:  # trailers are dropped: they would pass for headers, which a proxy may have checked
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_headers = False
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)  # 4: ": " and "\r\n"
        if size > HEADER_LIMIT_BYTES:
            self._header_bytes = size
            raise ValueError("too large headers")  # the parser reports it through send_400_response
        hosts = [value.strip() for name, value in self.headers if name == b"host"]
        if len(hosts) != 1 or not hosts[0]:
            self._fault = "expected the header Host once"  # RFC 9112, section 3.2
            raise ValueError(self._fault)
        super().on_headers_complete()
        if self._requests >= CONNECTION_REQUESTS or getattr(self.server_state, "stopping", False):
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_headers, self._receiving = True, False  # of the next request
        self._stop_timer()
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._body_bytes = 0
        super().data_received(self._without_upgrade(data) if self._in_headers else data)
        if self._timer and not self.transport.is_closing():
            self._header_bytes += max(0, len(data) - CHUNKED_RATIO * self._body_bytes)
            if self._header_bytes > HEADER_LIMIT_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    @staticmethod
    def _without_upgrade(data: bytes) -> bytes:
        """The data with its Upgrade header renamed, because the parser loses the body of an upgrade request.

        Java's HTTP client asks for HTTP/2 in this way.
        """
        headers, end, rest = data.partition(b"\r\n\r\n")
        return UPGRADE.sub(b"\r\nIgnored:", headers) + end + rest

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 (the parser's message says nothing to a client)
        too_large = self._header_bytes > HEADER_LIMIT_BYTES
        self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE if too_large else HTTPStatus.BAD_REQUEST)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being received or answered."""
        return not self._receiving and (self.cycle is None or self.cycle.response_complete)

    def close_after_answer(self) -> None:
        """Close the connection once the request that is being answered has its answer."""
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Called when the server stops: close an idle connection now, and others after their answer."""
        if self.is_idle:
            self.transport.close()
        self.close_after_answer()
        if self.cycle is not None:
            stop_waiting(cast(dict[str, Any], self.cycle.scope))

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(ARRIVAL_S, self._refuse, HTTPStatus.REQUEST_TIMEOUT)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        """Count and log the request, answer it with `status` and close the connection."""
        if self.transport.is_closing():
            return
        if self._header_bytes or status != HTTPStatus.REQUEST_TIMEOUT:  # browsers open connections without using them
            count_request(OTHER, OTHER, status.value)
            log_request(self.client and self.client[0], status.value)
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(_error_response(status, self._fault or status.phrase))
        self.transport.close()


def _is_one_of_the_last(transport: asyncio.Transport) -> bool:
    """Whether a connection took one of the last file descriptors, which others need. The first is logged."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0] if resource else -1
    number = transport.get_extra_info("socket").fileno()  # the lowest that was free
    if limit < 0 or number < limit - SPARE_FILES:  # -1: no limit
        return False
    _log_once(limit)
    return True


@cache
def _log_once(limit: int) -> None:
    _log.warning("too many connections: %d files may be open (ulimit -n); others are refused until some close", limit)


def _error_response(status: HTTPStatus, message: str) -> bytes:
    body = f'{{"error_code":"{status.value}","message":"{message}"}}\n'.encode()
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body
