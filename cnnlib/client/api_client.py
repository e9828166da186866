"""A client of the recognition API and of a captcha source."""

import re
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import BadStatusLine, RemoteDisconnected
from http.client import IncompleteRead as CutBody
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import DecodeError, HTTPError, ProtocolError, ReadTimeoutError

from cnnlib.client.answers import TEXT_LIMIT, Exchange, bounded, error_message, parse_answer
from cnnlib.codec.images import FILE_LIMIT_BYTES
from cnnlib.core.addresses import without_user
from cnnlib.core.api_contract import LABEL_HEADER, api_token, is_loopback_name
from cnnlib.core.errors import ServiceError, UnreachableError
from cnnlib.core.printable import excerpt

API_URL = "http://127.0.0.1:6000/b"
API_PATH = re.compile(r"(/.*)?/b(/[^/]+)?")
NO_SUCH_ADDRESS = (404, 405)  # HTTP statuses
SENT_ON_WITHOUT_BODY = (301, 302, 303)  # HTTP statuses after which requests turns a POST into a GET
TIMEOUT_S = 10
RETRIES = 3
PAUSE_S = 0.2  # retries wait for 2, 4, 8 times as long; the first one does not wait
PAUSE_LIMIT_S = 120
CAUSES_LIMIT = 10  # errors that wrap one another
UNUSED_BYTES = 2**16  # of a body that nobody wants, read to keep its connection
UNREACHED = (
    "the server can't be reached; is it running? webserver_recognize_api.py starts it; "
    "recognize_local.py --offline reads without it"
)
SOURCE_UNREACHED = "the server can't be reached; is it running? webserver_captcha_image.py starts a source of captchas"
RETRY_STATUSES = (502, 503, 504)  # HTTP statuses of a server that is busy or starting
CUT_SHORT = "the answer was cut short: the connection ended before it was whole; try again"
NO_HTTP = (
    "expected an answer over HTTP; got something else; another program listens there, or the address needs https://"
)
NO_TLS = "expected HTTPS; got an answer without SSL; write http:// in place of https://, if the network may be trusted"
NOT_COMPRESSED = "the answer can't be unpacked: it is not compressed as its header Content-Encoding says"
MANY_REDIRECTIONS = "the server sends on again and again; write the address that it means in the end"
ONLY_HTTP = "only http:// and https:// are followed"
PROXY = "the proxy that the environment names can't be reached, or refuses; NO_PROXY lists servers to ask without it"
RETRY_FAULTS = (requests.exceptions.ConnectionError, requests.exceptions.ReadTimeout)


