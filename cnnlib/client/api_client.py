"""Requests to the recognition API and to a captcha source."""

import json
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
TIMEOUT_S = 10
RETRIES = 3
BUSY = (502, 503, 504)  # HTTP statuses after which a request is repeated


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered; times in milliseconds, `total_ms` from sending to having the answer."""

    value: str
    confidence: float | None
    recognition_ms: float
    total_ms: float

    @property
    def request_ms(self) -> float:
        """What of the total is not recognition."""
        return self.total_ms - self.recognition_ms

    @property
    def summary(self) -> str:
        """Reading and times in words."""
        return (
            f"prediction: {self.value}, total time: {self.total_ms:.1f}ms, identification: {self.recognition_ms:.1f}ms"
        )


@dataclass(frozen=True)
class Captcha:
    """A fetched picture, and its label where the source tells it."""

    data: bytes
    label: str | None


def token_headers() -> dict[str, str]:
    """The headers that a server with a token asks for, where the environment has the token.

    Raises ConfigError when they can't hold it.
    """
    token = api_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


class Client:
    """One kept connection; not to be shared between threads. Failed tries are repeated with growing pauses."""

    def __init__(self, retries: int = RETRIES, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s, self._tries = timeout_s, retries + 1
        self._session = requests.Session()
        again = Retry(
            retries,
            backoff_factor=0.2,
            allowed_methods=None,
            status_forcelist=BUSY,
            raise_on_status=False,
            respect_retry_after_header=False,  # a server could ask for hours
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def recognize(self, url: str, data: bytes, name: str = "captcha.png") -> Answer:
        """The answer of the API at `url` to an encoded picture. Raises ServiceError."""
        start = time.perf_counter()
        files = {"image_file": (name.encode(errors="replace").decode(), data, "application")}  # a name may be no UTF-8
        content, _ = self._send("POST", url, files=files, auth=_with_token)
        total_ms = 1000 * (time.perf_counter() - start)
        try:
            answer = json.loads(content)
            if answer["value"] is None:
                raise ServiceError(f"{url}: not sure enough; it may be {answer.get('candidate')}")
            return Answer(str(answer["value"]), answer.get("confidence"), float(answer["speed_time(ms)"]), total_ms)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            got = content[:80].decode(errors="replace")
            raise ServiceError(f"{url}: expected JSON with value and speed_time(ms); got {got}") from error

    def fetch_captcha(self, url: str) -> Captcha:
        """A picture from a captcha source. Raises ServiceError."""
        content, headers = self._send("GET", url)
        label = headers.get(LABEL_HEADER)
        return Captcha(content, None if label is None else unquote(label))

    def _content(self, url: str, response: requests.Response) -> bytes:
        """All of a streamed answer. Raises ServiceError."""
        end, data = time.monotonic() + self._timeout_s, bytearray()
        try:
            while part := response.raw.read1(2**16, decode_content=True):
                data += part
                if time.monotonic() > end:
                    raise ServiceError(f"{url}: no whole answer within {self._timeout_s:g} seconds")
                if len(data) > FILE_LIMIT_BYTES:
                    raise ServiceError(f"{url}: expected an answer of at most {FILE_LIMIT_BYTES} bytes; got more")
        except HTTPError as error:
            raise ServiceError(f"{url}: {error}") from error
        return bytes(data)

    def _send(self, method: str, url: str, **options: object) -> tuple[bytes, Mapping[str, str]]:
        """Content and headers of an answer. Raises ServiceError, also when its body takes too long or is too large."""
        with self._answer(method, url, options) as response:
            content = self._content(url, response)
        if not response.ok:
            raise ServiceError(f"{url}: {_message(content) or response.reason} (HTTP {response.status_code})")
        return content, response.headers

    def _answer(self, method: str, url: str, options: Mapping[str, object]) -> requests.Response:
        """An answer whose content is yet to come."""
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
            raise UnreachableError(f"{url}: the server can't be reached; is it started?") from error
        except (requests.exceptions.RequestException, HTTPError) as error:
            raise ServiceError(f"{url}: {error}") from error


def _with_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The request with the token, in whose place requests would put what a .netrc file holds for the machine."""
    request.headers.update(token_headers())
    return request


def _proxies(url: str) -> Any:
    """None, so that the environment's are used; for this very machine none."""
    return dict.fromkeys(("http", "https", "all")) if urlsplit(url).hostname in LOOPBACK else None


def _message(content: bytes) -> str:
    """The server's own words, where they are JSON as the API gives it, or nothing."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return ""
