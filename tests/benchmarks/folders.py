"""What the scripts that go through whole folders cost with few and with many pictures: time, memory, cores (Linux).

Some pictures are drawn. The others have the same pixels under other names and a text of their own, so that no two have
the same bytes.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import file_name
from cnnlib.config import load_captcha_config
from cnnlib.core.paths import GENERAL_MODEL, PROJECT_ROOT
from cnnlib.synthesis.captcha import draw_captcha
from tests.benchmarks.runs import Result, shipped_config, store, stored, write_config

NAME = "folders"
DRAWN = 1000
SIZES = (10_000, 100_000)  # pictures
NAMES = 10  # times as many empty files for the script that looks at names alone
KEYS = {"char_set": "0123456789"}  # of the demonstration; its pictures are of 100x60 pixels
READING = KEYS | {"image_width": 160, "image_height": 64, "max_captcha": 7, "channels": 3, "resize": True}
POLL_S = 0.02


def measure(sizes: Sequence[int] = SIZES) -> Result:
    """Stored, or measured now: what each script costs, by its name, for each number of pictures."""
    found = stored(NAME)
    if found is not None:
        return found
    drawn = draw()
    rows: dict[str, list[Result]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for name, one in costs(Path(folder), drawn, size):
                print(name, one, flush=True)
                rows.setdefault(name, []).append(one)
    return store(NAME, {"scripts": rows})


def draw() -> list[tuple[str, bytes]]:
    """Labels and PNGs."""
    config = load_captcha_config(PROJECT_ROOT / "conf" / "demo_captcha_config.json")
    return [draw_captcha(config, str(number)) for number in range(DRAWN)]


def repeat(drawn: Sequence[tuple[str, bytes]], size: int, folder: Path) -> None:
    """Write so many pictures, each with the bytes of none other."""
    folder.mkdir(parents=True)
    for number in range(size):
        label, data = drawn[number % len(drawn)]
        (folder / file_name(label, f"{number:07d}", "png")).write_bytes(with_text(data, number))


def with_text(data: bytes, number: int) -> bytes:
    """A PNG with a number in a text, before its last chunk."""
    body = b"tEXt" + f"number\0{number:07d}".encode()
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return data[:-12] + chunk + data[-12:]


def costs(folder: Path, drawn: Sequence[tuple[str, bytes]], size: int) -> Iterator[tuple[str, Result]]:
    """What each script costs with so many pictures, which are made and moved in `folder`."""
    origin, split = folder / "sample" / "origin", "verify_and_split_data.py"
    repeat(drawn, size, origin)
    shutil.copytree(GENERAL_MODEL, folder / "model")
    config = configure(folder, **KEYS)
    yield "dry run", cost(size, split, "--dry-run", "--config", config)
    yield "config written", cost(size, split, "--write-config", folder / "written.json", "--config", config)
    yield "import", cost(size, split, "--import", origin, "--config", configure(folder / "imported", **KEYS))
    shutil.rmtree(folder / "imported")
    places = {"test_image_dir": str(origin), "model_save_dir": str(folder / "model")}
    yield "batch test", cost(size, "test_batch.py", "--config", configure(folder / "reading", **READING, **places))
    yield "split", cost(size, split, "--config", config)
    yield "nothing new", cost(size, split, "--config", config)
    shutil.rmtree(folder / "sample")
    config = configure(folder / "names", labels_json_file=str(folder / "labels.json"), **KEYS)
    name_files(drawn, size * NAMES, folder / "names" / "sample" / "origin")
    yield "labels collected", cost(size * NAMES, "gen_image/collect_labels.py", "--config", config)


def configure(folder: Path, **keys: Any) -> Path:
    """The path of a config whose folders are below `folder`."""
    path = folder / "config.json"
    write_config(path, shipped_config(folder, **keys))
    return path


def name_files(drawn: Sequence[tuple[str, bytes]], size: int, folder: Path) -> None:
    """Make so many empty files with names of pictures."""
    folder.mkdir(parents=True)
    for number in range(size):
        os.close(os.open(folder / file_name(drawn[number % len(drawn)][0], f"{number:07d}", "png"), os.O_CREAT))


def cost(pictures: int, script: str, *arguments: str | Path) -> Result:
    """Seconds of a script, also of processor time, and MiB at most: resident, and of its own (RssAnon)."""
    command = [sys.executable, script, *map(str, arguments)]
    start, peaks = time.perf_counter(), (0.0, 0.0)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=said, stderr=said)
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peaks = max(peaks[0], peak_mib(process.pid)), max(peaks[1], own_mib(process.pid))
            time.sleep(POLL_S)
        seconds, (_, status, used) = time.perf_counter() - start, ended
        if status:
            said.seek(0)
            raise SystemExit(f"{script} failed with status {status}: {said.read()[-2000:].decode()}")
    return {
        "pictures": pictures,
        "seconds": round(seconds, 2),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(peaks[0], 1),
        "own_mib": round(peaks[1], 1),
    }


def peak_mib(pid: int) -> float:
    """The most that a process had in memory. What `wait4` says is at least what the parent had when it started it."""
    return status_mib(pid, "VmHWM")


def own_mib(pid: int) -> float:
    """The memory of a process that is no file's."""
    return status_mib(pid, "RssAnon")


def status_mib(pid: int, key: str) -> float:
    try:
        found = re.search(rf"{key}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    except OSError:  # it has ended
        return 0.0
    return int(found[1]) / 1024 if found else 0.0
