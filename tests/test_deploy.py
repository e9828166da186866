"""What `deploy/` ships: nginx in front of two servers, for real where nginx is installed."""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from tests.helpers import Servers, eventually, free_port

DEPLOY = PROJECT_ROOT / "deploy"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
MAIN = """
daemon off; pid {folder}/pid; error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/*.conf.d;
}}
"""
needs_nginx = pytest.mark.skipif(NGINX is None, reason="no nginx is installed (Debian: apt install nginx-light)")


@pytest.fixture
def chain(trained: SimpleNamespace, serve: Servers, tmp_path: Path) -> Iterator[SimpleNamespace]:
    """nginx with the shipped configuration before two servers: `port`, `servers` (addresses), `routes` (URLs)."""
    arguments = ("--config", trained.config_path, "--workers", "1", "--page-port", "0")
    routes = [serve("webserver_recognize_api.py", *arguments) for _ in range(2)]
    addresses = [route.split("/")[2] for route in routes]
    with nginx_before(addresses, tmp_path) as port:
        yield SimpleNamespace(port=port, servers=addresses, routes=routes)


@contextmanager
def nginx_before(addresses: Sequence[str], tmp_path: Path) -> Iterator[int]:
    """nginx with the shipped configuration before two machines; its port."""
    port = free_port()
    site = (DEPLOY / "nginx" / "captcha_api.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
    assert "rate=50r/s;" in site
    site = site.replace("rate=50r/s;", "rate=1r/s;")  # else a slow machine never sends too much
    assert "proxy_read_timeout 10s;" in site
    site = site.replace("proxy_read_timeout 10s;", "proxy_read_timeout 5s;")
    machines = (DEPLOY / "nginx" / "upstream.conf").read_text()
    for shipped, ours in zip(("127.0.0.1:6000", "192.0.2.2:6000"), addresses, strict=True):
        assert shipped in machines
        machines = machines.replace(shipped, ours)
    (tmp_path / "site.conf.d").write_text(site)
    (tmp_path / "machines.conf.d").write_text(machines)
    (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path))
    process = subprocess.Popen([str(NGINX), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")])
    try:
        assert eventually(lambda: is_open(port))
        yield port
    finally:
        process.terminate()
        process.wait()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def ask(port: int, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body, {"Content-Type": "image/png"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def served(address: str) -> float:
    """Requests to /b that a server has answered."""
    _, text = ask(int(address.split(":")[1]), "GET", "/metrics")
    match = re.search(rb'captcha_requests_total\{.*route="/b".*\} (\S+)', text)
    return float(match[1]) if match else 0


@needs_nginx
def test_nginx_shares_limits_and_survives_a_lost_server(
    chain: SimpleNamespace, serve: Servers, trained: SimpleNamespace
) -> None:
    picture = list_entries(trained.config.test_image_dir)[0].read_bytes()
    for _ in range(20):
        assert ask(chain.port, "POST", "/b", picture)[0] == 200
    assert [served(address) for address in chain.servers] == [10, 10]

    status, text = ask(chain.port, "POST", "/b", b"x" * (2**20 + 1))
    assert (status, b'"error_code":"413"' in text) == (413, True)
    assert [ask(chain.port, "GET", path)[0] for path in ("/metrics", "/readyz", "/healthz")] == [404, 404, 200]

    serve.stop(chain.routes[0])
    assert {ask(chain.port, "POST", "/b", picture)[0] for _ in range(20)} == {200}, "the other machine answers"

    answers = (ask(chain.port, "POST", "/b", picture) for _ in range(2000))
    refused = next(text for status, text in answers if status == 429)
    assert b'"error_code":"429"' in refused
    serve.stop(chain.routes[1])
    time.sleep(3)
    status, text = ask(chain.port, "POST", "/b", picture)
    assert (status, b'"error_code":"502"' in text) == (502, True)


@needs_nginx
def test_machines_that_never_answer_are_one_error_in_json(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with nginx_before([address, address], tmp_path) as port:
            status, text = ask(port, "GET", "/models")
    assert (status, json.loads(text)["error_code"]) == (502, "502")


def test_health_check_of_the_image_uses_no_proxy(trained: SimpleNamespace, serve: Servers) -> None:
    address = serve("webserver_recognize_api.py", "--config", trained.config_path, "--workers", "1", "--page-port", "0")
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "")
    command = json.loads(re.findall(r"HEALTHCHECK .*CMD (\[.*\])", lines)[0])
    proxy = f"http://127.0.0.1:{free_port()}"

    def check(port: int) -> int:
        program = [sys.executable, *(word.replace("6000", str(port)) for word in command[1:])]
        return subprocess.run(program, env=os.environ | {"http_proxy": proxy}, stderr=subprocess.DEVNULL).returncode

    assert eventually(lambda: check(int(address.split(":")[2].split("/")[0])) == 0)
    assert check(free_port()) == 1


def test_files_that_the_image_copies_exist_and_are_not_ignored() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    sources = re.findall(r"^COPY (\S+)", dockerfile, re.MULTILINE)
    let_in = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert "requirements-serve.txt" in sources
    for source in sources:
        assert (PROJECT_ROOT / source).exists()
        assert f"!{source}" in let_in
