"""Parsing of a recognition request: its pictures, in one of several forms, and its options."""

import difflib
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Request

from cnnlib.codec.images import kind_of
from cnnlib.codec.picture_parts import parts_fault
from cnnlib.codec.picture_texts import decode_text, instead_of_picture, is_picture, lost_bytes, picture_of
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.json_faults import json_fault
from cnnlib.core.printable import excerpt
from cnnlib.evaluation.calibration import PROMISES
from cnnlib.inference.hints import NO_HINTS, VIEWS, Hints
from cnnlib.web.api_errors import BAD_OPTION, NOT_A_PICTURE, ApiError
from cnnlib.web.forms import FIELD, Form, looks_like_multipart, no_picture, parse_multipart, parse_urlencoded

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
    "save",
)
BOTH_LENGTHS, OTHER_CASE = "min_captcha and max_captcha", "ignore_case, the other way round"
SYNONYMS = {  # what people call options, in small letters without underscores, and which they mean
    **dict.fromkeys(("alphabet", "charset", "characterset", "characters", "chars", "charlist"), "char_set"),
    **dict.fromkeys(("allowedcharacters", "allowedchars", "allowedcharset"), "char_set"),
    **dict.fromkeys(("whitelist", "charwhitelist", "tesseditcharwhitelist"), "char_set"),
    **dict.fromkeys(("length", "len", "captchalength", "captchalen", "textlength"), BOTH_LENGTHS),
    **dict.fromkeys(("minlength", "minlen", "mincharacters", "minchars"), "min_captcha"),
    **dict.fromkeys(("maxlength", "maxlen", "maxcharacters", "maxchars"), "max_captcha"),
    **dict.fromkeys(("caseinsensitive", "nocase", "foldcase"), "ignore_case"),
    **dict.fromkeys(("casesensitive", "matchcase"), OTHER_CASE),
    "answers": "answer",
    **dict.fromkeys(("threshold", "confidence", "minconf", "minscore", "minprobability"), "min_confidence"),
    **dict.fromkeys(("confidencethreshold", "confthreshold", "scorethreshold"), "min_confidence"),
    "keep": "kept or save",
    **dict.fromkeys(("store", "savepicture", "saveimage", "savefile"), "save"),
    **dict.fromkeys(("modelname", "modelid"), "model"),
}
LIKENESS = 0.8  # of a name with that of an option, 0 to 1, from which on it is taken for a slip
NAMES_LIMIT = 100  # of a request that are compared with options, which takes time
NAME_LIMIT = 30  # characters of such a name
SHOWN_CHARACTERS = 60  # of a value in a message
ONCE = (*OPTIONS, "image", FIELD, "label")  # keys of JSON that may not be there twice


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
    save: bool = True  # whether the pictures are kept, if the config says so


@dataclass(frozen=True)
class Body:
    """What a request's body holds: pictures, and all other values by their names, which may be options.

    `hint` says what a client that sent no picture probably did wrong.
    """

    pictures: Sequence[bytes]
    as_list: bool = False
    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    hint: str = ""


def parse_request(request: Request) -> RecognitionRequest:
    """The pictures of a multipart form, a raw body or JSON, with the options, `OPTIONS`.

    Options stand in the query or in the body, which counts where both have one. Raises ApiError.
    """
    _check_encoding(request)
    body = _parse_body(request, request.get_data(parse_form_data=False))
    _check_pictures(body)
    in_query, in_body = _given(dict(request.args.lists())), _given(body.values)
    _parse_options(in_query)  # are checked although the body may have others
    return RecognitionRequest(body.pictures, body.as_list, **_parse_options(in_query | in_body))


def _check_encoding(request: Request) -> None:
    """Raise ApiError when the body is compressed."""
    encoding = request.headers.get("Content-Encoding", "").strip()
    if encoding.lower() not in ("", "identity"):
        got = excerpt(encoding, SHOWN_CHARACTERS)
        raise ApiError(415, "415", f"expected a body without Content-Encoding; got {got}; send it uncompressed")


