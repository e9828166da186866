import os
import re
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask, Response, jsonify, request

from cnnlib.client.api_client import Client, token_headers
from cnnlib.client.load_test import TimedConnection
from cnnlib.core.errors import ConfigError, ServiceError, UnreachableError
from tests.helpers import free_port, running

Served = Callable[[Callable[[], object]], str]


@pytest.fixture
def served() -> Iterator[Served]:
    """Serve one function at /b on a free port; gives the address."""
    with ExitStack() as servers:

        def start(answer: Callable[[], object]) -> str:
            app = Flask("fake")
            app.add_url_rule("/b", "b", answer, methods=["GET", "POST"])
            return f"{servers.enter_context(running(app))}/b"

        yield start


def good() -> Response:
    return jsonify(
        {"time": "1.5", "value": request.files["image_file"].filename, "speed_time(ms)": 1, "confidence": 0.5}
    )


def test_answer_has_the_times_of_server_and_network(served: Served) -> None:
    answer = Client().recognize(served(good), b"data", "name.png")
    assert (answer.value, answer.confidence, answer.recognition_ms) == ("name.png", 0.5, 1)
    assert answer.request_ms == answer.total_ms - 1 > 0


def test_request_is_repeated_after_a_passing_fault(served: Served) -> None:
    tries = []

    def second_time() -> Response | tuple[str, int]:
        tries.append(1)
        return good() if len(tries) > 1 else ("busy", 503)

    assert Client().recognize(served(second_time), b"data", "x").value == "x"
    assert len(tries) == 2


def test_number_of_tries_is_limited(served: Served) -> None:
    tries = []

    def never() -> tuple[str, int]:
        tries.append(1)
        return "busy", 503

    with pytest.raises(ServiceError, match=r"\(HTTP 503\)"):
        Client(retries=2).recognize(served(never), b"data")
    assert len(tries) == 3


