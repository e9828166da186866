"""Parsing of a recognition request: its pictures, in one of three forms, and its options."""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request
from werkzeug.exceptions import BadRequest

from cnnlib.web.api_errors import BAD_OPTION, NO_PICTURE, NOT_A_PICTURE, ApiError

FIELD = "image_file"
PICTURES_LIMIT = 100  # in one request
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded", "")


class InMemoryRequest(Request):
    """A request whose uploaded files stay in memory, where its limited body already is. A full disk does no harm."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO()


@dataclass(frozen=True)
class RecognitionRequest:
    """One or more encoded pictures, and the options. `as_list` says that the answer is a list."""

    pictures: Sequence[bytes]
    as_list: bool
    model: str | None
    min_confidence: float


def parse_request(request: Request) -> RecognitionRequest:
    """The pictures of a multipart form, a raw body or JSON, with the options `model` and `min_confidence`.

    Raises ApiError.
    """
    content_type = request.mimetype
    options: Mapping[str, Any] = request.args
    as_list = False
    if content_type in FORMS:
        pictures = [file.read() for file in request.files.getlist(FIELD)]
        as_list = len(pictures) > 1
        options = {**options, **request.form}
    elif content_type.startswith("image/"):
        pictures = [request.get_data(cache=False)]
    elif content_type == "application/json":
        content = _json_object(request)
        image = content.get("image") or []
        as_list = isinstance(image, list)
        pictures = [_decode_base64(text) for text in (image if as_list else [image])]
        options = {**options, **content}
    else:
        raise ApiError(415, "415", f"expected multipart/form-data, image/* or application/json; got {content_type}")
    _check_pictures(pictures, request)
    model, min_confidence = _model(options.get("model")), _min_confidence(options.get("min_confidence", 0))
    return RecognitionRequest(pictures, as_list, model, min_confidence)


def _check_pictures(pictures: Sequence[bytes], request: Request) -> None:
    """Raise ApiError when there is no picture, an empty one, or too many."""
    if not pictures or not all(pictures):
        hint = _missing_picture_hint(pictures, request)
        raise ApiError(400, NO_PICTURE, f"expected a picture in the form field {FIELD}, in JSON or as the body{hint}")
    if len(pictures) > PICTURES_LIMIT:
        raise ApiError(413, "413", f"expected at most {PICTURES_LIMIT} pictures; got {len(pictures)}")


def _missing_picture_hint(pictures: Sequence[bytes], request: Request) -> str:
    """What the client probably did wrong, or nothing."""
    if pictures:
        return f"; picture {[*map(bool, pictures)].index(False) + 1} is empty"
    if FIELD in request.form:
        return "; got a text; a file needs a filename"
    if request.mimetype == "application/x-www-form-urlencoded":
        return "; a picture as the body needs Content-Type: image/png or the like"
    return ""


def _json_object(request: Request) -> dict[str, Any]:
    try:
        content = request.get_json(cache=False)
    except RecursionError as error:
        raise ApiError(400, "400", "expected a JSON object; got one that is nested too deep") from error
    except BadRequest as error:
        raise ApiError(400, "400", "expected JSON in UTF-8; got a body that can't be parsed") from error
    if not isinstance(content, dict):
        raise ApiError(400, "400", 'expected a JSON object such as {"image": "<base64>"}')
    return content


def _decode_base64(text: Any) -> bytes:
    """The bytes of base64 text, whose lines may be wrapped, or of a data URL."""
    if not isinstance(text, str):
        raise ApiError(400, NOT_A_PICTURE, "expected image to be base64 text, a data URL or a list of them")
    if text[:5].lower() == "data:":
        prefix, _, text = text.partition(",")
        if not prefix.lower().endswith(";base64"):
            raise ApiError(400, NOT_A_PICTURE, "expected a data URL in base64: data:image/png;base64,...")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, NOT_A_PICTURE, f"expected base64: {error}") from error


def _model(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ApiError(400, BAD_OPTION, "expected model to be a name from GET /models")
    return value or None


def _min_confidence(value: Any) -> float:
    try:
        min_confidence = float(value)
    except (TypeError, ValueError, OverflowError):
        min_confidence = -1
    if isinstance(value, bool) or not 0 <= min_confidence <= 1:
        raise ApiError(400, BAD_OPTION, "expected min_confidence to be a number from 0 to 1")
    return min_confidence
