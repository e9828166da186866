"""The API held against its own description, with requests that schemathesis makes up."""

import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis
import uvicorn
from flask import Flask, Response
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from cnnlib.data.folders import list_entries
from cnnlib.web.http_limits import LimitedProtocol
from cnnlib.web.openapi import api_description
from cnnlib.web.wsgi_bridge import WsgiBridge
from tests.helpers import running
from tests.web.clients import client_of, loaded

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
)


@pytest.fixture(scope="module")
def app(trained: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    picture = list_entries(trained.config.test_image_dir)[0].read_bytes()
    folder: Path = tmp_path_factory.mktemp("api")
    source = Flask("source")
    source.add_url_rule("/", view_func=lambda: Response(picture, mimetype="image/png"))
    with running(source) as address:
        config = trained.config.model_copy(update={"api_image_dir": folder, "remote_url": address})
        yield client_of(loaded("small", config)).application


@pytest.fixture(scope="module")
def served(app: Flask) -> Iterator[str]:
    """The address of the application on the server that is in use."""
    listener = socket.create_server(("127.0.0.1", 0))
    bridge = WsgiBridge(app, app.config["MAX_CONTENT_LENGTH"])
    config = uvicorn.Config(bridge, http=LimitedProtocol, interface="asgi3", ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_as_the_description_says(served: str, mode: GenerationMode) -> None:
    refusals = {"negative_data_rejection": {"expected-statuses": [400, 401, 403, 404, 413, 431, "5xx"]}}
    checks = schemathesis.Config.from_dict({"checks": refusals})
    schema = schemathesis.openapi.from_url(f"{served}/openapi.json", config=checks)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == len(api_description()["paths"]) - 1  # all but the description itself
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not operation.body:
            continue  # nothing that could be wrong

        @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(generation_mode=mode))
        def answers_well(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        answers_well()


def test_every_route_is_described(app: Flask) -> None:
    routes = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in app.url_map.iter_rules()}
    described = set(api_description()["paths"])
    missing, gone = routes - {"/", "/static/{filename}"} - described, described - routes
    assert not missing, f"cnnlib/web/openapi.py: expected a description of each route; add one of {missing}"
    assert not gone, f"cnnlib/web/openapi.py: expected only routes that exist; remove {gone}"
