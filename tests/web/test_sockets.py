import socket
from collections.abc import Iterator
from functools import partial

import pytest
from werkzeug.serving import make_server

from cnnlib.core.errors import ServiceError
from cnnlib.web.captcha_app import create_captcha_app
from cnnlib.web.server import serve
from cnnlib.web.sockets import listen_on
from tests.helpers import captcha_config, free_port


def test_page_may_share_the_port_of_programs(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    (listening,) = listen_on("127.0.0.1", port, "/b", port, token=False)
    listening.close()
    assert f"The page is at http://127.0.0.1:{port}/" in capsys.readouterr().out


@pytest.fixture
def taken_port() -> Iterator[int]:
    port = free_port()
    server = make_server("127.0.0.1", port, lambda *_: [])
    yield port
    server.server_close()


def test_taken_port_is_one_line_with_the_way_out(taken_port: int) -> None:
    message = (
        f"http://127.0.0.1:{taken_port}: can't listen there \\(.*\\); .* uses the port; choose another --port or --host"
    )
    with pytest.raises(ServiceError, match=message):
        serve(partial(create_captcha_app, captcha_config()), "127.0.0.1", taken_port, "/captcha/")


@pytest.mark.parametrize(
    ("host", "printed", "reached", "open_to_others"),
    [("127.0.0.2", "127.0.0.2", "127.0.0.2", False), ("[::1]", "[::1]", "::1", False), ("::", "[::]", "::1", True)],
)
def test_addresses_of_every_kind_are_served(
    host: str, printed: str, reached: str, open_to_others: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        socket.create_server((reached, 0), family=socket.AF_INET6 if ":" in reached else socket.AF_INET).close()
    except OSError as error:
        pytest.skip(f"this machine has no such address: {error}")
    (listening,) = listen_on(host, 0, "/b", None, token=False)
    with listening:
        out = capsys.readouterr().out
        socket.create_connection((reached, listening.getsockname()[1])).close()
    assert f"Serving http://{printed}:" in out
    assert ("every machine" in out) is open_to_others


def test_address_of_another_machine_is_refused_with_the_way_out() -> None:
    with pytest.raises(ServiceError, match="--host needs an address of this machine"):
        listen_on("192.0.2.77", 0, "/b", None, token=False)
