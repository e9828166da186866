"""Pictures and requests that mean harm, through the real routes: an answer or a refusal, and nothing grows."""

import io
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from PIL import Image

from cnnlib.codec.images import decode_picture
from cnnlib.core.errors import SampleError
from tests.helpers import HEIGHT, WIDTH
from tests.hostile import (
    damaged,
    damaged_pictures,
    encoded,
    jpeg_of_scans,
    png_of_no_colour,
    png_of_size,
    whole,
)
from tests.web.clients import client_of, loaded

SIZE = (WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def kept_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of received pictures."""
    return tmp_path_factory.mktemp("received") / "small" / "api"


@pytest.fixture(scope="module")
def hostile_client(trained: SimpleNamespace, kept_in: Path) -> FlaskClient:
    """A client of a model that takes only its own size, and at /b/any of one that resizes."""
    config = trained.config.model_copy(update={"api_image_dir": kept_in})
    return client_of(loaded("exact", config), loaded("any", config.model_copy(update={"resize": True})))


def post(client: FlaskClient, data: bytes, path: str = "/b", kind: str = "image/png") -> Any:
    return client.post(path, data=data, content_type=kind)


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=damaged_pictures(SIZE))
def test_damaged_pictures_are_read_or_refused(hostile_client: FlaskClient, data: bytes) -> None:
    for path in ("/b/exact", "/b/any"):
        answer = post(hostile_client, data, path)
        assert answer.status_code in (200, 400, 422), answer.text
        assert answer.is_json


def test_png_with_mended_checksums_is_decoded_again() -> None:
    png = whole(SIZE)[0]
    change = ("set", 29, png[29] ^ 1)  # in the checksum of its head
    with pytest.raises(SampleError):
        decode_picture(damaged(png, [change]))
    assert damaged(png, [change, ("mend", 0, 0)]) == png


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts open files in /proc")
def test_bad_pictures_leave_no_open_files(hostile_client: FlaskClient) -> None:
    def files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    post(hostile_client, b"not a picture")
    before = files()
    for data in whole(SIZE):
        for end in range(0, len(data), 40):
            post(hostile_client, data[:end])
    assert files() <= before


BOMBS: dict[str, Callable[[], bytes]] = {
    "sides of 65,535 pixels": lambda: png_of_size(65_535, 65_535),
    "a side of 2 billion pixels": lambda: png_of_size(2**31 - 1, 1),
    "16 million pixels": lambda: png_of_size(4096, 4096, zlib.compress(bytes(4097 * 4096))),
    "no width": lambda: png_of_size(0, 16),
    "rows that never come": lambda: png_of_size(*SIZE),
    "a transparent colour that the palette lacks": lambda: png_of_no_colour(*SIZE),
    "a JPEG of 200 scans": lambda: jpeg_of_scans(SIZE, 200),
    "an SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="32" height="16"/>',
    "an EPS": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 16\n",
    "an ICO": lambda: encoded(Image.new("RGB", SIZE), "ICO"),
    "a TIFF": lambda: encoded(Image.new("RGB", SIZE), "TIFF"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_and_other_formats_are_refused(hostile_client: FlaskClient, name: str) -> None:
    answer = post(hostile_client, BOMBS[name](), "/b/any")
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")


def test_harmless_oddities_are_read(hostile_client: FlaskClient) -> None:
    frames = [Image.new("L", SIZE, shade) for shade in (255, 0, 90)]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], loop=0)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(Image.new("L", (HEIGHT, WIDTH), 255), "JPEG", exif=exif)
    zipped = whole(SIZE)[0] + b"PK\x03\x04" + b"\0" * 100 + b"PK\x05\x06" + b"\0" * 18
    largest = png_of_size(2048, 2048, zlib.compress(bytes(2049 * 2048)))
    progressive = jpeg_of_scans(SIZE, 20)
    for data in (*whole(SIZE), animated, turned, zipped, progressive):
        assert post(hostile_client, data, "/b/exact").status_code == 200
    assert post(hostile_client, largest, "/b/any").status_code == 200


def test_pictures_of_a_request_share_its_limit_of_pixels(hostile_client: FlaskClient) -> None:
    large = png_of_size(1024, 1024, zlib.compress(bytes(1025 * 1024)))

    def send(count: int) -> Any:
        parts = {"image_file": [(io.BytesIO(large), "large.png") for _ in range(count)]}
        return hostile_client.post("/b/any", data=parts, content_type="multipart/form-data")

    assert send(4).status_code == 200
    answer = send(5)
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert "at most 838860 pixels" in answer.json["message"]


def test_name_and_type_of_a_part_do_not_matter(hostile_client: FlaskClient) -> None:
    png = whole(SIZE)[0]
    for name, kind in (("x.gif", "image/gif"), ("../../etc/passwd", "text/html"), ("\0", "application")):
        part = {"image_file": (io.BytesIO(png), name, kind)}
        assert hostile_client.post("/b", data=part, content_type="multipart/form-data").status_code == 200


def test_ten_thousand_parts_are_refused(hostile_client: FlaskClient) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n1\r\n'
    answer = post(hostile_client, part * 10_000 + b"--x--\r\n", kind="multipart/form-data; boundary=x")
    assert (answer.status_code, answer.json["error_code"]) == (413, "413")


@pytest.mark.parametrize(
    "body", [b"", b"--x", b"--x\r\n\r\n", b"--x--", b'--x\r\nContent-Disposition: form-data; name="i']
)
def test_broken_forms_hold_no_picture(hostile_client: FlaskClient, body: bytes) -> None:
    answer = post(hostile_client, body, kind="multipart/form-data; boundary=x")
    assert (answer.status_code, answer.json["error_code"]) == (400, "1001")


def test_received_picture_stays_in_its_folder_whatever_its_name(hostile_client: FlaskClient, kept_in: Path) -> None:
    def files() -> set[Path]:
        return {path for path in kept_in.parents[1].rglob("*") if path.is_file()}

    before = files()
    part = {"image_file": (io.BytesIO(whole(SIZE)[0]), "../../evil.png")}
    assert hostile_client.post("/b/exact", data=part, content_type="multipart/form-data").status_code == 200
    (path,) = files() - before
    assert path.parent == kept_in


def test_large_form_needs_no_disk(hostile_client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no such folder"))
    head = b'--x\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n'
    body = head + whole(SIZE)[0] + b"\0" * 700_000 + b"\r\n--x--\r\n"
    assert post(hostile_client, body, "/b/exact", "multipart/form-data; boundary=x").status_code == 200
