"""A model as the web serves it, clients of it, and the server of a small application."""

import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from wsgiref.validate import validator

import pytest
import uvicorn
from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.web import ACCESS_LOG, http_limits
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.wsgi_bridge import WsgiBridge
from tests.web.clients import client_of, loaded
from tests.web.small_app import Gate, small_app


@pytest.fixture
def api_config(trained: SimpleNamespace, tmp_path: Path) -> SampleConfig:
    """The config of the trained model, for pictures of 32x16, with a folder of its own for received pictures."""
    config: SampleConfig = trained.config.model_copy(update={"api_image_dir": tmp_path / "api"})
    return config


@pytest.fixture
def model(api_config: SampleConfig) -> ServedModel:
    return loaded("small", api_config)


@pytest.fixture
def large_model(other_size: SimpleNamespace, tmp_path: Path) -> ServedModel:
    """A model for pictures of 40x20."""
    return loaded("large", other_size.config.model_copy(update={"api_image_dir": tmp_path / "api"}))


@pytest.fixture
def client(model: ServedModel) -> FlaskClient:
    return client_of(model)


@pytest.fixture
def client_of_two(model: ServedModel, large_model: ServedModel) -> FlaskClient:
    """A client of two models: `small`, the first, and `large`."""
    return client_of(model, large_model)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def bounded(gate: Gate) -> Iterator[int]:
    """The port of a server of the small application, in a thread."""
    app = small_app(gate)
    listener = socket.create_server(("127.0.0.1", 0))
    app.wsgi_app = validator(app.wsgi_app)
    config = uvicorn.Config(
        WsgiBridge(app, 1000), http=http_limits.LimitedProtocol, ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield listener.getsockname()[1]
    gate.opened.set()
    server.should_exit = True
    thread.join()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[int]]:
    """Gives the status of each request that has a line in the log so far."""
    monkeypatch.setattr(logging.getLogger(ACCESS_LOG), "propagate", True)  # a server in this process may have ended it
    caplog.set_level("INFO", ACCESS_LOG)
    return lambda: [json.loads(each.getMessage())["status"] for each in caplog.records if each.name == ACCESS_LOG]
