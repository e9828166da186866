"""Requests as browsers and clients really send them: read where they are unambiguous, else told what is wrong."""

import base64
import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, quote_from_bytes, urlencode

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from cnnlib.client.api_client import Client
from cnnlib.codec.images import encode_picture
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ServiceError
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.app import create_recognition_app
from cnnlib.web.forms import parse_urlencoded
from cnnlib.web.model_registry import ModelRegistry, ServedModel
from tests.helpers import draw, running

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
URL_ENCODED = "application/x-www-form-urlencoded"


@pytest.fixture
def config(trained: SimpleNamespace, tmp_path: Path) -> SampleConfig:
    config: SampleConfig = trained.config.model_copy(update={"api_image_dir": tmp_path / "api"})
    return config


@pytest.fixture
def client(config: SampleConfig) -> FlaskClient:
    return client_of(small=config)


def client_of(**configs: SampleConfig) -> FlaskClient:
    models = [ServedModel(name, config) for name, config in configs.items()]
    for model in models:
        model.load()
    return create_recognition_app(ModelRegistry(models)).test_client()


@pytest.fixture
def picture(trained: SimpleNamespace) -> bytes:
    return list_entries(trained.config.test_image_dir)[0].read_bytes()


@pytest.fixture
def other(trained: SimpleNamespace, text: str) -> bytes:
    """A picture that is read as another text."""
    reader = Recognizer(trained.config.model_save_dir)
    pictures = (entry.read_bytes() for entry in list_entries(trained.config.test_image_dir))
    return next(data for data in pictures if reader.recognize(data).text != text)


@pytest.fixture
def text(trained: SimpleNamespace, picture: bytes) -> str:
    return Recognizer(trained.config.model_save_dir).recognize(picture).text


def part(content: bytes, disposition: bytes = b'name="image_file"; filename="a.png"', more: bytes = b"") -> bytes:
    head = f"--{BOUNDARY}\r\n".encode() + b"Content-Disposition: form-data; " + disposition + b"\r\n" + more + b"\r\n"
    return head + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def single_line_ends(part: bytes, content: bytes) -> bytes:
    head, _, rest = part.partition(content)
    return head.replace(b"\r\n", b"\n") + content + rest


def named(filename: bytes) -> bytes:
    return b'name="image_file"; filename="' + filename + b'"'


