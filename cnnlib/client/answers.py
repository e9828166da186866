"""What a server answers, bounded and checked: anyone may have written it."""

import json
import time
from http.client import HTTPConnection, HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cnnlib.core.errors import ServiceError
from cnnlib.core.printable import excerpt, printable

TEXT_LIMIT = 256  # characters of a text or label; those of the API have 64 at most
DAY_MS = 86_400_000.0  # the longest time that is believed


def _text(value: object) -> object:
    """A number as its text: some servers answer digits as a number."""
    return str(value) if type(value) in (int, float) else value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=TEXT_LIMIT)]


class AnswerFields(BaseModel):
    """The fields of an answer of the API that clients use. `value` is None below `min_confidence`."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)
    value: Text | None
    candidate: Text | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    recognition_ms: float = Field(alias="speed_time(ms)", ge=0, le=DAY_MS)


def parse_answer(content: bytes) -> AnswerFields:
    """The fields of an answer, its texts printable. Raises ValueError when it is none of the API's."""
    try:
        fields = AnswerFields.model_validate_json(content)
    except ValidationError as error:
        raise ValueError("expected JSON with value and speed_time(ms)") from error
    texts = {name: printable(text) for name in ("value", "candidate") if (text := getattr(fields, name)) is not None}
    return fields.model_copy(update=texts)


def error_message(content: bytes) -> str:
    """The API's own message in an error answer, as an excerpt, or nothing."""
    try:
        return excerpt(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


class Exchange:
    """The seconds and bytes that all answers to one request may take: heads, redirections and bodies together.

    The timeout of a socket alone begins anew with each byte that arrives.
    """

    def __init__(self, timeout_s: float, limit_bytes: int) -> None:
        self._timeout_s, self._limit_bytes = timeout_s, limit_bytes
        self.begin()

    def begin(self) -> None:
        """Allow a request all seconds and bytes."""
        self._deadline, self._bytes_left = time.monotonic() + self._timeout_s, self._limit_bytes

    @property
    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._deadline

    def left_s(self) -> float:
        """The seconds until the deadline. Raises TimeoutError after it."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("timed out")
        return left_s

    def count(self, received_bytes: int) -> None:
        """Raise ServiceError when more bytes have arrived than may."""
        self._bytes_left -= received_bytes
        if self._bytes_left < 0:
            raise ServiceError(f"expected an answer of at most {self._limit_bytes} bytes; got more")


def bounded(kind: type[HTTPConnection], exchange: Exchange) -> type[HTTPConnection]:
    """The class of connections `kind`, held to the seconds and bytes that `exchange` has left.

    Its connections raise TimeoutError and ServiceError.
    """
    if issubclass(kind, _BoundedConnection):
        return kind
    return type(kind.__name__, (_BoundedConnection, kind), {"exchange": exchange})


class _BoundedConnection(HTTPConnection):
    exchange: Exchange

    def connect(self) -> None:
        self.timeout = self.exchange.left_s()
        super().connect()

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self.exchange.left_s())  # for all of `data`: `sendall` has one deadline
        super().send(data)

    def response_class(self, sock: socket, *arguments: Any, **options: Any) -> HTTPResponse:  # type: ignore[override]
        """A response that is read from `sock`. http.client makes that of a proxy here too."""
        return HTTPResponse(_BoundedReader(sock, self.exchange), *arguments, **options)  # type: ignore[arg-type]


class _BoundedReader(RawIOBase):
    """The bytes of a socket, and to a response the socket itself, of which it uses `makefile` alone."""

    def __init__(self, sock: socket, exchange: Exchange) -> None:
        self._socket, self._exchange = sock, exchange
        self._file = sock.makefile("rb", buffering=0)  # it keeps the socket open for the response

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._exchange.left_s())
        count = self._socket.recv_into(buffer)
        self._exchange.count(count)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