@dataclass(frozen=True, slots=True)
class Answer:
    """The API's answer to one picture. Its text is printable.

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
    """A fetched picture, and its label, printable, if the source sends it."""

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

    Each try has `timeout_s` seconds, with all redirections that it follows. Threads may not share it.
    """

    def __init__(self, retries: int = RETRIES, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s, self._retries = timeout_s, retries
        self._exchange = Exchange(timeout_s, FILE_LIMIT_BYTES)
        self._session = _Session()
        self._session.hooks["response"].append(_leave_redirection)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _BoundedAdapter(self._exchange))

    def recognize(self, url: str, data: bytes, name: str = "captcha.png") -> Answer:
        """The answer of the API at `url` to an encoded picture. Raises ServiceError."""
        start = time.perf_counter()
        filename = name.encode(errors="replace").decode()  # a file's name need not be UTF-8
        files = {"image_file": (filename, data, "application")}
        content, _ = self._send("POST", url, UNREACHED, files=files, auth=_add_token)
        total_ms = 1000 * (time.perf_counter() - start)
        try:
            fields = parse_answer(content)
        except ValueError as error:
            start_of_content = excerpt(content[:80].decode(errors="replace"))
            raise ServiceError(f"{without_user(url)}: {error}; got {start_of_content}") from error
        if fields.value is None:
            raise ServiceError(f"{without_user(url)}: the confidence of {fields.candidate} is below min_confidence")
        return Answer(fields.value, fields.confidence, fields.recognition_ms, total_ms)

    def fetch_captcha(self, url: str) -> Captcha:
        """A picture from the captcha source at `url`. Raises ServiceError."""
        content, headers = self._send("GET", url, SOURCE_UNREACHED)
        label = headers.get(LABEL_HEADER)
        return Captcha(content, None if label is None else excerpt(unquote(label), TEXT_LIMIT))

    def _send(self, method: str, url: str, unreached: str, **options: object) -> tuple[bytes, Mapping[str, str]]:
        """The body and headers of the answer. Raises ServiceError, also when the body is too slow or too large.

        `unreached` is what the error says when no server is there.
        """
        with self._open(method, url, unreached, options) as response:
            if response.is_redirect:
                raise ServiceError(f"{without_user(url)}: {sends_on(url, response.headers['Location'])}")
            content = self._read_body(url, response)
        if not response.ok:
            message = f"{error_message(content) or excerpt(response.reason)} (HTTP {response.status_code})"
            if response.history:
                message += f", from {_shown(response.url)}, to which the server sends on"
            if method == "POST" and response.status_code in NO_SUCH_ADDRESS:
                message += _path_hint(url)
            raise ServiceError(f"{without_user(url)}: {message}")
        return content, response.headers

    def _open(self, method: str, url: str, unreached: str, options: Mapping[str, object]) -> requests.Response:
        """The response to the first try that succeeds, or to the last, with its body unread. Raises ServiceError."""
        failures = 0
        while True:
            try:
                response = self._request(method, url, options)
            except RETRY_FAULTS as error:
                if failures == self._retries:
                    raise self._fault(url, unreached, error) from error
            else:
                if failures == self._retries or response.status_code not in RETRY_STATUSES:
                    return response
                _leave(response)
            failures += 1
            time.sleep(min(PAUSE_S * 2 ** (failures - 1), PAUSE_LIMIT_S) if failures > 1 else 0)

    def _request(self, method: str, url: str, options: Mapping[str, object]) -> requests.Response:
        """The response to one try. Raises one of `RETRY_FAULTS` where another try may help, else ServiceError."""
        self._exchange.begin()
        try:
            return self._session.request(
                method,
                url,
                stream=True,
                timeout=self._timeout_s,
                proxies=_proxies(url),
                **options,  # type: ignore[arg-type]
            )
        except RETRY_FAULTS:
            raise
        except (requests.exceptions.RequestException, HTTPError, ValueError, ServiceError) as error:
            raise ServiceError(
                f"{without_user(url)}: {describe_fault(error)}"
            ) from error  # ValueError: of a redirection

    def _fault(self, url: str, unreached: str, error: requests.exceptions.RequestException) -> ServiceError:
        """What to raise when the last try has failed."""
        if isinstance(error, requests.exceptions.SSLError | requests.exceptions.ProxyError):
            return UnreachableError(f"{without_user(url)}: {describe_fault(error)}")
        if _cause(error, BadStatusLine) and not _cause(error, RemoteDisconnected):
            return UnreachableError(f"{without_user(url)}: {NO_HTTP}")
        is_late = self._exchange.is_over and not isinstance(error, requests.exceptions.ConnectTimeout)
        if is_late or isinstance(error, requests.exceptions.ReadTimeout):
            tries = f", in {self._retries + 1} tries" if self._retries else ""
            return ServiceError(f"{without_user(url)}: no answer within {self._timeout_s:g} seconds{tries}")
        return UnreachableError(f"{without_user(url)}: {unreached}")

    def _read_body(self, url: str, response: requests.Response) -> bytes:
        """The whole body. Raises ServiceError."""
        data = bytearray()
        try:
            while part := response.raw.read1(2**16, decode_content=True):
                data += part
                if len(data) > FILE_LIMIT_BYTES:  # more than arrived, where it was compressed
                    raise ServiceError(f"expected an answer of at most {FILE_LIMIT_BYTES} bytes; got more")
        except ReadTimeoutError as error:
            raise ServiceError(f"{without_user(url)}: no complete answer within {self._timeout_s:g} seconds") from error
        except (HTTPError, ServiceError) as error:
            raise ServiceError(f"{without_user(url)}: {describe_fault(error)}") from error
        return bytes(data)


