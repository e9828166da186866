"""Fixtures of several packages: configs over a temporary folder, trained models that all workers share, servers."""

import os
import pickle
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer
from cnnlib.network.names import NETWORKS
from tests.helpers import HANGUP, SHORT, Servers, draw, fill, write_config

SMALL = "tests.small_network:Small"
SLOW_S = 4  # of a slow test, when a core is its own


def pytest_configure() -> None:
    """Prepare this process and those that tests start.

    GPUs are hidden, for they would answer otherwise. Where workers share the cores, TensorFlow takes one thread each:
    more would mostly wait for each other. Under nohup and in the background of a shell, a closed terminal and Ctrl-C
    are noticed all the same: scripts under test would inherit the deafness.
    """
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ |= {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    if HANGUP and signal.getsignal(HANGUP) == signal.SIG_IGN:
        signal.signal(HANGUP, lambda *_: None)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the files so that no worker waits for another.

    One that needs the trained model comes first, then those that don't, then the others, which find it trained. The
    longest files come before the shorter ones, which share out the time that is left at the end. A slow test counts as
    `SLOW_S`, or as what its marker says: `slow(30)` where each of them takes many processes.
    """
    seconds, untrained = Counter[Path](), {item.path for item in items}
    for item in items:
        if marker := item.get_closest_marker("slow"):
            seconds[item.path] += marker.args[0] if marker.args else SLOW_S
        if "trained" in getattr(item, "fixturenames", ()):
            untrained.discard(item.path)
    trained = {item.path for item in items} - untrained
    first = max(sorted(trained), key=lambda path: seconds[path], default=None)
    items.sort(key=lambda item: (item.path != first, item.path not in untrained, -seconds[item.path]))


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Put what TensorFlow leaves behind, because a worker ends without cleaning up, into the folder of the run."""
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary"))


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., SampleConfig]:
    """Makes the checked sample config in `tmp_path`, with keys changed."""
    return lambda **changes: load_sample_config(write_config(tmp_path, **changes))


@pytest.fixture
def config(configure: Callable[..., SampleConfig]) -> SampleConfig:
    return configure()


@pytest.fixture
def small_network(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network that is trained in seconds."""
    monkeypatch.setitem(NETWORKS, "small", SMALL)
    return "small"


@pytest.fixture
def short(configure: Callable[..., SampleConfig], small_network: str) -> SampleConfig:
    """A config of 20 steps of a small network over 60 pictures, without random changes."""
    config = configure(**SHORT, network=small_network)
    fill(config.train_image_dir, 60)
    return config


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]) -> tuple[Path, Any]:
    """A folder that `make` fills once in a run, for all workers, and what it returned."""
    own = factory.getbasetemp()
    root = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, returned = root / name, root / f"{name}.pickle"
    with FileLock(root / f"{name}.lock"):
        if not returned.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
            folder.mkdir()
            returned.write_bytes(pickle.dumps(make(folder)))
    return folder, pickle.loads(returned.read_bytes())


@pytest.fixture(scope="session")
def finished_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures and the ended training of the config `short`."""

    def make(folder: Path) -> None:
        from cnnlib.training.loop import train

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(NETWORKS, "small", SMALL)
            config = load_sample_config(write_config(folder, **SHORT, network="small"))
            fill(config.train_image_dir, 60)
            train(config, lambda _: None)

    return shared(tmp_path_factory, "finished", make)[0]


@pytest.fixture
def finished(
    finished_folder: Path, tmp_path: Path, configure: Callable[..., SampleConfig], small_network: str
) -> SampleConfig:
    """The config `short` over a copy of a training of it that has ended."""
    shutil.copytree(finished_folder, tmp_path, dirs_exist_ok=True)
    return configure(**SHORT, network=small_network)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A tiny trained suite: `config_path`, `config`, the `lines` of its training and its `outcome`. Only read it."""

    def make(folder: Path) -> Any:
        from cnnlib.training.loop import train

        config = load_sample_config(write_config(folder, cycle_stop=160, cycle_save=80, acc_stop=0.98))
        fill(config.train_image_dir, 1200, seed=1)
        fill(config.test_image_dir, 40, seed=2)
        lines: list[str] = []
        return lines, train(config, lines.append)

    folder, (lines, outcome) = shared(tmp_path_factory, "trained", make)
    path = folder / "sample_config.json"
    return SimpleNamespace(config_path=path, config=load_sample_config(path), lines=lines, outcome=outcome)


@pytest.fixture
def picture(trained: SimpleNamespace) -> Path:
    """A test picture of the tiny suite."""
    return list_entries(trained.config.test_image_dir)[0]


@pytest.fixture
def picture_bytes(picture: Path) -> bytes:
    return picture.read_bytes()


@pytest.fixture
def text(trained: SimpleNamespace, picture: Path) -> str:
    """What the model reads on the picture."""
    return Recognizer(trained.config.model_save_dir).recognize(picture).text


@pytest.fixture(scope="session")
def other_size(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A model of 40 by 20 pictures, untrained, but always the same: `config`, a `picture` and the `text` it reads."""

    def make(folder: Path) -> None:
        from cnnlib.training.save import save
        from cnnlib.training.trainer import Trainer

        config = load_sample_config(write_config(folder, image_width=40, image_height=20, network="positions"))
        for number in range(4):
            draw("01", config.train_image_dir / f"01_{number}.png", size=(40, 20), seed=number)
        trainer = Trainer(config)
        trainer.progress.step = 1
        trainer.record_evaluation()
        save(trainer)
        draw("10", folder / "10_1.png", size=(40, 20))

    folder, _ = shared(tmp_path_factory, "other_size", make)
    config = load_sample_config(folder / "sample_config.json")
    picture = (folder / "10_1.png").read_bytes()
    text = Recognizer(config.model_save_dir).recognize([picture])[0].text
    return SimpleNamespace(config=config, picture=picture, text=text)


@pytest.fixture
def serve() -> Iterator[Servers]:
    """Starts server scripts; see `Servers`."""
    servers = Servers()
    yield servers
    servers.stop_all()
