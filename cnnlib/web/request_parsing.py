"""Parsing of a recognition request: its pictures, in one of several forms, and its options."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request
from werkzeug.exceptions import BadRequest

from cnnlib.codec.picture_parts import parts_fault
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.evaluation.calibration import PROMISES
from cnnlib.inference.hints import NO_HINTS, VIEWS, Hints
from cnnlib.web.api_errors import BAD_OPTION, NOT_A_PICTURE, ApiError
from cnnlib.web.forms import FIELD, Form, looks_like_multipart, no_picture, parse_multipart, parse_urlencoded
from cnnlib.web.picture_texts import decode_text, is_picture, picture_of

PICTURES_LIMIT = 100  # in one request
MULTIPART, URL_ENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
TEXT_LIMIT = 20_000  # characters of a `char_set`, which is looked through for each picture
PROMISED = " or ".join(PROMISES)
FLAGS = {"true": True, "1": True, "false": False, "0": False}
UNTOLD = ("", "application/octet-stream")  # types that say nothing about the body
BLANK = b" \t\r\n\xef\xbb\xbf"  # before JSON: blanks, and the mark of UTF-8
OPTIONS = (
    "model",
    "min_confidence",
    "char_set",
    "min_captcha",
    "max_captcha",
    "ignore_case",
    "views",
    "answer",
    "kept",
)


@dataclass(frozen=True)
class RecognitionRequest:
    """One or more encoded pictures, and the options. `as_list` says that the answer is a list."""

    pictures: Sequence[bytes]
    as_list: bool
    model: str | None
    min_confidence: float | str  # or a share of right texts, one of `PROMISES`
    hints: Hints = NO_HINTS
    answer: bool = False  # whether the answers to sums are wanted
    kept: bool = False  # whether the names of kept pictures are wanted, for POST /label


@dataclass(frozen=True)
class Body:
    """What a request's body holds. `hint` says what a client that sent no picture probably did wrong."""

    pictures: Sequence[bytes]
    as_list: bool = False
    options: Mapping[str, Any] | None = None
    hint: str = ""


def parse_request(request: Request) -> RecognitionRequest:
    """The pictures of a multipart form, a raw body or JSON, with the options, `OPTIONS`.

    Options stand in the query or in the body, which counts where both have one. Raises ApiError.
    """
    body = _parse_body(request, request.get_data(parse_form_data=False))
    _check_pictures(body)
    in_query, in_body = _given(request.args), _given(body.options or {})
    _parse_options(in_query)  # are checked although the body may have others
    return RecognitionRequest(body.pictures, body.as_list, **_parse_options(in_query | in_body))


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that have a value. Empty ones count as missing."""
    return {name: value for name, value in options.items() if name in OPTIONS and value not in (None, "")}


def _parse_options(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options by the fields of a request. Raises ApiError."""
    hints = Hints(
        char_set=_text("char_set", given),
        min_captcha=_whole("min_captcha", given, LABEL_LIMIT),
        max_captcha=_whole("max_captcha", given, LABEL_LIMIT),
        ignore_case=_flag("ignore_case", given) if "ignore_case" in given else None,
        views=_whole("views", given, VIEWS),
    )
    return {
        "model": _model(given.get("model")),
        "min_confidence": _min_confidence(given.get("min_confidence")),
        "hints": hints,
        "answer": _flag("answer", given),
        "kept": _flag("kept", given),
    }


def _parse_body(request: Request, data: bytes) -> Body:
    """The body, by what it begins with if that is unambiguous, else by its type. Raises ApiError."""
    content_type = request.mimetype
    if is_picture(data) or (content_type.startswith("image/") and not looks_like_multipart(data)):
        return Body([data] if data else [])
    if looks_like_multipart(data) or (content_type == MULTIPART and data):
        return _form_body(parse_multipart(data, request.mimetype_params.get("boundary", "")))
    if _is_json(content_type) or (content_type in (*UNTOLD, URL_ENCODED) and data.lstrip(BLANK)[:1] in (b"{", b"[")):
        return _json_body(request)
    if content_type == URL_ENCODED:
        return _form_body(parse_urlencoded(data), "; a picture as the body needs Content-Type: image/png or the like")
    picture = picture_of(data)
    if not picture and data and content_type:
        raise ApiError(415, "415", f"expected multipart/form-data, image/* or application/json; got {content_type}")
    return Body([picture] if picture else [], hint="; got a body that is none of these" if data else "")


def _is_json(content_type: str) -> bool:
    return content_type in ("application/json", "text/json") or content_type.endswith("+json")


