"""The forms that a recognition request can have."""

import base64
import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from cnnlib.codec.images import encode_picture
from cnnlib.inference.hints import Hints
from cnnlib.web.api_errors import ApiError
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.request_parsing import OPTIONS, SYNONYMS, RecognitionRequest, parse_request
from tests.web.clients import client_of, form

PNG = encode_picture(Image.new("L", (32, 16)), "png")


def parsed(query: str = "", **content: Any) -> RecognitionRequest:
    """What a JSON request with a picture asks for."""
    content = {"image": base64.b64encode(PNG).decode(), **content}
    with Flask(__name__).test_request_context(f"/b?{query}", method="POST", json=content) as context:
        return parse_request(context.request)


def test_raw_body_json_and_data_url_are_read_as_the_form_is(
    client: FlaskClient, picture_bytes: bytes, text: str
) -> None:
    encoded = base64.b64encode(picture_bytes).decode()
    for request in (
        form(picture_bytes),
        {"data": picture_bytes, "content_type": "image/png"},
        {"json": {"image": encoded}},
        {"json": {"image": base64.encodebytes(picture_bytes).decode()}},
        {"json": {"image": f"data:image/png;base64,{encoded}"}},
        {"json": {"image": f"DATA:image/png;BASE64,{encoded}"}},
        form(picture_bytes, notes="x" * 600_000),
    ):
        answer = client.post("/b", **request)
        assert answer.status_code == 200
        assert answer.json["value"] == text
        assert len(answer.json["character_confidences"]) == len(text)


@pytest.mark.parametrize(
    ("request_", "status", "code", "message"),
    [
        ({"data": "x", "content_type": "text/plain"}, 415, "415", "; got text/plain"),
        ({"data": "{", "content_type": "application/json"}, 400, "400", "expected JSON in UTF-8;"),
        ({"data": b'{"image": "\xff"}', "content_type": "application/json"}, 400, "400", "expected JSON in UTF-8;"),
        ({"data": "[" * 100_000, "content_type": "application/json"}, 400, "400", "nested too deep"),
        ({"json": ["image"]}, 400, "400", 'expected a JSON object such as {"image": "<base64>"}; got ["image"]'),
        ({"json": {"image": 5}}, 400, "1002", "base64 text, a data URL or a list of them; got 5"),
        ({"json": {"image": "no base64!"}}, 400, "1002", 'expected base64; got a text, "no base64!"'),
        ({"json": {"image": "data:image/png,raw"}}, 400, "1002", "data:image/png;base64,..."),
        ({"json": {"image": []}}, 400, "1001", "in JSON or as the body"),
        ({"json": {"image": ["eA==", ""]}}, 400, "1001", "; picture 2 is empty"),
        ({"data": {"image_file": "a text, no file"}}, 400, "1001", "; got a text; a file needs a filename"),
        (
            {"data": b"x", "content_type": "application/x-www-form-urlencoded"},
            400,
            "1001",
            "; a picture as the body needs Content-Type",
        ),
        (form(b"x", min_confidence="much"), 400, "1005", 'a number from 0 to 1, or 99% or 99.9%; got "much"'),
        (form(b"x", min_confidence="nan"), 400, "1005", "a number from 0 to 1, or 99%"),
        (
            form(b"x", min_confidence="0") | {"query_string": {"min_confidence": 2}},
            400,
            "1005",
            "a number from 0 to 1, or 99%",
        ),
        ({"json": {"image": "eA==", "min_confidence": True}}, 400, "1005", "a number from 0 to 1, or 99%"),
        ({"json": {"image": "eA==", "min_confidence": 10**400}}, 400, "1005", "a number from 0 to 1, or 99%"),
        ({"json": {"image": ["eA=="] * 101}}, 413, "413", "at most 100 pictures; got 101"),
        ({"json": {"image": "eA==", "model": 5}}, 400, "1005", "expected model to be a name from GET /models; got 5"),
        ({"json": {"image": "eA==", "char_set": 5}}, 400, "1005", "of at most 20000 characters; got 5"),
        (form(b"x", min_captcha="0"), 400, "1005", 'min_captcha to be a whole number from 1 to 64; got "0"'),
        (form(b"x", max_captcha="1.0"), 400, "1005", 'max_captcha to be a whole number from 1 to 64; got "1.0"'),
        ({"json": {"image": "eA==", "max_captcha": True}}, 400, "1005", "max_captcha to be a whole number from 1 to"),
        ({"json": {"image": "eA==", "views": [1]}}, 400, "1005", "expected views to be a whole number from 1 to 3"),
        (form(b"x", views="4"), 400, "1005", "expected views to be a whole number from 1 to 3"),
        (form(b"x", ignore_case="maybe"), 400, "1005", 'expected ignore_case to be true or false; got "maybe"'),
        ({"json": {"image": "eA==", "answer": 1.0}}, 400, "1005", "expected answer to be true or false; got 1.0"),
        (form(b"x", views="1") | {"query_string": {"views": "x"}}, 400, "1005", "views to be a whole number"),
    ],
)
def test_answer_to_a_bad_request_says_what_was_expected(
    client: FlaskClient, request_: dict[str, Any], status: int, code: str, message: str
) -> None:
    answer = client.post("/b", **request_)
    assert (answer.status_code, answer.json["error_code"]) == (status, code)
    assert message in answer.json["message"]