def _given(values: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """The options that have a value, of all that were given by name. Empty ones count as missing.

    Raises ApiError when one has two values, or a name is probably a slip.
    """
    given = {}
    for name, all_of_it in values.items():
        filled = [value for value in all_of_it if value not in (None, "")]
        if name in OPTIONS and filled:
            if any(value != filled[0] for value in filled):
                raise _bad_option(f"{name} once", filled)
            given[name] = filled[0]
    for name in itertools.islice((name for name in values if name not in OPTIONS), NAMES_LIMIT):
        meant = _meant(name)
        if meant and any(value not in (None, "") for value in values[name]):
            got = f"{excerpt(name)}, which probably means {meant}"
            raise ApiError(400, BAD_OPTION, f"expected an option, one of {', '.join(OPTIONS)}; got {got}")
    return given


def _meant(name: str) -> str:
    """The option that is probably meant by a name which is none, or nothing."""
    if len(name) > NAME_LIMIT:
        return ""
    plain = name.strip().lower().replace("-", "_")
    close = difflib.get_close_matches(plain, OPTIONS, 1, LIKENESS)
    return SYNONYMS.get(plain.replace("_", "").replace(" ", "")) or "".join(close)


def _bad_option(expected: str, value: Any) -> ApiError:
    """The error of an option with a value that it can't have."""
    return ApiError(400, BAD_OPTION, f"expected {expected}; got {_shown(value)}")


def _shown(value: Any) -> str:
    """A value for a message: as it is in JSON, and only the first characters."""
    if isinstance(value, str) and len(value) > SHOWN_CHARACTERS:
        return f"{len(value)} characters"
    try:
        return excerpt(json.dumps(value, ensure_ascii=False), SHOWN_CHARACTERS)
    except RecursionError:
        return "a value that is nested deep"


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
        "save": _flag("save", {"save": True, **given}),
    }


def _parse_body(request: Request, data: bytes) -> Body:
    """The body, by what it begins with if that is unambiguous, else by its type. Raises ApiError."""
    content_type = request.mimetype
    if content_type == URL_ENCODED and lost_bytes(data):
        got = "got one without its line ends, as curl -d @FILE sends it"
        raise ApiError(400, NOT_A_PICTURE, f"expected a picture; {got}; use -F image_file=@FILE or --data-binary @FILE")
    if is_picture(data) or (content_type.startswith("image/") and not looks_like_multipart(data)):
        return Body([data] if data else [])
    if looks_like_multipart(data) or (content_type == MULTIPART and data):
        return _form_body(parse_multipart(data, request.mimetype_params.get("boundary", "")))
    if _is_json(content_type) or (content_type in (*UNTOLD, URL_ENCODED) and data.lstrip(BLANK)[:1] in (b"{", b"[")):
        return _json_body(request)
    if content_type == URL_ENCODED:
        instead = instead_of_picture(data)
        hint = f"; got {instead}" if instead else "; a picture as the body needs Content-Type: image/png or the like"
        return _form_body(parse_urlencoded(data), hint)
    picture = picture_of(data)
    if not picture and data and content_type:
        got = f"{excerpt(content_type, SHOWN_CHARACTERS)}, with {_instead(data)}"
        raise ApiError(415, "415", f"expected multipart/form-data, image/* or application/json; got {got}")
    return Body([picture] if picture else [], hint=f"; got {_instead(data)}" if data else "")


def _instead(data: bytes) -> str:
    """What bytes are that hold no picture, for a message."""
    return instead_of_picture(data) or kind_of(data)


def _is_json(content_type: str) -> bool:
    return content_type in ("application/json", "text/json") or content_type.endswith("+json")


