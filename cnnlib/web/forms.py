"""Forms, multipart and urlencoded: files and texts by their fields. Their work is limited before they are parsed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder

from cnnlib.codec.picture_texts import is_picture, unquote
from cnnlib.web.api_errors import NO_PICTURE, ApiError

FIELD = "image_file"
NAME_LIMIT_BYTES = 100  # of a field in an urlencoded form; longer names are none that the server knows
HEAD_BYTES = 64  # of a picture in an urlencoded form: its signature, each byte perhaps as three
PARTS_LIMIT = 1000  # of a form
HEADERS_LIMIT_BYTES = 2**17  # of all parts of a form
FIRST_PART = re.compile(rb"\s{0,9}--([^\r\n]{1,200}?)[ \t]*(?:\r\n|\r|\n)content-", re.IGNORECASE)


@dataclass
class Form:
    """Contents of files and of texts by the names of their fields, and those of the pictures' field in their order."""

    files: dict[str, list[bytes]] = field(default_factory=dict)
    texts: dict[str, list[bytes]] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)  # files, and texts in base64

    def add(self, name: str, content: bytes, filename: str | None = None) -> None:
        """Add a part, a file if it has a file name. One without name and content is a field that was not used."""
        if filename == "" and not content:
            return
        (self.texts if filename is None else self.files).setdefault(name, []).append(content)
        if name == FIELD:
            self.pictures.append(content)


def looks_like_multipart(body: bytes) -> bool:
    """Whether a body begins as multipart forms do."""
    return FIRST_PART.match(body) is not None


def parse_multipart(body: bytes, declared_boundary: str) -> Form:
    """The form in a body. The boundary is that of the header, or that of the first part where none or a wrong one is.

    Raises ApiError.
    """
    form = Form()
    boundary = _boundary(body, declared_boundary)
    try:
        for part, content in _parts(body, boundary):
            name = str(part.name or "").removesuffix("[]")  # PHP's way to name several
            form.add(name, content, part.filename if isinstance(part, File) else None)
    except RequestEntityTooLarge as error:
        raise _too_large(f"{PARTS_LIMIT} parts in a form") from error
    except ValueError as error:
        raise no_picture("; the form is broken or cut short") from error
    return form


def parse_urlencoded(body: bytes) -> Form:
    """The texts of an urlencoded form. Raises ApiError when it has too many."""
    if body.count(b"&") >= PARTS_LIMIT:
        raise _too_large(f"{PARTS_LIMIT} fields in a form")
    form = Form()
    for pair in body.split(b"&"):
        name, _, text = pair.partition(b"=")
        if len(name) < NAME_LIMIT_BYTES:
            name = unquote(name)
            as_it_is = name == FIELD.encode() and not is_picture(unquote(text[:HEAD_BYTES]))  # + is a digit in base64
            text = text if as_it_is else text.replace(b"+", b" ")
            form.add(name.decode(errors="replace"), unquote(text))
    return form


class _LenientDecoder(MultipartDecoder):
    """werkzeug's decoder, which takes part headers in any encoding: Chinese Windows sends file names in GBK."""

    _header_bytes = 0

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        self._header_bytes += len(data)
        if self._header_bytes > HEADERS_LIMIT_BYTES:
            raise _too_large(f"{HEADERS_LIMIT_BYTES} bytes of headers in the parts of a form")
        return super()._parse_headers(bytes(data).decode(errors="replace").encode())


def _parts(body: bytes, boundary: bytes) -> Iterator[tuple[Field | File, bytes]]:
    """The parts of a multipart form with their contents. Raises ValueError when it is broken."""
    decoder = _LenientDecoder(boundary, max_parts=PARTS_LIMIT)
    decoder.receive_data(body)
    decoder.receive_data(None)
    event: Event = decoder.next_event()
    part: Field | File | None = None
    contents: list[bytes] = []
    while not isinstance(event, Epilogue):
        if isinstance(event, Field | File):
            part, contents = event, []
        elif isinstance(event, Data) and part:
            contents.append(event.data)
            if not event.more_data:
                yield part, b"".join(contents)
        event = decoder.next_event()


def _boundary(body: bytes, declared: str) -> bytes:
    boundary = declared.encode(errors="replace")
    if boundary and b"--" + boundary in body:
        return boundary
    first = FIRST_PART.match(body)
    if first:
        return first[1]
    wrong = f"got boundary={declared[:100]}, which the body lacks" if declared else "got none"
    raise no_picture(f"; a form needs its boundary in Content-Type, which HTTP libraries add themselves; {wrong}")


def _too_large(limit: str) -> ApiError:
    return ApiError(413, "413", f"expected at most {limit}; got more")


def no_picture(hint: str) -> ApiError:
    """The error of a request without a picture."""
    return ApiError(400, NO_PICTURE, f"expected a picture in the form field {FIELD}, in JSON or as the body{hint}")
