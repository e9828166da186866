"""What a request can cost is limited before the work is done. Seconds and bytes are measured in the benchmarks."""

import gc
import json
import os
import subprocess
import sys
import tracemalloc
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from PIL import PngImagePlugin

from cnnlib.config import SampleConfig
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.web import PIXEL_LIMIT
from cnnlib.web.app import create_recognition_app
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from tests.hostile import chunk, decoded_pixels
from tests.hostile_bodies import BOUNDARY, HEAD, KINDS, LIMIT, TAIL, Body, form, png, ztxt

pytestmark = pytest.mark.slow

MB = 2**20
DEAREST = "PNG: 4 million pixels of RGBA, 16 bits"  # of the pictures that are decoded once
OF_SEVERAL_PASSES = (
    "PNG: 4 million pixels of RGB, 16 bits, one colour transparent",
    "PNG: 2 million pixels of RGB, 16 bits, one colour transparent",
    "PNG: 2 blank frames of 4 million pixels, 16 bits",
    "PNG: 2 blank frames of a million pixels, 16 bits",
    "GIF: 4 million pixels on a larger screen",
    "GIF: 2 blank frames of 4 million pixels",
    "GIF: 2 blank frames of 2 million pixels",
    "GIF: 30 blank frames of 4 million pixels on a small screen",
    "WebP: 3 blank frames of 2 million pixels",
    "WebP: 2 blank frames of a million pixels",
    "JPEG: 4 million pixels in 50 scans, without an end",
    "JPEG: 1.5 million pixels in 16 scans, without an end",
)
PEAKS = """
import json, re, sys
from pathlib import Path
from cnnlib.codec.images import decode_picture
from cnnlib.core.errors import SampleError
from cnnlib.web import PIXEL_LIMIT
from tests.hostile_bodies import KINDS

def peak_kb():
    return int(re.findall(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[0])

peaks = {}
for name in sys.argv[1:]:
    data = KINDS[name]().data
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_kb()
    try:
        decode_picture(data, PIXEL_LIMIT)
    except SampleError:
        pass
    peaks[name] = peak_kb() - before
print(json.dumps(peaks))
"""


@pytest.fixture
def client(trained: SimpleNamespace) -> FlaskClient:
    config: SampleConfig = trained.config.model_copy(update={"api_save": False, "resize": True})
    model = ServedModel("small", config)
    model.load()
    return create_recognition_app(ModelRegistry([model])).test_client()


def post(client: FlaskClient, body: Body) -> Any:
    return client.post(body.path, data=body.data, content_type=body.content_type)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What Pillow decodes, as `decoded_pixels` counts it."""
    return decoded_pixels(monkeypatch)


def test_every_kind_of_costly_request_is_answered_from_few_pixels(client: FlaskClient, decoded: list[int]) -> None:
    assert len(KINDS) > 120
    for name, make in KINDS.items():
        body = make()
        assert len(body.data) <= LIMIT, name
        answer = post(client, body)
        assert answer.status_code in (200, 400, 404, 413), (name, answer.text)
        assert answer.is_json, name
        assert sum(decoded) <= 1.5 * PIXEL_LIMIT, name
        decoded.clear()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory in /proc")
def test_pictures_of_several_passes_take_at_most_twice_the_memory_of_the_dearest_of_one() -> None:
    free_at_once = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}  # so that no kind hides the next
    answer = subprocess.run(
        [sys.executable, "-c", PEAKS, DEAREST, *OF_SEVERAL_PASSES],
        cwd=PROJECT_ROOT,
        env=os.environ | free_at_once,
        capture_output=True,
        text=True,
        check=True,
    )
    peaks = json.loads(answer.stdout)
    assert peaks[DEAREST] > 16_000  # KB, so it is measured
    assert {name: peak for name, peak in peaks.items() if peak > 2 * peaks[DEAREST]} == {}


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
