"""What `deploy/` ships: nginx in front of two servers, for real where nginx is installed."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import train_model
from cnnlib.cli import SIGNAL_BASE, UNUSABLE
from cnnlib.core.errors import WorkerLostError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.training import cluster
from tests.helpers import Servers, eventually, free_port, is_open

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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("name", ["Dockerfile", "training.Dockerfile"])
def test_files_that_the_image_copies_exist_and_are_not_ignored(name: str) -> None:
    dockerfile = (DEPLOY / name).read_text()
    lines = re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE)
    sources = [source for line in lines for source in line.split()]
    let_in = (DEPLOY / f"{name}.dockerignore").read_text().splitlines()
    assert "requirements-serve.txt" in sources
    for source in sources:
        assert (PROJECT_ROOT / source).exists()
        assert f"!{source}" in let_in


def check_worker_command(command: list[str], hosts: list[str], index: str) -> None:
    """Fail unless the image's entry point makes TF_CONFIG of these hosts from the command, and trains by its config."""
    arguments = cluster.parser().parse_args(command)
    assert arguments.command == ["python", "train_model.py", "/my/config.json"]
    train_model.parser().parse_args(arguments.command[2:])
    assert [arguments.host.replace("{}", str(number)) for number in range(arguments.workers)] == hosts
    assert cluster.read_cluster({"TF_CONFIG": cluster.tf_config(hosts, int(index))})
    entry = re.findall(r"^ENTRYPOINT (.*)$", (DEPLOY / "training.Dockerfile").read_text(), re.MULTILINE)
    assert json.loads(entry[0]) == ["python", "-m", "cnnlib.training.cluster"]


def test_compose_starts_workers_that_find_each_other_and_starts_again_what_ends() -> None:
    services = yaml.safe_load((DEPLOY / "training.compose.yaml").read_text())["services"]
    hosts = [f"{name}:2222" for name in services]
    for number, service in enumerate(services.values()):
        check_worker_command(service["command"], hosts, service["environment"][cluster.INDEX])
        assert service["environment"] == {cluster.INDEX: str(number)}
        assert service["restart"] == "on-failure"
    gpus = yaml.safe_load((DEPLOY / "training.gpu.compose.yaml").read_text())["services"]
    assert gpus.keys() == services.keys()
    devices = [each["deploy"]["resources"]["reservations"]["devices"][0] for each in gpus.values()]
    assert [device["device_ids"] for device in devices] == [["0"], ["1"], ["2"]]
    for service in gpus.values():
        assert (PROJECT_ROOT / service["build"]["args"]["REQUIREMENTS"]).exists()


def test_kubernetes_job_starts_workers_that_find_each_other_and_starts_again_what_ends() -> None:
    text = (DEPLOY / "training.kubernetes.yaml").read_text()
    service, job = yaml.safe_load_all(text)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    name = job["metadata"]["name"]  # the pod of index 1 is called NAME-1.SUBDOMAIN
    hosts = [f"{name}-{number}.{pod['subdomain']}:2222" for number in range(spec["completions"])]
    assert spec["completions"] == spec["parallelism"] == 3
    check_worker_command(container["args"], hosts, "2")
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"], "workers meet before they are ready"
    actions = {rule["action"]: rule["onExitCodes"]["values"] for rule in spec["podFailurePolicy"]["rules"][:2]}
    assert actions == {"FailJob": [UNUSABLE], "Ignore": [WorkerLostError.status, SIGNAL_BASE + signal.SIGTERM]}
    assert (spec["completionMode"], pod["restartPolicy"]) == ("Indexed", "Never")  # as podFailurePolicy needs
    _, with_gpu = yaml.safe_load_all(text.replace("# nvidia.com/gpu: 1\n", "nvidia.com/gpu: 1\n"))
    assert with_gpu["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