BODIES: dict[str, Callable[[bytes], tuple[bytes, str]]] = {
    "GBK file name": lambda data: (form(part(data, named("验证码.png".encode("gbk")))), FORM),
    "Shift JIS file name that ends in a backslash": lambda data: (
        form(part(data, named("ソ".encode("shift_jis")))),
        FORM,
    ),
    "Latin-1 file name before the field's": lambda data: (
        form(part(data, 'filename="é.png"; name="image_file"'.encode("latin-1"))),
        FORM,
    ),
    "UTF-16 junk in another header": lambda data: (form(part(data, more=b"X-Note: \xff\xfe\x00a\r\n")), FORM),
    "no boundary in the type": lambda data: (form(part(data)), "multipart/form-data"),
    "wrong boundary in the type": lambda data: (form(part(data)), "multipart/form-data; boundary=other"),
    "boundary beyond ASCII": lambda data: (form(part(data)), "multipart/form-data; boundary=é"),
    "form without a type": lambda data: (form(part(data)), ""),
    "form that is called JSON": lambda data: (form(part(data)), "application/json"),
    "form that is called a picture": lambda data: (form(part(data)), "image/png"),
    "form of single line ends": lambda data: (form(single_line_ends(part(data), data)), FORM),
    "picture without a type": lambda data: (data, ""),
    "picture of no type in particular": lambda data: (data, "application/octet-stream"),
    "picture as curl --data-binary sends it": lambda data: (data, URL_ENCODED),
    "picture that is called a form": lambda data: (data, "multipart/form-data"),
    "picture that is called text": lambda data: (data, "text/plain"),
    "JSON without a type": lambda data: (as_json(base64.b64encode(data).decode()), ""),
    "JSON of no type in particular": lambda data: (
        b" " + as_json(base64.b64encode(data).decode()),
        "application/octet-stream",
    ),
    "JSON of a type of its own": lambda data: (as_json(base64.b64encode(data).decode()), "application/problem+json"),
    "JSON behind a byte order mark": lambda data: (
        b"\xef\xbb\xbf" + as_json(base64.b64encode(data).decode()),
        "application/json",
    ),
    "percent-encoded data URL": lambda data: (
        as_json("data:image/png," + quote_from_bytes(data)),
        "application/json",
    ),
    "percent-encoded base64 in a data URL": lambda data: (
        as_json("data:image/png;base64," + quote(base64.b64encode(data).decode(), safe="")),
        "application/json",
    ),
    "data URL with a charset": lambda data: (
        as_json("data:image/png;charset=utf-8;base64," + base64.b64encode(data).decode()),
        "application/json",
    ),
    "base64 without padding": lambda data: (
        as_json(base64.b64encode(data + b"\0" * ((1 - len(data)) % 3)).decode().rstrip("=")),
        "application/json",
    ),
    "URL-safe base64": lambda data: (as_json(base64.urlsafe_b64encode(data).decode()), "application/json"),
    "JSON options of null": lambda data: (
        as_json(base64.b64encode(data).decode(), min_confidence=None, model=None),
        "application/json",
    ),
    "data URL in a form's text": lambda data: (
        form(part(b"data:image/png;base64," + base64.b64encode(data), b'name="image_file"')),
        FORM,
    ),
    "file without a name": lambda data: (form(part(data, b'name="image_file"')), FORM),
    "field named as PHP names lists": lambda data: (form(part(data, b'name="image_file[]"; filename="a"')), FORM),
    "empty options of a form": lambda data: (
        form(part(b"", b'name="min_confidence"'), part(b"", b'name="model"'), part(data)),
        FORM,
    ),
    "JSON as curl -d sends it": lambda data: (as_json(base64.b64encode(data).decode()), URL_ENCODED),
    "JSON behind a byte order mark, of no type": lambda data: (
        b"\xef\xbb\xbf" + as_json(base64.b64encode(data).decode()),
        "",
    ),
    "file beside an empty text": lambda data: (form(part(b"", b'name="image_file"'), part(data)), FORM),
    "bytes in an urlencoded form": lambda data: (urlencode({"image_file": data}).encode(), URL_ENCODED),
    "urlencoded base64": lambda data: (b"image_file=" + quote(base64.b64encode(data).decode()).encode(), URL_ENCODED),
    "urlencoded base64 whose plus signs are not encoded": lambda data: (
        b"model=small&image_file=" + base64.b64encode(data),
        URL_ENCODED,
    ),
}


def as_json(image: str, **options: Any) -> bytes:
    return json.dumps({"image": image, **options}).encode()


@pytest.mark.parametrize("kind", BODIES)
def test_unambiguous_request_is_read(client: FlaskClient, picture: bytes, text: str, kind: str) -> None:
    body, content_type = BODIES[kind](picture)
    answer = client.post("/b", data=body, content_type=content_type)
    assert (answer.status_code, answer.json.get("value")) == (200, text), answer.json