def test_body_limit_holds_for_every_form(model: ServedModel, picture_bytes: bytes) -> None:
    client = client_of(model, body_limit=len(picture_bytes))
    encoded = base64.b64encode(picture_bytes).decode()
    for request in (
        form(picture_bytes),
        {"json": {"image": encoded}},
        {"data": picture_bytes + b"x", "content_type": "image/png"},
    ):
        answer = client.post("/b", **request)
        assert (answer.status_code, answer.json["error_code"]) == (413, "413")
        assert f"at most {len(picture_bytes)} bytes (--body-limit)" in answer.json["message"]
    assert client.post("/b", data=picture_bytes, content_type="image/png").status_code == 200


@pytest.mark.parametrize("empty", ["", None])
def test_empty_option_of_a_body_leaves_that_of_the_query(empty: str | None) -> None:
    request = parsed("views=2&char_set=ab&model=small", views=empty, char_set=empty, model="other")
    assert (request.hints, request.model) == (Hints(char_set="ab", views=2), "other")


SLIPS = {
    "Min_confidence": "min_confidence",
    "min-confidence": "min_confidence",
    "minconfidence": "min_confidence",
    "threshold": "min_confidence",
    "alphabet": "char_set",
    "charset": "char_set",
    "length": "min_captcha and max_captcha",
    "answers": "answer",
    "Save": "save",
    "ignorecase": "ignore_case",
    "view": "views",
    "characters": "char_set",
    "chars": "char_set",
    "character_set": "char_set",
    "characterSet": "char_set",
    "Char-Set": "char_set",
    "allowed_chars": "char_set",
    "whitelist": "char_set",
    "tessedit_char_whitelist": "char_set",
    "min_len": "min_captcha",
    "maxLength": "max_captcha",
    "max_chars": "max_captcha",
    "len": "min_captcha and max_captcha",
    "captcha_length": "min_captcha and max_captcha",
    "case_insensitive": "ignore_case",
    "case_sensitive": "ignore_case, the other way round",
    "caseSensitive": "ignore_case, the other way round",
    "conf_threshold": "min_confidence",
    "min_score": "min_confidence",
    "keep": "kept or save",
    "store": "save",
    "save_image": "save",
    "model_name": "model",
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slip_in_the_name_of_an_option_is_refused_wherever_it_stands(client: FlaskClient, slip: str) -> None:
    encoded = base64.b64encode(PNG).decode()
    for request in (
        form(PNG, **{slip: "1"}),
        form(PNG) | {"query_string": {slip: "1"}},
        {"json": {"image": encoded, slip: 1}},
        {"json": {"image": encoded, slip: False}},
        {"data": {"image_file": encoded, slip: "1"}, "content_type": "application/x-www-form-urlencoded"},
    ):
        answer = client.post("/b", **request)
        assert (answer.status_code, answer.json["error_code"]) == (400, "1005")
        expected = f"{', '.join(OPTIONS)}; got {slip}, which probably means {SLIPS[slip]}"
        assert answer.json["message"] == f"expected an option, one of {expected}"


@pytest.mark.parametrize(
    "name",
    ["csrf_token", "csrfmiddlewaretoken", "type", "user", "captcha", "notes", "lang", "key", "lower", "method", "name"],
)
def test_fields_of_quite_other_names_are_passed_over(name: str) -> None:
    assert parsed(f"{name}=1", **{name: "1"}).pictures == [PNG]


def test_no_name_of_an_option_is_refused() -> None:
    values = dict.fromkeys(OPTIONS, "1") | {"char_set": "ab", "model": "small"}
    assert parsed(**values).hints == Hints("ab", 1, 1, ignore_case=True, views=1)
    assert not {*OPTIONS, "image", "image_file", "label"} & {*SYNONYMS}


def test_option_with_two_values_is_refused(client: FlaskClient) -> None:
    for request in (
        form(PNG, min_confidence=["0.5", "0.9"]),
        form(PNG) | {"query_string": "min_confidence=0.5&min_confidence=0.9"},
        {
            "data": b'{"image": "%s", "min_confidence": "0.5", "min_confidence": "0.9"}' % base64.b64encode(PNG),
            "content_type": "application/json",
        },
    ):
        answer = client.post("/b", **request)
        assert (answer.status_code, answer.json["error_code"]) == (400, "1005")
        assert answer.json["message"] == 'expected min_confidence once; got ["0.5", "0.9"]'
    assert parsed("views=2&views=2").hints.views == 2


def test_option_as_a_file_is_refused(client: FlaskClient) -> None:
    answer = client.post("/b", **form(PNG, answer=(io.BytesIO(b"true"), "a.txt")))
    assert (answer.status_code, answer.json["error_code"]) == (400, "1005")
    assert answer.json["message"].startswith("expected answer as a text; got a file")


def test_endless_char_set_is_refused() -> None:
    assert parsed(char_set="a" * 20_000).hints.char_set == "a" * 20_000
    with pytest.raises(ApiError, match="expected char_set to be a text of at most 20000 characters"):
        parsed(char_set="a" * 20_001)
