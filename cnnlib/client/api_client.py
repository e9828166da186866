"""A client of the recognition API and of a captcha source."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, ReadTimeoutError
from urllib3.util import Retry

from cnnlib.codec.images import FILE_LIMIT_BYTES
from cnnlib.core.api_contract import LABEL_HEADER, LOOPBACK, api_token
from cnnlib.core.errors import ServiceError, UnreachableError

API_URL = "http://127.0.0.1:6000/b"
API_PATH = re.compile(r"(/.*)?/b(/[^/]+)?")
NO_SUCH_ADDRESS = (404, 405)  # HTTP statuses
TIMEOUT_S = 10
RETRIES = 3
RETRY_STATUSES = (502, 503, 504)  # HTTP statuses of a server that is busy or starting


@dataclass(frozen=True, slots=True)
class Answer:
    """The API's answer to one picture.

    Times are in milliseconds. `total_ms` runs from sending the request to having the answer.
    """

    value: str
    confidence: float | None
    recognition_ms: float
    total_ms: float

    @property
    def request_ms(self) -> float:
        """The total time without recognition."""
        return self.total_ms - self.recognition_ms

    @property
    def summary(self) -> str:
        """The prediction and its times as the scripts print them."""
        return (
            f"prediction: {self.value}, total time: {self.total_ms:.1f}ms, identification: {self.recognition_ms:.1f}ms"
        )


@dataclass(frozen=True)
class Captcha:
    """A fetched picture, and its label if the source sends it."""

    data: bytes
    label: str | None


def token_headers() -> dict[str, str]:
    """The Authorization header with the token from the environment, or nothing.

    Raises ConfigError when a header can't hold the token.
    """
    token = api_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


class Client:
    """Sends requests over a kept connection, and repeats failed ones after growing pauses.

    Threads may not share it.
    """

    def __init__(self, retries: int = RETRIES, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s, self._tries = timeout_s, retries + 1
        self._session = requests.Session()
        retry = Retry(
            retries,
            backoff_factor=0.2,
            allowed_methods=None,
            status_forcelist=RETRY_STATUSES,
            raise_on_status=False,
            respect_retry_after_header=False,  # a server could ask for hours
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=retry))

    def recognize(self, url: str, data: bytes, name: str = "captcha.png") -> Answer:
        """The answer of the API at `url` to an encoded picture. Raises ServiceError."""
        start = time.perf_counter()
        filename = name.encode(errors="replace").decode()  # a file's name need not be UTF-8
        content, _ = self._send("POST", url, files={"image_file": (filename, data, "application")}, auth=_add_token)
        total_ms = 1000 * (time.perf_counter() - start)
        try:
            answer = json.loads(content)
            if answer["value"] is None:
                raise ServiceError(f"{url}: the confidence of {answer.get('candidate')} is below min_confidence")
            return Answer(str(answer["value"]), answer.get("confidence"), float(answer["speed_time(ms)"]), total_ms)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            start_of_content = content[:80].decode(errors="replace")
            raise ServiceError(f"{url}: expected JSON with value and speed_time(ms); got {start_of_content}") from error

    def fetch_captcha(self, url: str) -> Captcha:
        """A picture from the captcha source at `url`. Raises ServiceError."""
        content, headers = self._send("GET", url)
        label = headers.get(LABEL_HEADER)
        return Captcha(content, None if label is None else unquote(label))

    def _send(self, method: str, url: str, **options: object) -> tuple[bytes, Mapping[str, str]]:
        """The body and headers of the answer. Raises ServiceError, also when the body is too slow or too large."""
        with self._open(method, url, options) as response:
            content = self._read_body(url, response)
        if not response.ok:
            message = f"{url}: {_error_message(content) or response.reason} (HTTP {response.status_code})"
            raise ServiceError(
                message + (_path_hint(url) if method == "POST" and response.status_code in NO_SUCH_ADDRESS else "")
            )
        return content, response.headers

    def _open(self, method: str, url: str, options: Mapping[str, object]) -> requests.Response:
        """The response, whose body is not read yet. Raises ServiceError."""
        try:
            return self._session.request(
                method,
                url,
                stream=True,
                timeout=self._timeout_s,
                proxies=_proxies(url),
                **options,  # type: ignore[arg-type]
            )
        except (requests.exceptions.SSLError, requests.exceptions.ProxyError) as error:
            raise UnreachableError(f"{url}: {error}") from error
        except requests.exceptions.ConnectionError as error:
            if isinstance(getattr(error.args[0], "reason", error.args[0]), ReadTimeoutError):
                tries = f", in {self._tries} tries" if self._tries > 1 else ""
                raise ServiceError(f"{url}: no answer within {self._timeout_s:g} seconds{tries}") from error
            raise UnreachableError(f"{url}: the server can't be reached; is it running?") from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise ServiceError(f"{url}: {error}") from error

    def _read_body(self, url: str, response: requests.Response) -> bytes:
        """The whole body. Raises ServiceError."""
        deadline, data = time.monotonic() + self._timeout_s, bytearray()
        try:
            while part := response.raw.read1(2**16, decode_content=True):
                data += part
                if time.monotonic() > deadline:
                    raise ServiceError(f"{url}: no complete answer within {self._timeout_s:g} seconds")
                if len(data) > FILE_LIMIT_BYTES:
                    raise ServiceError(f"{url}: expected an answer of at most {FILE_LIMIT_BYTES} bytes; got more")
        except HTTPError as error:
            raise ServiceError(f"{url}: {error}") from error
        return bytes(data)


def _add_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The request with the token. Without this function, requests would send the credentials of a .netrc file."""
    request.headers.update(token_headers())
    return request


def _proxies(url: str) -> Any:
    """No proxies for a server on this machine. Else None, and requests takes those of the environment."""
    return dict.fromkeys(("http", "https", "all")) if urlsplit(url).hostname in LOOPBACK else None


def _path_hint(url: str) -> str:
    """The address that was probably meant, where the path is not that of the API."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "" if API_PATH.fullmatch(parts.path) else f"; the recognition API is at {place}{urlsplit(API_URL).path}"


def _error_message(content: bytes) -> str:
    """The API's own message in an error answer, or nothing."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return ""
