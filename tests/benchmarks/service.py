"""Figures of the recognition service: alone, over HTTP, under load and when a worker is killed (Linux).

Each part is stored by its name and run when it is missing.
"""

import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cnnlib.client.load_test import BOUNDARY, Load, multipart_body
from cnnlib.config import load_sample_config
from cnnlib.core.files import read_json_object
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from tests.benchmarks.runs import Result, store, stored, write_config
from tests.benchmarks.served import FOLDER, Service, requests_of, serving
from tests.benchmarks.service_faults import fuzzed, growth, killed, steady, stopped

Figures = tuple[float, ...]  # what one measurement comes to, its rate first
Rates = dict[str, list[Figures]]  # of each round, by what is measured
ROUNDS, ROUND_S = 4, 4
MANY = 32  # pictures in one request
TESTED = 1000  # pictures of the batch test


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
    body.write_bytes(multipart_body(picture))
    script.write_text(
        f'local f = io.open("{body}", "rb")\nwrk.method = "POST"\nwrk.body = f:read("*a")\n'
        f'wrk.headers["Content-Type"] = "multipart/form-data; boundary={BOUNDARY}"\n'
    )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{ROUND_S}s", "-s", str(script), url]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return (float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),)


def together(config: Path, picture: Path) -> Result:
    """Pictures a second: one a request, and `MANY` a request, on one connection."""
    data = picture.read_bytes()
    rates: dict[int, list[float]] = {1: [], MANY: []}
    with serving(config) as service:
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
        headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        for _ in range(ROUNDS):
            for many, found in rates.items():
                body, count, start = multipart_body(*[data] * many), 0, time.perf_counter()
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


def measure(name: str, config_path: Path) -> Result:
    """Stored, or measured now with the model of a config: one of the parts."""
    found = stored(f"service-{name}")
    if found is not None:
        return found
    FOLDER.mkdir(parents=True, exist_ok=True)
    picture = list_entries(load_sample_config(config_path).test_image_dir)[0]
    result = store(f"service-{name}", PARTS[name](config_path.resolve(), picture.resolve()))
    print(name, result, flush=True)
    return result
