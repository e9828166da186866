"""The recognition service under load, for long, and when a worker is killed or the server is stopped."""

import http.client
import os
import random
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cnnlib.client.load_test import Load, Measurement
from cnnlib.config import load_sample_config
from tests.benchmarks.runs import Result
from tests.benchmarks.served import WORKERS, Service, requests_of, serving
from tests.hostile import KINDS, damaged, whole

STEADY_S, STEADY_CLIENTS = 60, 64
KILLS = 5
UNDER_WAY = 8  # requests when the server is stopped
REQUESTS = 200_000
DAMAGED, FIRST = 10_000, 1000  # damaged pictures, and those before memory and open files are counted


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
    head = f"POST /b HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\nContent-Length: {len(data)}\r\n\r\n"
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
