"""Pictures as text: base64 and data URLs, as browsers and clients write them."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

from cnnlib.codec import png
from cnnlib.codec.images import is_address, kind_of
from cnnlib.codec.picture_parts import BMP_SIGNATURE, GIF_SIGNATURES, JPEG_SIGNATURE
from cnnlib.core.errors import SampleError

PIECE_BYTES = 2**16
URL_SAFE = bytes.maketrans(b"-_", b"+/")
SIGNATURES = (png.SIGNATURE, JPEG_SIGNATURE, *GIF_SIGNATURES)
CURL_SIGNATURES = (b"\x89PNG", JPEG_SIGNATURE, *GIF_SIGNATURES, BMP_SIGNATURE, b"RIFF")  # without line ends and NULs
PICTURE_PATH = re.compile(rb"@?[^\r\n]{1,300}\.(png|jpe?g|gif|bmp|webp)\s*", re.IGNORECASE)
OTHER_DIGIT = re.compile(rb"[^A-Za-z0-9+/]")


def is_picture(data: bytes) -> bool:
    """Whether bytes begin as a PNG, JPEG, GIF, BMP or WebP does."""
    if data.startswith(BMP_SIGNATURE):
        return data[6:10] == bytes(4)  # reserved; a text could begin with BM
    return data.startswith(SIGNATURES) or (data[:4], data[8:12]) == (b"RIFF", b"WEBP")


def picture_of(data: bytes) -> bytes | None:
    """The picture in bytes, which are the picture itself, base64 or a data URL. None when there is none."""
    if is_picture(data):
        return data
    try:
        decoded = decode_text(data)
    except ValueError:
        return None
    return decoded if is_picture(decoded) else None


def picture_in_answer(data: bytes) -> bytes:
    """The picture that a captcha source answers, which is itself, base64 or a data URL. Other bytes stay as they are.

    Raises SampleError for JSON: each site has other keys in it.
    """
    picture = picture_of(data)
    if picture is None and (kind_of(data) == "JSON" or data.lstrip().startswith(b'"')):
        way_out = "remote_url has to answer with the picture itself, or its base64"
        raise SampleError(f"expected a picture; got JSON; {way_out}")
    return picture or data


def unquote(text: bytes) -> bytes:
    """Bytes without percent-encoding. By pieces, because of a megabyte of escapes `unquote_to_bytes` takes 60."""
    pieces, start = [], 0
    while start < len(text):
        end = start + PIECE_BYTES
        escape = text.rfind(b"%", end - 2, end)
        end = escape if escape > 0 else end
        pieces.append(unquote_to_bytes(text[start:end]))
        start = end
    return b"".join(pieces)


def decode_text(text: bytes) -> bytes:
    """The bytes of base64, whose lines may be wrapped, or of a data URL.

    Base64 may lack its padding, and be of the URL-safe kind. Raises ValueError with what was expected and what came.
    """
    if instead := instead_of_picture(text):
        raise ValueError(f"expected base64 or a data URL; got {instead}")
    text = text.strip()
    if text[:5].lower() == b"data:":
        head, _, text = text.partition(b",")
        if not head.lower().rstrip().endswith(b";base64"):
            if b"%" not in text:  # every picture has bytes that need an escape
                raise ValueError("expected a data URL in base64: data:image/png;base64,...")
            return unquote(text)
        text = unquote(text)
    digits = text.translate(URL_SAFE, b" \t\r\n\v\f").rstrip(b"=")
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        got = kind_of(text) if OTHER_DIGIT.search(digits) else f"{len(digits)} digits, one too many or some too few"
        raise ValueError(f"expected base64; got {got}") from error


def instead_of_picture(text: bytes) -> str:
    """What a text is that only says where a picture is, with the way out. Nothing for other texts."""
    if is_address(text):
        return "an address; the server fetches none: send the picture itself"
    if PICTURE_PATH.fullmatch(text):
        return "the path of a picture; send the file itself, with curl: -F image_file=@FILE"
    return ""


def lost_bytes(body: bytes) -> bool:
    """Whether a body is a picture without its line ends and NULs, which `curl -d @FILE` takes out."""
    is_whole = any(byte in body for byte in (b"\0", b"\r", b"\n"))
    return body.startswith(CURL_SIGNATURES) and not is_whole and not body.isascii()
