"""The chunks of a PNG: what of the file makes its pixels, and whether that is intact.

Browsers pass over the other chunks, be they broken or huge. Pillow reads them all, and refuses the picture.
"""

import io
import re
import struct
import zlib
from collections.abc import Sequence

from PIL import Image, ImageChops

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2  # colour types
ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_KEPT = (b"tRNS", b"eXIf")  # chunks that a PNG need not have, but that change what is seen
_ROWS = 64  # that are compared at a time
_NAME = re.compile(rb"[A-Za-z]{4}")


def without_extras(data: bytes, animated: bool = False) -> bytes:
    """The PNG without the chunks that make no pixels, and without damaged ones that it can do without.

    `animated` keeps the chunks of an animation. The transparent colour of a grey PNG is scaled to 8 bits, as Pillow
    scales its pixels.
    Raises ValueError when the checksum of a chunk that makes pixels is wrong.
    """
    kept = _KEPT + (ANIMATION if animated else ())
    parts, at, changed = [data[:8]], 8, False
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data) or not _NAME.fullmatch(name):  # cut short: the decoder says what that makes of it
            break
        optional = name[0] & 0x20
        if not optional or (name in kept and _is_intact(data, at, end)):
            if not optional and name != b"IEND" and not _is_intact(data, at, end):
                raise ValueError(f"damaged PNG: the checksum of its chunk {name.decode()} is wrong")
            chunk = data[at:end] if name != b"tRNS" else _transparency(data[24:26], data[at:end])
            parts.append(chunk)
            changed = changed or len(chunk) != length + 12 or name == b"tRNS"
        else:
            changed = True
        at = end
        if name == b"IEND":
            break
    return b"".join([*parts, data[at:]]) if changed else data


def _is_intact(data: bytes, start: int, end: int) -> bool:
    """Whether the checksum of the chunk between these places is right."""
    return zlib.crc32(data[start + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")


def _transparency(header: bytes, chunk: bytes) -> bytes:
    """A chunk tRNS as Pillow compares it with 8-bit pixels; none when it does not suit the bit depth and colour type.

    Of each number only the bits of the depth count (PNG specification, 11.3.2.1).
    """
    depth, colour = header
    count = {GREY: 1, RGB: 3}.get(colour)
    if count is None:
        return chunk
    if len(chunk) != 12 + 2 * count or depth not in (1, 2, 4, 8, 16):
        return b""
    levels = [level & (2**depth - 1) for level in struct.unpack_from(f">{count}H", chunk, 8)]
    if depth in (2, 4):
        levels = [level * 255 // (2**depth - 1) for level in levels]
    body = b"tRNS" + struct.pack(f">{count}H", *levels)
    return chunk[:4] + body + struct.pack(">I", zlib.crc32(body))


def is_animated(data: bytes) -> bool:
    """Whether this is a PNG that says it is an animation."""
    return data.startswith(SIGNATURE) and ANIMATION[0] in data


def is_16_bit_rgb(data: bytes) -> bool:
    """Whether a PNG has three samples of 16 bits for a pixel. Pillow keeps the upper 8."""
    return data[24:26] == bytes((16, RGB))


def opacity_of_16_bit_rgb(data: bytes, picture: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The alpha channel of a loaded 16-bit `picture` whose transparent colour has three 16-bit samples.

    The lower bytes come from decoding `data` once more, with the bytes of a sample in the other order.
    """
    lower = Image.open(io.BytesIO(data), formats=("PNG",))
    lower.tile = [tile._replace(args="RGB;16L") for tile in lower.tile]
    opacity = Image.new("L", picture.size)
    for top in range(0, picture.height, _ROWS):  # some at a time, to hold no more large pictures
        box = (0, top, picture.width, min(top + _ROWS, picture.height))
        upper_half = _opacity(picture.crop(box), [level >> 8 for level in colour])
        lower_half = _opacity(lower.crop(box), [level & 0xFF for level in colour])
        opacity.paste(ImageChops.lighter(upper_half, lower_half), box)
    return opacity


def _opacity(picture: Image.Image, colour: Sequence[int]) -> Image.Image:
    """The alpha channel of an RGB picture with a transparent colour."""
    picture.info["transparency"] = tuple(colour)
    return picture.convert("RGBA").getchannel("A")
