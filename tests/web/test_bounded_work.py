"""What a request can cost is limited before the work is done. Seconds and bytes are measured in the benchmarks."""

import gc
import json
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import PngImagePlugin

from cnnlib.config import SampleConfig
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from tests.hostile import chunk
from tests.hostile_bodies import BOUNDARY, HEAD, KINDS, LIMIT, TAIL, Body, form, png, ztxt

pytestmark = pytest.mark.slow

MB = 2**20


@pytest.fixture
def client(trained: SimpleNamespace) -> FlaskClient:
    config: SampleConfig = trained.config.model_copy(update={"api_save": False, "resize": True})
    model = ServedModel("small", config)
    model.load()
    return create_recognition_app(ModelRegistry([model])).test_client()


def post(client: FlaskClient, body: Body) -> Any:
    return client.post(body.path, data=body.data, content_type=body.content_type)


def test_every_kind_of_costly_request_is_answered(client: FlaskClient) -> None:
    assert len(KINDS) > 100
    for name, make in KINDS.items():
        body = make()
        assert len(body.data) <= LIMIT, name
        answer = post(client, body)
        assert answer.status_code in (200, 400, 404, 413), (name, answer.text)
        assert answer.is_json, name


def test_text_in_a_png_is_dropped_and_limited_in_pillow_besides(client: FlaskClient) -> None:
    assert (PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY) == (2**16, 2**18)
    for chunks in (ztxt(2**16 - 1), ztxt(2**16 + 1), ztxt(60_000) * 5):
        assert post(client, form([png(chunks)])).status_code == 200


def test_pictures_of_a_request_share_their_small_parts(client: FlaskClient) -> None:
    picture = png(chunk(b"abCd", b"") * 140)
    assert post(client, form([picture] * 60)).status_code == 200
    answer = post(client, form([picture] * 99))
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert "expected at most 10000 chunks, segments or blocks of less than 256 bytes" in answer.json["message"]


@pytest.mark.parametrize("body", [b"a&" * 1000, b"&" * 1000, b"a=b&" * 5000 + b"image_file=AA"])
def test_urlencoded_form_of_too_many_fields_is_refused(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/b", data=body, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, answer.json["message"]) == (413, "expected at most 1000 fields in a form; got more")


def test_multipart_form_of_too_many_parts_or_headers_is_refused(client: FlaskClient) -> None:
    part = HEAD + b"x\r\n"
    headers = HEAD.removesuffix(b"\r\n") + b"a: b\r\n" * 30_000 + b"\r\nx\r\n"
    for parts, told in ((part * 1001, "1000 parts in a form"), (headers, "131072 bytes of headers in the parts")):
        answer = client.post("/b", data=parts + TAIL, content_type=f"multipart/form-data; boundary={BOUNDARY}")
        assert answer.status_code == 413
        assert told in answer.json["message"]


def test_list_of_too_many_pictures_is_refused_before_they_are_decoded(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.web.request_parsing.decode_text", lambda _: pytest.fail("it was decoded"))
    answer = client.post("/b", data=json.dumps({"image": ["AA"] * 101}), content_type="application/json")
    assert (answer.status_code, answer.json["message"]) == (413, "expected at most 100 pictures; got 101")


@pytest.mark.parametrize(
    "name",
    [
        "PNG: eXIf chunk of values that overlap, small, in 99 pictures",
        "JPEG: EXIF of values that overlap",
        "WebP: EXIF of values that overlap",
        "PNG: eXIf chunk of values that overlap",
        "JSON: data URL of escapes",
        "form: escapes in a picture's field, urlencoded",
        "JSON: base64 with blanks",
        "form: a part of many headers",
    ],
)
def test_memory_of_a_request_stays_near_that_of_its_body(client: FlaskClient, name: str) -> None:
    body = KINDS[name]()
    post(client, body)
    gc.collect()
    tracemalloc.start()
    try:
        post(client, body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * MB
