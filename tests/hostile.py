"""Pictures that were damaged or made to do harm, for the tests and the benchmark of the service."""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFile
from PIL.PngImagePlugin import PngInfo

KINDS = ("set", "turn", "cut", "end", "repeat", "length", "mend")  # of changes
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
Change = tuple[str, int, int]  # kind, place, value


def encoded(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def whole(size: tuple[int, int]) -> list[bytes]:
    """The same picture in every format, and a few of its modes."""
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((2, 0), "10", "black")
    modes = [encoded(picture.convert(mode), "PNG") for mode in ("1", "L", "LA", "P", "RGBA", "I;16")]
    modes += [encoded(picture.convert("P"), "PNG", transparency=0), encoded(picture.convert("CMYK"), "JPEG")]
    return [encoded(picture, kind) for kind in FORMATS] + modes


def damaged(data: bytes, changes: Sequence[Change]) -> bytes:
    """Bytes of a picture after changes: a bit turned over, a byte set, a part cut, repeated or filled.

    A PNG can be mended afterwards, so that decoders look at what was changed.
    """
    content = bytearray(data)
    for kind, place, value in changes:
        at = place % max(1, len(content))
        if kind == "set" and content:
            content[at] = value
        elif kind == "turn" and content:
            content[at] ^= 1 << value % 8
        elif kind == "cut":
            del content[at : at + value]
        elif kind == "end":
            del content[at:]
        elif kind == "repeat":
            content[at:at] = content[at : at + value]
        elif kind == "length":  # a size or an offset of four bytes, near its limits
            content[at : at + 4] = struct.pack(">I", (2**32 - value) % 2**32 if value % 2 else value)
        elif kind == "mend":
            content = bytearray(mended(bytes(content)))
    return bytes(content)


def mended(data: bytes) -> bytes:
    """A PNG with the right checksum in each chunk; anything else as it is."""
    head, at = data[:8], 8
    whole_chunks = b""
    while head == SIGNATURE and at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        whole_chunks += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return head + whole_chunks + data[at:] if whole_chunks else data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG, with its length and checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def damaged_pictures(size: tuple[int, int]) -> st.SearchStrategy[bytes]:
    changes = st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 3000), st.integers(0, 255)), min_size=1, max_size=6
    )
    return st.builds(damaged, st.sampled_from(whole(size)), changes)


def png_of_size(width: int, height: int, rows: bytes = b"") -> bytes:
    """A grey PNG that says it has this size, with these compressed rows."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_of_no_colour(width: int, height: int) -> bytes:
    """A PNG with a palette of four colours whose three hundredth is the transparent one."""
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height))
    parts = [(b"IHDR", head), (b"PLTE", bytes(12)), (b"tRNS", b"\xff" * 300 + b"\0"), (b"IDAT", rows), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*part) for part in parts)


def jpeg_of_scans(size: tuple[int, int], count: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes that change nothing, comes `count` times more."""
    data = encoded(Image.new("L", size, "white"), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def text_bomb(size: tuple[int, int]) -> bytes:
    """A PNG with a comment of 100 MB in 100 KB."""
    info = PngInfo()
    info.add_text("Comment", "a" * 100_000_000, zip=True)
    return encoded(Image.new("L", size, "white"), "PNG", pnginfo=info)


def decoded_pixels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pixels of each picture and frame that Pillow decodes from now on, those of a WebP twice."""
    pixels: list[int] = []
    load = ImageFile.ImageFile.load

    def count(picture: ImageFile.ImageFile) -> Any:
        if picture.tile:
            pixels.append(picture.width * picture.height * (2 if picture.format == "WEBP" else 1))
        return load(picture)

    monkeypatch.setattr(ImageFile.ImageFile, "load", count)
    return pixels
