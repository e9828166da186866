"""The chunks of a PNG: what of the file makes its pixels, and whether that is intact.

Browsers pass over the other chunks, be they broken or huge. Pillow reads them all, and refuses the picture.
"""

import io
import re
import struct
import zlib
from collections.abc import Iterator, Sequence

from PIL import Image, ImageChops

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2  # colour types
ANIMATION = (b"acTL", b"fcTL", b"fdAT")
_KEPT = (b"tRNS", b"eXIf")  # chunks that a PNG need not have, but that change what is seen
_ROWS = 64  # that are compared at a time
_OPTIONAL = 0x20  # a bit of a name's first letter
_NAME = re.compile(rb"\w{4}")


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of each chunk, up to the last one or to what Pillow takes for none any more.

    A chunk that is cut short ends behind the data.
    """
    name, end = b"", len(SIGNATURE)
    while end + 8 <= len(data) and name != b"IEND":
        start = end
        length, name = struct.unpack_from(">I4s", data, start)
        if not _NAME.fullmatch(name):
            return
        end = start + 12 + length
        yield name, start, end


def without_extras(data: bytes, animated: bool = False) -> bytes:
    """The PNG without the chunks that make no pixels, and without damaged ones that it can do without.

    `animated` keeps the chunks of an animation. The transparent colour of a grey PNG is scaled to 8 bits, as Pillow
    scales its pixels.
    Raises ValueError when the checksum of a chunk that makes pixels is wrong.
    """
    extras = _KEPT + (ANIMATION if animated else ())
    kept, last = [data[: len(SIGNATURE)]], len(SIGNATURE)
    for name, start, end in chunks(data):
        if end > len(data):  # the decoder says what that makes of it
            break
        if name[0] & _OPTIONAL:
            wanted = name in extras and _is_intact(data, start, end)
        elif name == b"IEND" or _is_intact(data, start, end):
            wanted = True
        else:
            raise ValueError(f"damaged PNG: the checksum of its chunk {name.decode()} is wrong")
        if wanted:
            chunk = data[start:end]
            kept.append(_transparency(data[24:26], chunk) if name == b"tRNS" else chunk)
        last = end
    return b"".join([*kept, data[last:]])


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