@pytest.mark.parametrize(
    ("body", "content_type", "status", "told"),
    [
        (b"name=a", "multipart/form-data", 400, "needs its boundary in Content-Type"),
        (b"name=a", "multipart/form-data; boundary=abc", 400, "got boundary=abc, which the body lacks"),
        (form(part(b"x"))[:-10], FORM, 400, "the form is broken or cut short"),
        (form(part(b"x", b'name="file"; filename="a.png"')), FORM, 400, "got a file in the field 'file'"),
        (b"neither", "", 400, '; got a text, "neither"'),
        (b"neither", "application/octet-stream", 415, 'got application/octet-stream, with a text, "neither"'),
        (b"<!DOCTYPE html>", "text/html", 415, "got text/html, with HTML, a web page"),
        (b"http://other/a.png", URL_ENCODED, 400, "got an address; the server fetches none: send the picture itself"),
        (as_json("data:image/png,plain"), "application/json", 400, "data:image/png;base64,..."),
        (as_json("AAAAA"), "application/json", 400, "expected base64; got 5 digits, one too many or some too few"),
        (as_json("\ud800AAA"), "application/json", 400, 'expected base64; got a text, "?AAA"'),
        (as_json("http://other/a.png"), "application/json", 400, "got an address; the server fetches none"),
        (as_json("pictures/a.png"), "application/json", 400, "got the path of a picture; send the file itself"),
        (b"{", URL_ENCODED, 400, "expected JSON in UTF-8; got a fault in line 1, column 2: "),
        (b'{"image":\n"x",}', "application/json", 400, "in line 2, column 5: "),
        (b'{"image": "\xff"}', "application/json", 400, "got the byte 0xff at 11"),
        (form(part(b"https://other/a", b'name="image_file"')), FORM, 400, "; got an address; the server fetches none"),
        (form(part(b"@a.png", b'name="image_file"')), FORM, 400, "the file itself, with curl: -F image_file=@FILE"),
        (b"image_file=c.png", URL_ENCODED, 400, "; got the path of a picture"),
    ],
)
def test_ambiguous_request_is_told_what_is_wrong(
    client: FlaskClient, body: bytes, content_type: str, status: int, told: str
) -> None:
    answer = client.post("/b", data=body, content_type=content_type)
    assert answer.status_code == status
    assert told in answer.json["message"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif"])
def test_bytes_in_an_urlencoded_form_are_taken_as_they_are(suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 100), np.uint8)
    data = encode_picture(Image.fromarray(noise), suffix)
    assert b" " in data
    assert parse_urlencoded(urlencode({"image_file": data}).encode()).pictures == [data]


def test_pictures_of_a_form_are_read_in_its_order(client: FlaskClient, picture: bytes, other: bytes) -> None:
    def values(*parts: bytes) -> list[str]:
        return [each["value"] for each in client.post("/b", data=form(*parts), content_type=FORM).json]

    as_file, as_text = part(other), part(base64.b64encode(picture), b'name="image_file"')
    first, second = values(as_file, as_text)
    assert first != second
    assert values(as_text, as_file) == [second, first]
    assert values(as_text, as_file, as_text) == [second, first, second]


@pytest.mark.parametrize("text", [b"no picture", b"", base64.b64encode(b"no picture")])
def test_text_among_pictures_that_is_none_is_refused_by_its_number(
    client: FlaskClient, picture: bytes, text: bytes
) -> None:
    parts = part(picture), part(text, b'name="image_file"'), part(picture)
    answer = client.post("/b", data=form(*parts), content_type=FORM)
    assert answer.status_code == 400
    assert "picture 2" in answer.json["message"]


@pytest.mark.parametrize("empty", [part(b""), part(b"", b'name="image_file"')])
def test_empty_picture_among_others_is_refused_by_its_number(client: FlaskClient, picture: bytes, empty: bytes) -> None:
    text = part(base64.b64encode(picture), b'name="image_file"')
    for parts, number in (((text, empty), 2), ((empty, part(picture), part(picture)), 1)):
        answer = client.post("/b", data=form(*parts), content_type=FORM)
        assert (answer.status_code, answer.json["error_code"]) == (400, "1001")
        assert answer.json["message"].endswith(f"; picture {number} is empty")


def test_file_field_that_a_page_s_user_left_empty_does_not_count(
    client: FlaskClient, picture: bytes, other: bytes
) -> None:
    unused = part(b"", b'name="image_file"; filename=""')
    one, two = (
        client.post("/b", data=form(*parts), content_type=FORM).json
        for parts in ((unused, part(picture)), (part(picture), unused, part(other)))
    )
    assert one["value"] == two[0]["value"]
    assert len(two) == 2


