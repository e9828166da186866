"""What a server answered, checked: anyone may have written it."""

import json
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from cnnlib.core.printable import excerpt, printable

TEXT_LIMIT = 256  # characters of a text or label; those of the API have 64 at most
DAY_MS = 86_400_000.0  # the longest time that is believed


def _text(value: object) -> object:
    """A number as its text: some servers answer digits as a number."""
    return str(value) if type(value) in (int, float) else value


Text = Annotated[str, BeforeValidator(_text), Field(max_length=TEXT_LIMIT)]


class AnswerFields(BaseModel):
    """The fields of an answer of the API that clients use. `value` is None below `min_confidence`."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)
    value: Text | None
    candidate: Text | None = None
    confidence: float | None = Field(default=None, ge=0, le=1)
    recognition_ms: float = Field(alias="speed_time(ms)", ge=0, le=DAY_MS)


def parse_answer(content: bytes) -> AnswerFields:
    """The fields of an answer, its texts printable. Raises ValueError when it is none of the API's."""
    try:
        fields = AnswerFields.model_validate_json(content)
    except ValidationError as error:
        raise ValueError("expected JSON with value and speed_time(ms)") from error
    texts = {name: printable(text) for name in ("value", "candidate") if (text := getattr(fields, name)) is not None}
    return fields.model_copy(update=texts)


def error_message(content: bytes) -> str:
    """The API's own message in an error answer, as an excerpt, or nothing."""
    try:
        return excerpt(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
