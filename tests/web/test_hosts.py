"""Which names a server answers to: a page that reaches it by a name of its own (DNS rebinding) gets nothing."""

import json
import os
import re
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from cnnlib.config import CAPTCHA_CONFIG, load_captcha_config
from cnnlib.core.api_contract import TOKEN_VARIABLE
from cnnlib.web.app import create_recognition_app
from cnnlib.web.captcha_app import create_captcha_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from tests.helpers import Servers, start_script
from webserver_recognize_api import parser

pytestmark = pytest.mark.slow

PATHS = ("/", "/models", "/healthz", "/readyz", "/metrics", "/openapi.json", "/fresh", "/static/page.js", "/none")
OWN = ("localhost", "LocalHost:6001", "localhost.", "a.localhost", "127.0.0.1:6000", "127.8.8.8", "[::1]:6001", "[::1]")
FOREIGN = (
    "evil.example",
    "evil.example:6000",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io:6000",
    "evillocalhost",
    "evil.example@localhost",
    "localhost@evil.example",
    "localhost, evil.example",
    "evil.example/localhost",
    "evil.example#.localhost:1:2",
    "192.168.1.5",
    "0.0.0.0:6000",
    "2130706433",
    "[2001:db8::1]",
    "::1:6000",
    "",
)


def client_of(trained: SimpleNamespace, **options: object) -> FlaskClient:
    config = trained.config.model_copy(update={"api_save": False})
    model = ServedModel("small", config)
    model.load()
    return create_recognition_app(ModelRegistry([model]), **options).test_client()


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_name_gets_nothing_from_a_loopback_socket(trained: SimpleNamespace, picture: Path, host: str) -> None:
    client = client_of(trained)
    for path in PATHS:
        answer = client.get(path, headers={"Host": host})
        assert (answer.status_code, answer.json["error_code"]) == (403, "403"), path
    answer = client.post("/b", data=picture.read_bytes(), content_type="image/png", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json["message"] == (
        f"Host: expected a name of this machine such as localhost, or one that --allow-host names; got {host}"
    )


@pytest.mark.parametrize("host", OWN)
def test_names_of_this_machine_are_answered(trained: SimpleNamespace, picture: Path, host: str) -> None:
    client = client_of(trained)
    assert client.get("/models", headers={"Host": host}).status_code == 200
    sent = client.post("/b", data=picture.read_bytes(), content_type="image/png", headers={"Host": host})
    assert sent.status_code == 200
    assert client.get("/healthz", headers={"Host": f"{socket.gethostname()}:6000"}).status_code == 200


def test_names_of_a_setting_are_answered_and_no_others(trained: SimpleNamespace) -> None:
    client = client_of(trained, hosts=["captcha.example.org"])
    for host, status in (
        ("captcha.example.org", 200),
        ("CAPTCHA.example.org.:80", 200),
        ("x.captcha.example.org", 403),
    ):
        assert client.get("/healthz", headers={"Host": host}).status_code == status


def test_token_or_another_socket_needs_no_name(trained: SimpleNamespace) -> None:
    guarded = client_of(trained, token="sesame")
    assert guarded.get("/models", headers={"Host": "evil.example", "Authorization": "Bearer sesame"}).status_code == 200
    environ = {"SERVER_NAME": "192.0.2.7"}
    assert client_of(trained).get("/models", headers={"Host": "any"}, environ_overrides=environ).status_code == 200
    mapped = {"SERVER_NAME": "::ffff:127.0.0.1"}  # a socket that listens on both versions of IP
    assert client_of(trained).get("/models", headers={"Host": "any"}, environ_overrides=mapped).status_code == 403


def test_captcha_source_keeps_its_labels_from_foreign_names() -> None:
    client = create_captcha_app(load_captcha_config(CAPTCHA_CONFIG), with_label=True, hosts=["ours"]).test_client()
    statuses = [client.get("/captcha/", headers={"Host": host}).status_code for host in ("evil.example", "ours", "::1")]
    assert statuses == [403, 200, 403]


@pytest.fixture
def port(serve: Servers, trained: SimpleNamespace) -> int:
    settings = ("--workers", "1", "--page-port", "0", "--allow-host", "captcha.example.org")
    return int(re.findall(r":(\d+)/", serve("webserver_recognize_api.py", trained.config_path, *settings))[0])


def answer_to(port: int, request: bytes) -> tuple[int, str]:
    """The status of the answer, and its message."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(request)
        got = b""
        while more := connection.recv(4096):
            got += more
    return int(got.split()[1]), json.loads(got.split(b"\r\n\r\n")[1]).get("message", "")


def test_missing_or_double_host_is_a_bad_request(port: int) -> None:
    end = b"Connection: close\r\n\r\n"
    for version in (b"1.0", b"1.1"):
        for method in (b"GET /healthz", b"POST /b"):
            start = method + b" HTTP/" + version + b"\r\n"
            for hosts in (
                b"",
                b"Host:\r\n",
                b"Host: localhost\r\nHost: evil.example\r\n",
                b"Host: localhost\r\nhOST: localhost\r\n",
                b"Host: localhost\r\nHost:\r\n",
            ):
                assert answer_to(port, start + hosts + end) == (400, "expected the header Host once")
    for host, status in ((b"localhost", 200), (b"captcha.example.org", 200), (b"evil.example", 403)):
        assert answer_to(port, b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n" + end)[0] == status


def test_own_address_is_known_when_it_is_given_as_host(trained: SimpleNamespace) -> None:
    arguments = (
        "--config",
        trained.config_path,
        "--host",
        "0.0.0.0",
        "--port",
        "0",
        "--page-port",
        "0",
        "--workers",
        "1",
    )
    environment = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    process = start_script("webserver_recognize_api.py", *arguments, env=environment)
    assert process.stdout
    process.stdout.readline()
    served = process.stdout.readline()
    assert served.startswith("Serving http://0.0.0.0:")
    port = int(re.findall(r":(\d+)/", served)[0])
    try:
        for host, status in ((b"0.0.0.0", 200), (b"evil.example", 403)):  # it came in over 127.0.0.1
            request = b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n"
            assert answer_to(port, request)[0] == status
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("name", ["http://a", "a:80", "*", "", "a/b", "a b", "x@y", ".", "a..b"])
def test_setting_takes_names_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["--allow-host", name])
    assert f"expected the name of a machine such as captcha.example.org; got {name}" in capsys.readouterr().err
    hosts = parser().parse_args(["--allow-host", "Bücher.example", "--allow-host", "[::1]"]).allow_host
    assert hosts == ["xn--bcher-kva.example", "::1"]