def sends_on(url: str, location: str) -> str:
    """What to say of the API at `url` that sends a picture on to `location`, a header as http.client reads it."""
    place = location.encode("latin-1", errors="replace").decode(errors="replace")
    with suppress(ValueError):  # it is no address
        place = urljoin(url, place)
        if urlsplit(place).scheme not in ("http", "https"):
            return f"the server sends on to {_shown(place)}; {ONLY_HTTP}"
    return f"the server sends on to {_shown(place)}; write that address as --url"


def _shown(place: str) -> str:
    return excerpt(without_user(place))


def describe_fault(error: Exception) -> str:
    """What has gone wrong with a request, in words of our own where the kind of the fault is known."""
    if isinstance(error, requests.exceptions.InvalidSchema):
        place = _shown("".join(re.findall(r"'(.*)'", str(error))) or str(error))
        return f"the server sends on to {place}; {ONLY_HTTP}"
    if certificate := _cause(error, ssl.SSLCertVerificationError):
        return f"the certificate of the server is not trusted (SSL): {excerpt(certificate.verify_message)}"
    if _cause(error, ssl.SSLError):
        is_plain = re.search("WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST", str(error))
        return NO_TLS if is_plain else f"no secure connection (SSL): {excerpt(_cause(error, ssl.SSLError).reason)}"
    kinds: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.ProxyError, PROXY),
        (requests.exceptions.TooManyRedirects, MANY_REDIRECTIONS),
        (DecodeError, NOT_COMPRESSED),
        (CutBody, CUT_SHORT),
        (RemoteDisconnected, CUT_SHORT),
        (BadStatusLine, NO_HTTP),
        (ProtocolError, CUT_SHORT),
    )
    return next((text for kind, text in kinds if _cause(error, kind)), _shown(str(error)))


def _cause(error: BaseException | None, kind: type[BaseException]) -> Any:
    """The error of this kind that an error is, wraps or comes from, if there is one."""
    for _ in range(CAUSES_LIMIT):
        if isinstance(error, kind) or error is None:
            return error
        inner = [getattr(error, "reason", None), *error.args[::-1], error.__cause__, error.__context__]
        error = next((each for each in inner if isinstance(each, BaseException)), None)
    return None


class _BoundedAdapter(HTTPAdapter):
    """Sends requests over connections that `exchange` bounds. (An adapter has no retries of its own.)"""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        super().__init__()

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **options)
        pool.ConnectionCls = bounded(pool.ConnectionCls, self._exchange)
        return pool


def _leave_redirection(response: requests.Response, **_: object) -> None:
    """Leave the body of a redirection. Else requests would read all of it, and unpack it too."""
    if response.is_redirect:
        _leave(response)


def _leave(response: requests.Response) -> None:
    """Read a short body, so that the connection can be kept. A longer one ends the connection."""
    with suppress(HTTPError):
        response.raw.read(UNUSED_BYTES, decode_content=False)
    response.close()


def _add_token(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The request with the token. Without this function, requests would send the credentials of a .netrc file."""
    request.headers.update(token_headers())
    return request


class _Session(requests.Session):
    """Asks servers on this machine without a proxy, also where another one sends on to them.

    A picture is sent on only whole: where it would become a GET without it, the redirection is the answer.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        is_lost = resp.request.method == "POST" and resp.status_code in SENT_ON_WITHOUT_BODY
        return None if is_lost else super().get_redirect_target(resp)

    def rebuild_proxies(self, prepared_request: requests.PreparedRequest, proxies: Any) -> Any:
        named = {scheme: proxy for scheme, proxy in (proxies or {}).items() if proxy}
        return _proxies(prepared_request.url or "") or super().rebuild_proxies(prepared_request, named)


def _proxies(url: str) -> Any:
    """No proxies for a server on this machine. Else None, and requests takes those of the environment."""
    return dict.fromkeys(("http", "https", "all")) if is_loopback_name(urlsplit(url).hostname or "") else None


def _path_hint(url: str) -> str:
    """The address that was probably meant, where the path is not that of the API."""
    parts = urlsplit(url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return "" if API_PATH.fullmatch(parts.path) else f"; the recognition API is at {place}{urlsplit(API_URL).path}"
