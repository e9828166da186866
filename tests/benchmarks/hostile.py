"""What requests that were made to cost much do cost the service: processor time and memory, by kind (Linux)."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from PIL import Image

from cnnlib.config import load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks.runs import WORK, Result, shipped_config, store, stored, write_config
from tests.hostile_bodies import KINDS, PLAIN, SIZE, Body, form

NAME = "hostile-requests"
FOLDER = WORK / NAME
FREE_AT_ONCE = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}  # so that no kind hides the next
KEYS = {"char_set": "0123456789", "resize": True}  # of the demonstration, but that any size is read
DEAR_S = 3  # after which a kind is not tried again
ROUNDS = 3  # of which the cheapest counts: other programs of the machine make a round dearer, never cheaper


def measure() -> Result:
    """Stored, or measured now."""
    found = stored(NAME)
    if found is not None:
        return found
    with serving() as (pid, port):
        rows = {name: cost(pid, port, make()) for name, make in KINDS.items()}
    return store(NAME, {"kinds": rows})


@contextmanager
def serving() -> Iterator[tuple[int, int]]:
    """The process and port of a server of one process, with an untrained model as large as the demonstration's."""
    config = FOLDER / "config.json"
    write_config(config, shipped_config(FOLDER, **KEYS))
    make_model(config)
    command = [sys.executable, "webserver_recognize_api.py", str(config), "--workers", "1"]
    command += ["--port", "0", "--page-port", "0"]
    with (FOLDER / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | FREE_AT_ONCE
        )
        assert process.stdout
        port = int(re.findall(r":(\d+)/", process.stdout.readline())[0])
        try:
            for _ in range(5):
                send(port, form([PLAIN] * 100))
            yield process.pid, port
        finally:
            process.terminate()
            process.wait()


def make_model(config: Path) -> None:
    """An untrained model in the folder of a config: it costs what a trained one does."""
    from cnnlib.training.save import save
    from cnnlib.training.trainer import Trainer

    loaded = load_sample_config(config)
    loaded.train_image_dir.mkdir(parents=True, exist_ok=True)
    for number in range(4):
        Image.new("L", SIZE, number).save(loaded.train_image_dir / f"0000_{number}.png")
    trainer = Trainer(loaded)
    trainer.progress.step = 1
    trainer.record_evaluation()
    save(trainer)


def cost(pid: int, port: int, body: Body) -> Result:
    """Bytes of a request, status and pictures of its answer, seconds of processor time, and MB of memory at most."""
    seconds, resident_mb = [], reset_peak_mb(pid)
    for _ in range(ROUNDS):
        before = cpu_s(pid)
        status, pictures = send(port, body)
        seconds.append(cpu_s(pid) - before)
        if seconds[-1] > DEAR_S:
            break
    return {
        "bytes": len(body.data),
        "status": status,
        "pictures": pictures,
        "cpu_s": round(min(seconds), 3),
        "memory_mb": round(peak_mb(pid) - resident_mb, 1),
    }


def send(port: int, body: Body) -> tuple[int, int]:
    """The status of the answer, and how many pictures were read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.putrequest("POST", body.path)
    for name, value in [("Content-Type", body.content_type), ("Content-Length", str(len(body.data))), *body.headers]:
        connection.putheader(name, value)
    connection.endheaders(body.data)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, len(content) if isinstance(content, list) else int(answer.status == HTTPStatus.OK)


def cpu_s(pid: int) -> float:
    """Processor time of all threads of a process, by its own clock."""
    return time.clock_gettime(~pid << 3 | 2)


def reset_peak_mb(pid: int) -> float:
    """What a process has in memory, from which its peak counts anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return peak_mb(pid)


def peak_mb(pid: int) -> float:
    return int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


if __name__ == "__main__":  # a look at some kinds, without storing
    with serving() as (pid, port):
        for name in [name for name in KINDS if any(word in name for word in sys.argv[1:] or [""])]:
            one = cost(pid, port, KINDS[name]())
            print(f"{one['cpu_s']:6.3f} s {one['memory_mb']:7.1f} MB  {one['status']} {name}", flush=True)
