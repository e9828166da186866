"""Small real pictures, configs over a temporary folder, and one tiny model that is trained once a session."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from PIL import Image, ImageDraw, ImageFont
from werkzeug.serving import make_server

from cnnlib.codec.filenames import file_name
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer

HANGUP = getattr(signal, "SIGHUP", None)
WIDTH, HEIGHT = 32, 16
SHORT = {"cycle_stop": 20, "cycle_save": 10, "acc_stop": 1, "augmentation": 0}  # keys of a short training
FONT = ImageFont.load_default(13)


def pytest_configure() -> None:
    """Hide GPUs, which would answer otherwise, from tests and what they start.

    Hear of a closed terminal under nohup too, but do nothing: scripts under test would inherit its deafness.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if HANGUP and signal.getsignal(HANGUP) == signal.SIG_IGN:
        signal.signal(HANGUP, lambda *_: None)


def draw(label: str, path: Path, size: tuple[int, int] = (WIDTH, HEIGHT), seed: int = 0) -> Path:
    """A picture of a label, moved a little by `seed`, below 4096, in the format of the path's suffix."""
    chance = random.Random(f"{label}{seed}")
    picture = Image.new("RGB", size, "white")
    place = (2 + chance.randrange(6), chance.randrange(-1, 2))
    ImageDraw.Draw(picture).text(place, label, "black", FONT)
    picture.putpixel((0, 0), (255 - (seed >> 8), 255 - (seed >> 4) % 16, 255 - seed % 16))  # no two have the same bytes
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def fill(folder: Path, count: int, characters: str = "01", length: int = 2, seed: int = 0) -> list[Path]:
    """`count` labelled pictures in a folder."""
    chance = random.Random(seed)
    labels = ["".join(chance.choices(characters, k=length)) for _ in range(count)]
    names = [file_name(label, f"{seed}{number:05d}", "png") for number, label in enumerate(labels)]
    drawn = zip(labels, names, strict=True)
    return [draw(label, folder / name, seed=512 * seed % 4096 + n) for n, (label, name) in enumerate(drawn)]


def write_config(folder: Path, **changes: Any) -> Path:
    """A sample config for the small pictures, everything below `folder`."""
    keys = json.loads(SAMPLE_CONFIG.read_text(encoding="utf-8"))
    del keys["$schema"]
    keys |= {key: str(folder / value) for key, value in keys.items() if key.endswith("_dir")}
    keys |= {"image_width": WIDTH, "image_height": HEIGHT, "max_captcha": 2, "char_set": "01"}
    keys |= {"cycle_stop": 60, "cycle_save": 60, "train_batch_size": 32, "test_batch_size": 10, "precision": "float32"}
    keys |= {"log_dir": str(folder / "logs"), "labels_json_file": str(folder / "labels.json")}
    path = folder / "sample_config.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(keys | changes), encoding="utf-8")
    return path


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., SampleConfig]:
    """The checked sample config in `tmp_path`, with keys changed."""
    return lambda **changes: load_sample_config(write_config(tmp_path, **changes))


@pytest.fixture
def config(configure: Callable[..., SampleConfig]) -> SampleConfig:
    return configure()


@pytest.fixture
def short(configure: Callable[..., SampleConfig]) -> SampleConfig:
    """A config of 20 steps over 60 pictures, without random changes."""
    config = configure(**SHORT)
    fill(config.train_image_dir, 60)
    return config


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures and the ended training of the config `short`."""
    folder = tmp_path_factory.mktemp("finished")
    config = load_sample_config(write_config(folder, **SHORT))
    fill(config.train_image_dir, 60)
    from cnnlib.training.loop import train

    train(config, lambda _: None)
    return folder


@pytest.fixture
def finished(finished_folder: Path, tmp_path: Path, configure: Callable[..., SampleConfig]) -> SampleConfig:
    """The config `short` over a copy of a training of it that has ended."""
    shutil.copytree(finished_folder, tmp_path, dirs_exist_ok=True)
    return configure(**SHORT)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A tiny trained suite: `config_path`, `config`, `lines` that the training said. Read it, do not change it."""
    folder = tmp_path_factory.mktemp("trained")
    path = write_config(folder, cycle_stop=160, cycle_save=80, acc_stop=0.98)
    config = load_sample_config(path)
    fill(config.train_image_dir, 1200, seed=1)
    fill(config.test_image_dir, 40, seed=2)
    import keras

    from cnnlib.training.loop import train

    keras.utils.set_random_seed(1)
    lines: list[str] = []
    outcome = train(config, lines.append)
    return SimpleNamespace(config_path=path, config=config, lines=lines, outcome=outcome)


@pytest.fixture
def picture(trained: SimpleNamespace) -> Path:
    """A test picture of the tiny suite."""
    return list_entries(trained.config.test_image_dir)[0]


@pytest.fixture
def text(trained: SimpleNamespace, picture: Path) -> str:
    """What the model reads on the picture."""
    return Recognizer(trained.config.model_save_dir).recognize([picture.read_bytes()])[0].text


@pytest.fixture(scope="session")
def other_size(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A model of 40 by 20 pictures, untrained, but always the same: `config`, a `picture` and the `text` it reads."""
    from cnnlib.training.save import save
    from cnnlib.training.trainer import Trainer

    folder = tmp_path_factory.mktemp("other")
    config = load_sample_config(write_config(folder, image_width=40, image_height=20, network="positions"))
    for number in range(4):
        draw("01", config.train_image_dir / f"01_{number}.png", size=(40, 20), seed=number)
    trainer = Trainer(config)
    trainer.progress.step = 1
    trainer.evaluate()
    save(trainer)
    picture = draw("10", folder / "10_1.png", size=(40, 20)).read_bytes()
    text = Recognizer(config.model_save_dir).recognize([picture])[0].text
    return SimpleNamespace(config=config, picture=picture, text=text)


def run_script(name: str, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run one script of the suite as a user does; not from the project's folder, unless told."""
    options.setdefault("cwd", Path(options.pop("folder", PROJECT_ROOT.parent)))
    command = [sys.executable, str(PROJECT_ROOT / name), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", check=False, timeout=1000, **options
    )


def start_script(name: str, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROJECT_ROOT / name), *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", **options
    )


def eventually(holds: Callable[[], bool], seconds: float = 120) -> bool:
    """Whether it holds once within some seconds; of what workers do by turns, each may be at another point."""
    end = time.monotonic() + seconds
    while not (held := holds()) and time.monotonic() < end:
        time.sleep(0.05)
    return held


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


@pytest.fixture
def serve() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.stop_all()


class running:  # noqa: N801 (used as a function is)
    """A server of an application in a thread; its address."""

    def __init__(self, app: Flask) -> None:
        self._server = make_server("127.0.0.1", 0, app, threaded=True)

    def __enter__(self) -> str:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{self._server.port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