def test_second_file_that_is_empty_is_not_passed_over(client: FlaskClient, picture: bytes) -> None:
    answer = client.post("/b", data=form(part(picture), part(b"")), content_type=FORM)
    assert (answer.status_code, answer.json["error_code"]) == (400, "1001")
    assert answer.json["message"].endswith("; picture 2 is empty")


@pytest.mark.parametrize("image", ["x", None, 5, "http://other/a.png", "data:image/png,plain"])
def test_bad_picture_in_a_list_of_json_is_named_by_its_number(
    client: FlaskClient, picture: bytes, image: object
) -> None:
    answer = client.post("/b", json={"image": [base64.b64encode(picture).decode(), image]})
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert answer.json["message"].startswith("picture 2: expected ")
    assert "; got " in answer.json["message"] or "data:image/png;base64" in answer.json["message"]


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp"])
def test_picture_without_its_line_ends_is_told_how_curl_sends_it(client: FlaskClient, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 32), np.uint8)
    data = encode_picture(Image.fromarray(noise), suffix)
    answer = client.post("/b", data=data.translate(None, b"\r\n\0"), content_type=URL_ENCODED)
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert "as curl -d @FILE sends it; use -F image_file=@FILE or --data-binary @FILE" in answer.json["message"]


def test_compressed_body_is_refused_as_such(client: FlaskClient, picture: bytes) -> None:
    for path in ("/b", "/label"):
        answer = client.post(path, data=gzip.compress(picture), headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json["error_code"]) == (415, "415")
        assert "expected a body without Content-Encoding; got gzip" in answer.json["message"]
    plain = client.post("/b", data=picture, content_type="image/png", headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


def test_option_of_null_leaves_that_of_the_address(client: FlaskClient, picture: bytes, text: str) -> None:
    body = as_json(base64.b64encode(picture).decode(), min_confidence=None)
    answer = client.post("/b?min_confidence=1", data=body, content_type="application/json").json
    assert (answer["value"], answer["candidate"]) == (None, text)


@pytest.mark.parametrize(("method", "path"), [("POST", "/b/"), ("POST", "/"), ("GET", "/b"), ("POST", "/api/b")])
def test_other_address_is_told_the_right_one(client: FlaskClient, method: str, path: str) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code in (404, 405)
    assert (
        answer.json["message"] == f"expected POST /b, or POST /b/NAME with a name from GET /models; got {method} {path}"
    )


def test_client_that_asks_without_the_path_is_told_it(client: FlaskClient, picture: bytes) -> None:
    with running(client.application) as address:
        for path in ("", "/", "/x"):
            with pytest.raises(ServiceError, match=f"; the recognition API is at {address}/b$"):
                Client(retries=0).recognize(f"{address}{path}", picture)
        with pytest.raises(ServiceError, match=r"\(HTTP 404\)$"):
            Client(retries=0).recognize(f"{address}/b/other", picture)


def test_picture_of_no_model_s_size_goes_to_one_that_resizes(
    config: SampleConfig, other_size: SimpleNamespace, tmp_path: Path
) -> None:
    shutil.copytree(other_size.config.model_save_dir, tmp_path / "general")
    general = other_size.config.model_copy(
        update={"model_save_dir": tmp_path / "general", "api_save": False, "resize": True}
    )
    odd = draw("01", tmp_path / "odd.png", size=(50, 30)).read_bytes()
    client = client_of(small=config, exact=other_size.config.model_copy(update={"api_save": False}), general=general)
    expected = Recognizer(tmp_path / "general").card
    assert client.post("/b", data=odd, content_type="image/png").status_code == 200
    assert client.post("/b/small", data=odd, content_type="image/png").status_code == 422
    assert (expected.image_width, expected.image_height) == (40, 20)
