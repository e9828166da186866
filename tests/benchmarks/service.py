"""Figures of the recognition service: alone, over HTTP, under load and when a worker is killed (Linux).

Each part is stored by its name and run when it is missing.
"""

import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.config import load_sample_config
from cnnlib.folders import list_entries
from cnnlib.json_object import read_json_object
from cnnlib.paths import PROJECT_ROOT
from cnnlib.probe import BOUNDARY, Measurement
from cnnlib.stress import Load
from tests.benchmarks.runs import WORK, Result, store, stored, write_config
from tests.conftest import free_port
from tests.hostile import KINDS, damaged, whole

FOLDER = WORK / "service"
WORKERS = 2
Figures = tuple[float, ...]  # what one measurement comes to, its rate first
Rates = dict[str, list[Figures]]  # of each round, by what is measured
ROUNDS, ROUND_S = 4, 4
MANY = 32  # pictures in one request
TESTED = 1000  # pictures of the batch test
STEADY_S, STEADY_CLIENTS = 60, 64
KILLS = 5
UNDER_WAY = 8  # requests when the server is stopped
REQUESTS = 200_000
DAMAGED, FIRST = 10_000, 1000  # damaged pictures, and those before memory and open files are counted


@dataclass(frozen=True)
class Service:
    """A running server: its address, and the process that started its workers."""

    port: int
    process: subprocess.Popen[str]

    def url(self, route: str = "/b") -> str:
        return f"http://127.0.0.1:{self.port}{route}"

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]

    def memory_mb(self) -> list[float]:
        return [status_kb(pid) / 1024 for pid in self.workers()]

    def open_files(self) -> list[int]:
        return [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in self.workers()]


def status_kb(pid: int) -> int:
    return int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])


@contextmanager
def serving(config: Path) -> Iterator[Service]:
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.floor", str(config), str(port), str(WORKERS)]
    with (FOLDER / "server.log").open("w") as log:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout
        process.stdout.readline()
        service = Service(port, process)
        for _ in range(400):  # warm, in every worker
            post(port, "/b", b"")
        yield service
        process.terminate()
        process.wait()