def _form_body(form: Form, hint: str = "") -> Body:
    """The pictures in the field `image_file`, as files or as texts in base64.

    A text that is no picture counts as none if it is the only one. Among several it is refused, by its number.
    """
    _check_count(len(form.pictures))
    pictures = [picture_of(data) or data for data in form.pictures]
    filled = [*filter(None, pictures)]
    pictures = filled if len(filled) == 1 else pictures
    if FIELD not in form.files and len(pictures) == 1 and not is_picture(pictures[0]):
        pictures, hint = [], "; got a text; a file needs a filename"
    elif not pictures and form.files:
        hint = f"; got a file in the field {next(iter(form.files))[:40]!r}"
    options = {name: form.texts[name][0].decode(errors="replace") for name in OPTIONS if name in form.texts}
    return Body(pictures, len(pictures) > 1, options, hint)


def _json_body(request: Request) -> Body:
    """The picture or pictures of the key `image`."""
    content = json_object(request, '{"image": "<base64>"}')
    image = content.get("image") or content.get(FIELD) or []
    as_list = isinstance(image, list)
    texts = image if as_list else [image]
    _check_count(len(texts))
    options = {name: content[name] for name in OPTIONS if content.get(name) is not None}
    return Body([_decode(text) for text in texts], as_list, options)


def _check_count(pictures: int) -> None:
    """Raise ApiError when there are too many pictures."""
    if pictures > PICTURES_LIMIT:
        raise ApiError(413, "413", f"expected at most {PICTURES_LIMIT} pictures; got {pictures}")


def _check_pictures(body: Body) -> None:
    """Raise ApiError when there is no picture, an empty one, or too many parts in them."""
    if not body.pictures or not all(body.pictures):
        empty = [*map(bool, body.pictures), False].index(False) + 1
        hint = f"; picture {empty} is empty" if body.pictures else body.hint
        raise no_picture(hint)
    if fault := parts_fault(body.pictures):
        raise ApiError(400, NOT_A_PICTURE, fault)


def json_object(request: Request, example: str) -> dict[str, Any]:
    """The JSON object in the body. Raises ApiError with an `example` when there is none."""
    try:
        content = request.get_json(force=True, cache=False)
    except RecursionError as error:
        raise ApiError(400, "400", "expected a JSON object; got one that is nested too deep") from error
    except BadRequest as error:
        raise ApiError(400, "400", "expected JSON in UTF-8; got a body that can't be parsed") from error
    if not isinstance(content, dict):
        raise ApiError(400, "400", f"expected a JSON object such as {example}")
    return content


def _decode(text: Any) -> bytes:
    if not isinstance(text, str):
        raise ApiError(400, NOT_A_PICTURE, "expected image to be base64 text, a data URL or a list of them")
    try:
        return decode_text(text.encode(errors="replace"))  # half of a surrogate pair becomes ?, which is no base64
    except ValueError as error:
        raise ApiError(400, NOT_A_PICTURE, str(error)) from error


def _model(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ApiError(400, BAD_OPTION, "expected model to be a name from GET /models")
    return value or None


def _text(name: str, options: Mapping[str, Any]) -> str | None:
    value = options.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= TEXT_LIMIT):
        raise ApiError(400, BAD_OPTION, f"expected {name} to be a text of at most {TEXT_LIMIT} characters")
    return value


def _whole(name: str, options: Mapping[str, Any], most: int) -> int | None:
    """A whole number from 1 to `most`, as a number or as a text."""
    value = options.get(name)
    if value is None:
        return None
    if str(value) not in map(str, range(1, most + 1)) or not isinstance(value, int | str):
        raise ApiError(400, BAD_OPTION, f"expected {name} to be a whole number from 1 to {most}")
    return int(value)


def _flag(name: str, options: Mapping[str, Any]) -> bool:
    value = options.get(name, False)
    if str(value).lower() not in FLAGS or not isinstance(value, bool | int | str):
        raise ApiError(400, BAD_OPTION, f"expected {name} to be true or false")
    return FLAGS[str(value).lower()]


def _min_confidence(value: Any) -> float | str:
    if value is None:
        return 0
    if isinstance(value, str) and value in PROMISES:
        return value
    try:
        min_confidence = float(value)
    except (TypeError, ValueError, OverflowError):
        min_confidence = -1
    if isinstance(value, bool) or not 0 <= min_confidence <= 1:
        raise ApiError(400, BAD_OPTION, f"expected min_confidence to be a number from 0 to 1, or {PROMISED}")
    return min_confidence