def _form_body(form: Form, hint: str = "") -> Body:
    """The pictures in the field `image_file`, as files or as texts in base64.

    Empty texts beside one file are fields of a page that were not used. A text that is no picture counts as none if it
    is the only one. Among several it is refused, by its number.
    """
    _check_count(len(form.pictures))
    files, texts = form.files.get(FIELD, []), form.texts.get(FIELD, [])
    parts = files if len(files) == 1 and not any(texts) else form.pictures
    pictures = [picture_of(data) or data for data in parts]
    if not files and len(pictures) == 1 and not is_picture(pictures[0]):
        pictures, hint = [], f"; got {instead_of_picture(pictures[0]) or 'a text; a file needs a filename'}"
    elif not pictures and form.files:
        hint = f"; got a file in the field {next(iter(form.files))[:40]!r}"
    for name in OPTIONS:
        if name in form.files:
            raise ApiError(400, BAD_OPTION, f"expected {name} as a text; got a file; send it without a file name")
    others = [name for name in form.texts if name != FIELD]
    values = {name: [text.decode(errors="replace") for text in form.texts[name]] for name in others}
    return Body(pictures, len(pictures) > 1, values, hint)


def _json_body(request: Request) -> Body:
    """The picture or pictures of the key `image`."""
    content = json_object(request, '{"image": "<base64>"}')
    image = content.get("image") or content.get(FIELD) or []
    as_list = isinstance(image, list)
    texts = image if as_list else [image]
    _check_count(len(texts))
    pictures = [_decode(text, f"picture {number}: " if as_list else "") for number, text in enumerate(texts, 1)]
    return Body(pictures, as_list, {name: [value] for name, value in content.items()})


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
    _check_encoding(request)
    try:
        content = json.loads(request.get_data(), object_pairs_hook=_object)
    except RecursionError as error:
        raise ApiError(400, "400", "expected a JSON object; got one that is nested too deep") from error
    except ValueError as error:
        raise ApiError(400, "400", f"expected JSON in UTF-8; got {_json_fault(error)}") from error
    if not isinstance(content, dict):
        raise ApiError(400, "400", f"expected a JSON object such as {example}; got {_shown(content)}")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises ApiError when a key that counts has two values."""
    content = dict(pairs)
    if len(content) < len(pairs):
        for name, value in pairs:
            if name in ONCE and value != content[name]:
                raise _bad_option(f"{name} once", [value, content[name]])
    return content


def _json_fault(error: ValueError) -> str:
    """What is wrong in a body that is not JSON, and where."""
    if isinstance(error, json.JSONDecodeError):
        fault = json_fault(error).replace("the file", "the body")
        return f"a fault in line {error.lineno}, column {error.colno}: {fault}"
    if isinstance(error, UnicodeDecodeError):
        return f"the byte 0x{error.object[error.start]:02x} at {error.start}"
    return "a number of too many digits"


def _decode(text: Any, place: str) -> bytes:
    """The picture in a text of JSON. Raises ApiError, with `place` in front of its message."""
    if not isinstance(text, str):
        expected = "base64 text or a data URL" if place else "image to be base64 text, a data URL or a list of them"
        raise ApiError(400, NOT_A_PICTURE, f"{place}expected {expected}; got {_shown(text)}")
    try:
        return decode_text(text.encode(errors="replace"))  # half of a surrogate pair becomes ?, which is no base64
    except ValueError as error:
        raise ApiError(400, NOT_A_PICTURE, f"{place}{error}") from error


def _model(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise _bad_option("model to be a name from GET /models", value)
    return value or None


def _text(name: str, options: Mapping[str, Any]) -> str | None:
    value = options.get(name)
    if value is not None and not (isinstance(value, str) and len(value) <= TEXT_LIMIT):
        raise _bad_option(f"{name} to be a text of at most {TEXT_LIMIT} characters", value)
    return value


def _whole(name: str, options: Mapping[str, Any], most: int) -> int | None:
    """A whole number from 1 to `most`, as a number or as a text."""
    value = options.get(name)
    if value is None:
        return None
    if str(value) not in map(str, range(1, most + 1)) or not isinstance(value, int | str):
        raise _bad_option(f"{name} to be a whole number from 1 to {most}", value)
    return int(value)


def _flag(name: str, options: Mapping[str, Any]) -> bool:
    value = options.get(name, False)
    if str(value).lower() not in FLAGS or not isinstance(value, bool | int | str):
        raise _bad_option(f"{name} to be true or false", value)
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
        raise _bad_option(f"min_confidence to be a number from 0 to 1, or {PROMISED}", value)
    return min_confidence