def post(port: int, route: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("POST", route, body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"})
    return connection.getresponse().read()


def requests_of(load: Load) -> list[Measurement]:
    return [one for some in load.measurements() for one in some]


def rate(url: str, picture: bytes, connections: int) -> Figures:
    """Requests a second, their median in ms, and what sending one cost."""
    load = Load(url, [picture], 10**9, connections, duration_s=ROUND_S)
    done = requests_of(load)
    assert all(one.answer for one in done)
    return len(done) / ROUND_S, statistics.median(one.answer.total_ms for one in done if one.answer), load.own_cost_ms


def alone(config: Path, picture: Path) -> Result:
    command = [sys.executable, "-m", "tests.benchmarks.alone", str(config), str(picture)]
    said = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True).stdout
    result: Result = json.loads(said)
    return result


def over_http(config: Path, picture: Path) -> Result:
    """Serial and with several clients, with wrk, and with eight clients of a server that keeps no pictures."""
    data, counts = picture.read_bytes(), (1, 4, 8)
    with serving(config) as service:
        by_wrk = {f"wrk {n}": partial(wrk, service.url(), data, n) for n in counts if shutil.which("wrk")}
        rows = by_turns(beside_floor(service, data, counts) | by_wrk)
        told = {name: list(np.median(some, axis=0)) for name, some in rows.items()}
        result = {
            "serial_ms": told["/b 1"][1],
            "requests_per_s": {name: figures[0] for name, figures in told.items() if name not in by_wrk},
            "share_of_floor": share_of_floor(rows),
            "sending_ms": told["/b 8"][2],
            "wrk_requests_per_s": {str(n): told[f"wrk {n}"][0] if by_wrk else None for n in counts},
            "memory_mb": service.memory_mb(),
        }
    with serving(changed(config, "unkept", api_save=False)) as service:
        return result | {"share_of_floor_unkept": share_of_floor(by_turns(beside_floor(service, data, (8,))))}


def beside_floor(service: Service, picture: bytes, counts: Sequence[int]) -> dict[str, Callable[[], Figures]]:
    """What measures `rate` with so many clients, at /b and at the route that only decodes."""
    return {f"{route} {n}": partial(rate, service.url(route), picture, n) for route in ("/b", "/floor") for n in counts}


def by_turns(measures: dict[str, Callable[[], Figures]]) -> Rates:
    """Each measurement once in every round."""
    rounds = [{name: measure() for name, measure in measures.items()} for _ in range(ROUNDS)]
    return {name: [one[name] for one in rounds] for name in measures}


def share_of_floor(rows: Rates) -> float:
    return statistics.median(one[0] / floor[0] for one, floor in zip(rows["/b 8"], rows["/floor 8"], strict=True))


def changed(config: Path, name: str, **keys: Any) -> Path:
    """A copy of a config with other values."""
    path = FOLDER / f"{name}.json"
    content = {key: value for key, value in read_json_object(config).items() if key != "$schema"}
    write_config(path, content | keys)
    return path


def wrk(url: str, picture: bytes, connections: int) -> Figures:
    """Requests a second as wrk counts them."""
    body, script = FOLDER / "body", FOLDER / "post.lua"
    body.write_bytes(form([picture]))
    script.write_text(
        f'local f = io.open("{body}", "rb")\nwrk.method = "POST"\nwrk.body = f:read("*a")\n'
        f'wrk.headers["Content-Type"] = "multipart/form-data; boundary={BOUNDARY}"\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_S}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return (float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),)


def form(pictures: list[bytes]) -> bytes:
    head = b'--%s\r\nContent-Disposition: form-data; name="image_file"; filename="x.png"\r\n\r\n' % BOUNDARY.encode()
    return b"".join(head + one + b"\r\n" for one in pictures) + b"--%s--\r\n" % BOUNDARY.encode()


def together(config: Path, picture: Path) -> Result:
    """Pictures a second: one a request, and `MANY` a request, on one connection."""
    data = picture.read_bytes()
    rates: dict[int, list[float]] = {1: [], MANY: []}
    with serving(config) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        for _ in range(ROUNDS):
            for many, found in rates.items():
                body, count, start = form([data] * many), 0, time.perf_counter()
                while time.perf_counter() < start + ROUND_S:
                    connection.request("POST", "/b", body, headers)
                    assert len(np.atleast_1d(json.loads(connection.getresponse().read()))) == many
                    count += many
                found.append(count / (time.perf_counter() - start))
    gain = statistics.median(b / a for a, b in zip(rates[1], rates[MANY], strict=True))
    return {"pictures": MANY, "pictures_per_s": {str(n): statistics.median(r) for n, r in rates.items()}, "gain": gain}


def batch_test(config: Path, _picture: Path) -> Result:
    """Seconds of a whole batch test of `TESTED` pictures without the pictures of its report."""
    folder = FOLDER / "tested"
    folder.mkdir(exist_ok=True)
    for path in list_entries(load_sample_config(config).train_image_dir)[:TESTED]:
        shutil.copy2(path, folder)
    copy = changed(config, "tested", test_image_dir=str(folder))
    command = [sys.executable, "test_batch.py", "--config", str(copy), "--no-pictures"]
    times = []
    for _ in range(5):
        start = time.perf_counter()
        subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    return {"pictures": TESTED, "seconds": statistics.median(times)}


def steady(config: Path, picture: Path) -> Result:
    """`STEADY_CLIENTS` clients for `STEADY_S` seconds."""
    with serving(config) as service:
        done = requests_of(Load(service.url(), [picture.read_bytes()], 10**9, STEADY_CLIENTS, duration_s=STEADY_S))
    return {"clients": STEADY_CLIENTS, "seconds": STEADY_S, **counted(done)}


def counted(done: list[Measurement]) -> Result:
    times = [one.answer.total_ms for one in done if one.answer]
    return {
        "requests": len(done),
        "failed": sum(one.answer is None for one in done),
        "median_ms": statistics.median(times),
        "p99_ms": float(np.percentile(times, 99)),
    }


def killed(config: Path, picture: Path) -> Result:
    """Workers killed under the load of eight clients: requests lost, and seconds until there are as many again."""
    back_s: list[float] = []

    def kill(service: Service) -> None:
        for number in range(KILLS):
            time.sleep(3)
            before = set(service.workers())
            os.kill(sorted(before)[number % WORKERS], signal.SIGKILL)
            start = time.monotonic()
            while len(set(service.workers()) - before) < 1:
                time.sleep(0.01)
            back_s.append(time.monotonic() - start)

    with serving(config) as service:
        killer = threading.Thread(target=kill, args=(service,))
        killer.start()
        load = Load(service.url(), [picture.read_bytes()], 10**9, 8, duration_s=4 * KILLS + 2)
        done = requests_of(load)
        killer.join()
    return {"clients": 8, "kills": KILLS, "process_back_s": max(back_s), **counted(done)}


def stopped(config: Path, picture: Path) -> Result:
    """Requests that are half sent when the server is told to stop, and how many of them are answered."""
    data = picture.read_bytes()
    head = f"POST /b HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: {len(data)}\r\n\r\n"
    with serving(config) as service:
        begun = [socket.create_connection(("127.0.0.1", service.port), 20) for _ in range(UNDER_WAY)]
        for connection in begun:
            connection.sendall(head.encode() + data[:50])
        time.sleep(1)
        service.process.terminate()
        time.sleep(1)
        for connection in begun:
            connection.sendall(data[50:])
        answered = sum(connection.recv(15) == b"HTTP/1.1 200 OK" for connection in begun)
        return {"under_way": UNDER_WAY, "answered": answered, "status": service.process.wait()}


def growth(config: Path, picture: Path) -> Result:
    """Memory of the workers after `REQUESTS` requests, against that after the first twentieth."""
    data = picture.read_bytes()
    with serving(config) as service:
        requests_of(Load(service.url(), [data], REQUESTS // 20, 8))
        before = service.memory_mb()
        done = requests_of(Load(service.url(), [data], REQUESTS, 8))
        after = service.memory_mb()
    return {"before_mb": before, "after_mb": after, "growth_mb": max(np.subtract(after, before)), **counted(done)}


def fuzzed(config: Path, _picture: Path) -> Result:
    """Pictures of every format, damaged at random, through the real route, over one connection to each worker."""
    chance, shape = random.Random(1), load_sample_config(config).shape
    pictures = whole((shape.width, shape.height))
    statuses: Counter[int] = Counter()
    with serving(config) as service:
        connections = [http.client.HTTPConnection("127.0.0.1", service.port, timeout=20) for _ in range(8)]
        for number in range(DAMAGED):
            if number == FIRST:
                memory_mb, files = service.memory_mb(), service.open_files()
            changes = [(chance.choice(KINDS), chance.randrange(3000), chance.randrange(256)) for _ in range(3)]
            connection = connections[number % len(connections)]
            connection.request("POST", "/b", damaged(chance.choice(pictures), changes), {"Content-Type": "image/png"})
            answer = connection.getresponse()
            answer.read()
            statuses[answer.status] += 1
        return {
            "pictures": DAMAGED,
            "statuses": dict(sorted(statuses.items())),
            "growth_mb": max(np.subtract(service.memory_mb(), memory_mb)),
            "more_open_files": sum(service.open_files()) - sum(files),  # connections change from worker to worker
        }


PARTS: dict[str, Callable[[Path, Path], Result]] = {
    "alone": alone,
    "over-http": over_http,
    "together": together,
    "batch-test": batch_test,
    "steady": steady,
    "killed": killed,
    "stopped": stopped,
    "growth": growth,
    "fuzzed": fuzzed,
}


def measure(config_path: Path) -> None:
    """Run the parts whose results are missing, with the model of a config."""
    config = load_sample_config(config_path)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, part in PARTS.items():
        if stored(f"service-{name}") is None:
            found = part(config_path.resolve(), list_entries(config.test_image_dir)[0].resolve())
            store(f"service-{name}", found)
            print(name, found, flush=True)
