"""A server of the recognition API for the benchmarks, with the route that only decodes beside it (Linux)."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cnnlib.client.load_test import BOUNDARY, Load, Measurement, multipart_body
from cnnlib.config import load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from tests.benchmarks.runs import WORK
from tests.helpers import free_port
from tests.processes import memory_mb, workers_of

FOLDER = WORK / "service"
WORKERS = 2
WARMING = 400  # requests, of which every worker gets some


@dataclass(frozen=True)
class Service:
    """A running server: its address, and the process that started its workers."""

    port: int
    process: subprocess.Popen[str]

    def url(self, route: str = "/b") -> str:
        return f"http://127.0.0.1:{self.port}{route}"

    def workers(self) -> list[int]:
        return sorted(workers_of(self.process.pid))

    def memory_mb(self) -> list[float]:
        return [memory_mb(pid) for pid in self.workers()]

    def open_files(self) -> list[int]:
        return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers()]


@contextmanager
def serving(config: Path) -> Iterator[Service]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.floor", str(config), str(port), str(WORKERS)]
    with (FOLDER / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout
        process.stdout.readline()
        service = Service(port, process)
        try:
            body = multipart_body(list_entries(load_sample_config(config).test_image_dir)[0].read_bytes())
            for _ in range(WARMING):
                post(port, "/b", body)
            yield service
        finally:
            process.terminate()
            process.wait()


def post(port: int, route: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", route, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    return connection.getresponse().read()


def requests_of(load: Load) -> list[Measurement]:
    return [one for some in load.measurements() for one in some]
