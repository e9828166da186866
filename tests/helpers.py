"""What tests share besides fixtures: small pictures and configs, the project's scripts as processes, ports, waiting."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from PIL import Image, ImageDraw, ImageFont
from werkzeug.serving import make_server

from cnnlib.codec.filenames import file_name
from cnnlib.config import SAMPLE_CONFIG, CaptchaConfig
from cnnlib.core.paths import PROJECT_ROOT

HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
WIDTH, HEIGHT = 32, 16
SHORT = {"cycle_stop": 20, "cycle_save": 10, "acc_stop": 1, "augmentation": 0}  # keys of a short training
FONT = ImageFont.load_default(13)
SCRIPTS = sorted(
    path.relative_to(PROJECT_ROOT).as_posix()
    for pattern in ("*.py", "gen_image/*.py", "tools/*.py")
    for path in PROJECT_ROOT.glob(pattern)
    if path.name != "__init__.py"
)
_ports = itertools.count()


def draw(label: str, path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), seed: int = 0) -> Path:
    """Draw a label, moved a little by `seed`, below 4096, in the format of the path's suffix; returns the path."""
    chance = random.Random(f"{label}{seed}")
    picture = Image.new("RGB", size, "white")
    place = (2 + chance.randrange(6), chance.randrange(-1, 2))
    ImageDraw.Draw(picture).text(place, label, "black", FONT)
    picture.putpixel((0, 0), (255 - (seed >> 8), 255 - (seed >> 4) % 16, 255 - seed % 16))  # no two have the same bytes
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def fill(folder: Path, count: int, characters: str = "01", length: int = 2, seed: int = 0) -> list[Path]:
    """Draw `count` labelled pictures into a folder; returns their paths."""
    chance = random.Random(seed)
    labels = ["".join(chance.choices(characters, k=length)) for _ in range(count)]
    names = [file_name(label, f"{seed}{number:05d}", "png") for number, label in enumerate(labels)]
    drawn = zip(labels, names, strict=True)
    return [draw(label, folder / name, seed=512 * seed % 4096 + n) for n, (label, name) in enumerate(drawn)]


def fill_unlearnable(folder: Path, count: int) -> None:
    """Draw `count` pictures into a folder whose labels say nothing about them, so that no accuracy is ever reached."""
    for number, path in enumerate(fill(folder, count)):
        path.rename(path.with_name(f"{number % 2}{number // 2 % 2}_{number}.png"))


def write_config(folder: Path, **changes: Any) -> Path:
    """Write a sample config for the small pictures, everything below `folder`; returns its path."""
    keys = json.loads(SAMPLE_CONFIG.read_text(encoding="utf-8"))
    del keys["$schema"]
    keys |= {key: str(folder / value) for key, value in keys.items() if key.endswith("_dir")}
    keys |= {"image_width": WIDTH, "image_height": HEIGHT, "max_captcha": 2, "char_set": "01"}
    keys |= {"cycle_stop": 60, "cycle_save": 60, "train_batch_size": 32, "test_batch_size": 10, "precision": "float32"}
    keys |= {"cache_dir": str(folder / "cache"), "log_dir": str(folder / "logs")}
    keys |= {"labels_json_file": str(folder / "labels.json")}
    path = folder / "sample_config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(keys | changes), encoding="utf-8")
    return path


def captcha_config(**changes: Any) -> CaptchaConfig:
    """A checked captcha config: four digits on 100x60 pixels, with keys changed."""
    keys = {"root_dir": "unused", "image_suffix": "png", "characters": "0123456789", "count": 1}
    return CaptchaConfig.model_validate(keys | {"char_count": 4, "width": 100, "height": 60} | changes)


def run_script(name: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a script as a user does, outside the project's folder unless `folder` names another."""
    options.setdefault("cwd", Path(options.pop("folder", PROJECT_ROOT.parent)))
    command = [sys.executable, str(PROJECT_ROOT / name), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=1000, **options
    )


def start_script(name: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a script with pipes for its output."""
    command = [sys.executable, str(PROJECT_ROOT / name), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options
    )


def run_python(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments in the project's folder, and expect status 0."""
    options = {"cwd": PROJECT_ROOT, "check": True} | options
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", **options)


def eventually(holds: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether a condition holds at some moment within these seconds."""
    end = time.monotonic() + seconds
    while not (holding := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return holding


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """A port where nobody listens, other ones in each process, and below those that systems give to clients."""
    for number in _ports:
        port = 20_000 + (97 * os.getpid() + number) % 12_000
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError  # the count is endless


class Servers:
    """Server scripts on free ports, called to start one; all are stopped when the test ends."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __call__(self, name: str, *arguments: str | Path) -> str:
        """The address of a server once it serves."""
        process = start_script(name, *arguments, "--port", "0")
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        assert line.startswith("Serving http://127.0.0.1:"), line + process.stderr.read()
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would block the server
        address = line.split()[1]
        self._running[address] = process
        return address

    def stop(self, address: str) -> None:
        process = self._running.pop(address)
        process.terminate()
        process.wait()

    def stop_all(self) -> None:
        for address in list(self._running):
            self.stop(address)


class running:  # noqa: N801 (used as a function is)
    """A server of an application in a thread; entering it gives its address."""

    def __init__(self, app: Flask) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