def test_pauses_between_tries_grow(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    clock = SimpleNamespace(sleep=pauses.append, perf_counter=time.perf_counter)
    monkeypatch.setattr("cnnlib.client.api_client.time", clock)
    for url in (served(lambda: ("busy", 503)), f"http://127.0.0.1:{free_port()}/b"):
        with pytest.raises(ServiceError):
            Client(retries=4).recognize(url, b"data")
        assert pauses == [0, 0.4, 0.8, 1.6]
        pauses.clear()


def test_redirection_to_nowhere_is_not_repeated(served: Served) -> None:
    tries = []

    def sends_away() -> tuple[str, int, dict[str, str]]:
        tries.append(1)
        return "", 302, {"Location": "gopher://a/"}

    with pytest.raises(ServiceError, match=r"sends on to gopher://a/; only http:// and https:// are followed"):
        Client().fetch_captcha(served(sends_away))
    assert len(tries) == 1


def test_server_cannot_make_a_client_wait_for_hours(served: Served) -> None:
    tries = []

    def later() -> Response | tuple[str, int, dict[str, str]]:
        tries.append(1)
        return good() if len(tries) > 1 else ("busy", 503, {"Retry-After": "20000"})

    assert Client().recognize(served(later), b"data", "x").value == "x"


def test_name_that_is_not_utf_8_is_sent_with_question_marks(served: Served) -> None:
    assert Client().recognize(served(good), b"data", os.fsdecode(b"\xd6_1.png")).value == "?_1.png"


def test_fault_of_a_certificate_names_ssl(served: Served) -> None:
    url = served(good).replace("http:", "https:")
    with pytest.raises(UnreachableError, match="expected HTTPS; got an answer without SSL; write http://"):
        Client(retries=0).recognize(url, b"data")
    assert "expected HTTPS; got an answer without SSL" in TimedConnection(url).measure(1, b"data").fault


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """The address of a server that answers every connection with these bytes."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(4096)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/b"
        server.shutdown()


ANSWERS = {
    "cut": (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf", "the answer was cut short"),
    "cut chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n90\r\nhalf", "the answer was cut short"),
    "no gzip": (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf",
        "the answer can't be unpacked: it is not compressed as its header Content-Encoding says",
    ),
    "no HTTP": (b"220 mail.example.org ESMTP\r\n", "expected an answer over HTTP; got something else; another program"),
    "FTP": (
        b"HTTP/1.1 302 Found\r\nLocation: ftp://a/b\r\nContent-Length: 0\r\n\r\n",
        "the server sends on to ftp://a/b; only http:// and https:// are followed",
    ),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_fault_of_an_answer_is_told_in_words_of_our_own(kind: str) -> None:
    answer, expected = ANSWERS[kind]
    with answering(answer) as url, pytest.raises(ServiceError) as caught:
        Client(retries=0).fetch_captcha(url)
    assert str(caught.value).startswith(f"{url}: {expected}")
    assert not re.search("Error|Read\\(|Pool|adapter", str(caught.value))


@pytest.mark.slow
def test_answer_that_never_ends_times_out(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def dripping() -> Response:
        return Response(b"." for _ in iter(lambda: time.sleep(0.05), 1))

    url, client = served(dripping), Client(retries=0, timeout_s=3)
    for ask in (lambda: client.fetch_captcha(url), lambda: client.recognize(url, b"data")):
        with pytest.raises(ServiceError, match=r"no complete answer within 3 seconds"):
            ask()
    monkeypatch.setattr("cnnlib.client.load_test.TIMEOUT_S", 1)
    assert TimedConnection(url).measure(1, b"data").fault == f"{url}: no answer within 1 seconds"
    monkeypatch.setattr("cnnlib.client.api_client.FILE_LIMIT_BYTES", 10)
    with pytest.raises(ServiceError, match="expected an answer of at most 10 bytes; got more"):
        Client().fetch_captcha(served(lambda: b"more than ten"))


def test_error_has_the_message_of_the_server(served: Served) -> None:
    url = served(lambda: (jsonify({"error_code": "1002", "message": "not a picture"}), 400))
    with pytest.raises(ServiceError, match=r"not a picture \(HTTP 400\)"):
        Client().recognize(url, b"data")


@pytest.mark.parametrize("text", ["<html>", "[]", '{"value": "x"}'])
def test_other_answers_are_refused(served: Served, text: str) -> None:
    with pytest.raises(ServiceError, match=r"expected JSON with value and speed_time\(ms\); got"):
        Client().recognize(served(lambda: text), b"data")


def test_missing_server_is_a_clear_message() -> None:
    with pytest.raises(UnreachableError, match="the server can't be reached; is it running"):
        Client(retries=1).recognize(f"http://127.0.0.1:{free_port()}/b", b"data")


def test_silent_server_runs_into_the_time_out(served: Served) -> None:
    release = threading.Event()
    url = served(lambda: str(release.wait(20)))
    with pytest.raises(ServiceError, match=r"no answer within 0\.2 seconds$"):
        Client(retries=0, timeout_s=0.2).recognize(url, b"data")
    with pytest.raises(ServiceError, match=r"no answer within 0\.2 seconds, in 2 tries"):
        Client(retries=1, timeout_s=0.2).recognize(url, b"data")
    release.set()


def test_captcha_has_the_label_that_the_source_sends(served: Served) -> None:
    url = served(lambda: Response(b"png", headers={"X-Captcha-Label": "%E5%A4%A9"}))
    captcha = Client().fetch_captcha(url)
    assert (captcha.data, captcha.label) == (b"png", "天")


def test_connections_are_kept() -> None:
    ports = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            ports.append(self.client_address[1])
            self.rfile.read(int(self.headers["Content-Length"]))
            content = b'{"value": "1", "speed_time(ms)": 1}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/b"
        client, probe = Client(), TimedConnection(url)
        for _ in range(3):
            client.recognize(url, b"data")
        assert all(probe.measure(number, b"data").answer for number in range(3))
        server.shutdown()
    assert (len(ports), len(set(ports))) == (6, 2)


def test_connection_is_kept_over_redirections_and_retries() -> None:
    ports = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ports.append(self.client_address[1])
            self.send_response([302, 503, 302, 200][len(ports) - 1])
            self.send_header("Location", "/x")
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"short")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert Client().fetch_captcha(f"http://127.0.0.1:{server.server_port}/").data == b"short"
        server.shutdown()
    assert (len(ports), len(set(ports))) == (4, 1)


def test_answer_cut_off_is_a_fault_and_the_next_one_arrives() -> None:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = b'{"value": "1", "speed_time(ms)": 1}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(content) + 5 * first.pop()))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

    first = [0, 1]
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        probe = TimedConnection(f"http://127.0.0.1:{server.server_port}/b")
        assert "the answer was cut short" in probe.measure(1, b"data").fault
        assert probe.measure(2, b"data").answer
        server.shutdown()


def test_timed_connection_encodes_addresses_as_the_client_does(served: Served) -> None:
    url = served(good)
    for path in (f"{url}?größe=1", url.replace("/b", "/größe")):
        fault = TimedConnection(path).measure(1, b"data").fault
        assert not fault or "(HTTP 404)" in fault
    assert "UnicodeError" in TimedConnection("http://a..b/b").measure(1, b"data").fault


@pytest.mark.parametrize("token", ["sesame\n", " sesame", "密码", "open sesame", "\n"])
def test_token_is_what_a_header_can_hold(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAPTCHA_API_TOKEN", token)
    if token.strip() == "sesame":
        assert token_headers() == {"Authorization": "Bearer sesame"}
    else:
        with pytest.raises(ConfigError, match="CAPTCHA_API_TOKEN: expected a token of ASCII letters"):
            token_headers()


def test_no_proxy_is_used_for_this_machine_where_it_sends_on_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    source = Flask("source")
    source.add_url_rule("/captcha/", view_func=lambda: Response(b"png"))  # /captcha is sent on to it
    with running(source) as address:
        assert Client(retries=0).fetch_captcha(f"{address}/captcha").data == b"png"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_neither_proxy_nor_netrc_is_used_for_this_machine(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    (tmp_path / "netrc").write_text("default login someone password else")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("CAPTCHA_API_TOKEN", "sesame")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    received = []

    def answer() -> Response:
        received.append(request.headers.get("Authorization"))
        return good()

    Client(retries=0).recognize(served(answer).replace("127.0.0.1", host), b"data")
    assert received == ["Bearer sesame"]


SENDS_ON = {  # what the header Location has, and the address that is meant
    "https://api.example.org/b": "https://api.example.org/b",
    "/other/b": "http://HOST/other/b",
    "b/": "http://HOST/b/",
    "//ann:sesame@other/b": "http://other/b",
    "http://[": "http://[",
    "http://größe/b": "http://größe/b",
    "/b\x1b[2J": "http://HOST/b\\x1b[2J",
}


@pytest.mark.parametrize("status", [301, 302, 303])
@pytest.mark.parametrize("place", SENDS_ON)
def test_redirection_of_a_picture_is_told_with_the_address_to_write(status: int, place: str) -> None:
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n"
    with answering(head.encode()) as url:
        meant = SENDS_ON[place].replace("HOST", url.split("/")[2])
        expected = f"{url}: the server sends on to {meant}; write that address as --url"
        with pytest.raises(ServiceError) as caught:
            Client(retries=0).recognize(url, b"data")
        assert str(caught.value) == TimedConnection(url).measure(1, b"data").fault == expected


@pytest.mark.parametrize("status", [307, 308])
def test_redirection_that_keeps_the_picture_is_followed_but_not_measured(served: Served, status: int) -> None:
    target = served(good)
    url = served(lambda: ("", status, {"Location": target}))
    assert Client().recognize(url, b"data", "name.png").value == "name.png"
    fault = TimedConnection(url).measure(1, b"data").fault
    assert fault == f"{url}: the server sends on to {target}; write that address as --url"


def test_error_after_a_redirection_names_the_server_that_answered(served: Served) -> None:
    target = served(lambda: (jsonify({"message": "expected a token"}), 401))
    url = served(lambda: ("", 308, {"Location": target}))
    expected = rf"{url}: expected a token \(HTTP 401\), from {target}, to which the server sends on$"
    with pytest.raises(ServiceError, match=expected):
        Client().recognize(url, b"data")


def test_user_and_password_of_an_address_are_in_no_message(served: Served) -> None:
    answers: dict[str, Callable[[], object]] = {
        "refused": lambda: (jsonify({"message": "no"}), 400),
        "odd": lambda: "<html>",
        "gopher": lambda: ("", 302, {"Location": "gopher://ann:sesame@a/"}),
        "unsure": lambda: jsonify({"value": None, "candidate": "x", "speed_time(ms)": 1}),
    }
    urls = [served(answer) for answer in answers.values()] + [f"http://127.0.0.1:{free_port()}/b", "http://[::1/b"]
    for plain in urls:
        url = plain.replace("//", "//ann:sesame@")
        messages = []
        with pytest.raises(ServiceError) as caught:
            Client(retries=0).recognize(url, b"data")
        messages.append(str(caught.value))
        if "[" not in url:
            messages.append(TimedConnection(url).measure(1, b"data").fault)
        for message in messages:
            assert not re.search("ann|sesame", message)
        assert messages[0].startswith(f"{plain}: ")
