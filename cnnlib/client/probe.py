"""A kept connection to the recognition API that measures each request."""

import http.client
import json
import time
from dataclasses import dataclass
from socket import gaierror
from urllib.parse import urlsplit

from requests.utils import requote_uri

from cnnlib.client.api_client import TIMEOUT_S, Answer, token_headers

BOUNDARY = "----captcha"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One request: its number from 1, when it was sent (seconds since 1970), and its answer or what went wrong."""

    index: int
    sent_at: float
    answer: Answer | None
    fault: str = ""
    unreached: bool = False  # no answer came at all


class Probe:
    """A connection with as little between a picture and the socket as can be; not to be shared between threads."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        self._headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **token_headers()}
        self._url, self._target = url, requote_uri(f"{parts.path or '/'}?{parts.query}".rstrip("?"))

    def measure(self, index: int, picture: bytes) -> Measurement:
        """Send one encoded picture, once; after a failure the next one opens the connection anew."""
        body = form(picture)
        sent_at, start = time.time(), time.perf_counter()
        try:
            self._connection.request("POST", self._target, body, self._headers)
            response = self._connection.getresponse()
            content = _content(response, start + TIMEOUT_S)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            self._connection.close()
            return Measurement(index, sent_at, None, f"{self._url}: {_in_words(error)}", unreached=True)
        total_ms = 1000 * (time.perf_counter() - start)
        try:
            told = json.loads(content)
            if response.status != http.HTTPStatus.OK:
                return Measurement(index, sent_at, None, f"{told['message']} (HTTP {response.status})")
            value = told.get("candidate", "") if told["value"] is None else str(told["value"])
            answer = Answer(value, told.get("confidence"), float(told["speed_time(ms)"]), total_ms)
        except (ValueError, KeyError, TypeError, AttributeError):
            return Measurement(index, sent_at, None, f"{self._url}: no answer of the API (HTTP {response.status})")
        return Measurement(index, sent_at, answer)


def _content(response: http.client.HTTPResponse, end: float) -> bytes:
    """All of an answer. Raises TimeoutError when it goes on beyond `end`, on the clock of `perf_counter`.

    Raises IncompleteRead when it is cut off.
    """
    content = b""
    with response:  # which `read1` leaves open at its end, so that the connection could not be used again
        while part := response.read1():
            content += part
            if time.perf_counter() > end:
                raise TimeoutError
        if response.length:
            raise http.client.IncompleteRead(content, response.length)
    return content


def _in_words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:g} seconds"
    if isinstance(error, ConnectionRefusedError | gaierror):
        return "the server can't be reached; is it started?"
    return f"{type(error).__name__}: {error}"


def form(*pictures: bytes) -> bytes:
    """The multipart body of a request with encoded pictures, its parts divided by `BOUNDARY`."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file"; filename="captcha.png"\r\n'
    part = f"{head}Content-Type: application\r\n\r\n".encode()
    return b"".join(part + picture + b"\r\n" for picture in pictures) + f"--{BOUNDARY}--\r\n".encode()
