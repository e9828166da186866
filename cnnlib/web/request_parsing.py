"""What a recognition request asks: its pictures, in whichever of three forms they come, and the choices beside them."""

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
    """A request whose files stay in memory: its body is bounded, and there already; a full disk doesn't matter."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:
        return io.BytesIO()


@dataclass(frozen=True)
class RecognitionRequest:
    """Encoded pictures, at least one; `as_list` when several were sent, and so a list is answered."""

    pictures: Sequence[bytes]
    as_list: bool
    model: str | None
    min_confidence: float


def parse_request(request: Request) -> RecognitionRequest:
    """The pictures of a multipart form, a raw body or JSON, with the options `model` and `min_confidence`.

    Raises RefusalError.
    """
    kind = request.mimetype
    options: Mapping[str, Any] = request.args
    as_list = False
    if kind in FORMS:
        pictures = [upload.read() for upload in request.files.getlist(FIELD)]
        as_list = len(pictures) > 1
        options = {**options, **request.form}
    elif kind.startswith("image/"):
        pictures = [request.get_data(cache=False)]
    elif kind == "application/json":
        content = _json_object(request)
        sent = content.get("image") or []
        as_list = isinstance(sent, list)
        pictures = [_decoded(one) for one in (sent if as_list else [sent])]
        options = {**options, **content}
    else:
        raise ApiError(415, "415", f"expected multipart/form-data, image/* or application/json; got {kind}")
    if not pictures or not all(pictures):
        raise ApiError(400, NO_PICTURE, _lack(pictures, request))
    if len(pictures) > PICTURES_LIMIT:
        raise ApiError(413, "413", f"expected at most {PICTURES_LIMIT} pictures; got {len(pictures)}")
    return RecognitionRequest(pictures, as_list, _model(options.get("model")), _share(options.get("min_confidence", 0)))


def _lack(pictures: Sequence[bytes], request: Request) -> str:
    """What a request without a picture, or with an empty one, lacks."""
    found = ""
    if pictures:
        found = f"; picture {[*map(bool, pictures)].index(False) + 1} is empty"
    elif FIELD in request.form:
        found = "; it came as a text, a file has a filename"
    elif request.mimetype == "application/x-www-form-urlencoded":
        found = "; a body needs Content-Type: image/png or the like"
    return f"expected a picture in the multipart field {FIELD}, in JSON or as the body{found}"


def _json_object(request: Request) -> dict[str, Any]:
    try:
        content = request.get_json(cache=False)
    except RecursionError as error:
        raise ApiError(400, "400", "expected a JSON object; it is nested too deep") from error
    except BadRequest as error:
        raise ApiError(400, "400", "expected JSON, in UTF-8; it can't be parsed") from error
    if not isinstance(content, dict):
        raise ApiError(400, "400", 'expected a JSON object such as {"image": "<base64>"}')
    return content


def _decoded(text: Any) -> bytes:
    """The bytes of base64 text, whose lines may be wrapped, or of a data URL."""
    if not isinstance(text, str):
        raise ApiError(400, NOT_A_PICTURE, "expected image to be base64 text, a data URL or a list of them")
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not head.lower().endswith(";base64"):
            raise ApiError(400, NOT_A_PICTURE, "expected a data URL in base64: data:image/png;base64,...")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, NOT_A_PICTURE, f"expected base64: {error}") from error


def _model(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ApiError(400, BAD_OPTION, "expected model to be a name, as GET /models tells them")
    return value or None


def _share(value: Any) -> float:
    try:
        share = float(value)
    except (TypeError, ValueError, OverflowError):
        share = -1
    if isinstance(value, bool) or not 0 <= share <= 1:
        raise ApiError(400, BAD_OPTION, "expected min_confidence to be a number from 0 to 1")
    return share
