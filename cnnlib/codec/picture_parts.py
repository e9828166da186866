"""The parts of a picture file: chunks, segments, blocks. They are looked at before Pillow opens the picture.

A part may have no bytes of its own and still cost Pillow time, and a few bytes can unpack to a thousand times as many.
So small parts are counted, and those that say nothing about pixels are left out or made small.
"""

import itertools
import struct
from collections.abc import Iterable, Iterator

from PIL import PngImagePlugin

from cnnlib.codec import jpeg, png

PART_LIMIT = 10_000  # small parts of a picture, or of all pictures of a request
SMALL_BYTES = 256  # larger parts are limited by the size of the file
TEXT_LIMIT_BYTES = 2**16  # of a PNG's compressed text when it is unpacked
TEXTS_LIMIT_BYTES = 4 * TEXT_LIMIT_BYTES  # of all texts of a PNG
JPEG_SIGNATURE = b"\xff\xd8\xff"
GIF_SIGNATURES, BMP_SIGNATURE = (b"GIF87a", b"GIF89a"), b"BM"
BMP_RUNS = (1, 2)  # compressions by run lengths, which Pillow unpacks in Python
GIF_COMMENT = b"\xfe"
COMMENT_BYTES = 32  # of a GIF that cost as much as a small part, since Pillow copies a comment for each of its blocks
RUN_BYTES, RUN_PIXELS = 16, 128  # of a BMP of runs that cost as much as a small part
EXIF, PICTURE_INDEX = b"Exif\0\0", b"MPF\0"  # beginnings of JPEG segments
BARE_MARKERS = {0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}  # of JPEG segments without a length
MARKERS = {*range(0xC0, 0xFF)}  # those that Pillow knows
START_OF_SCAN, APP1, APP2 = 0xDA, 0xE1, 0xE2
Part = tuple[bytes | int, int, int]  # kind, and where it starts and ends

PngImagePlugin.MAX_TEXT_CHUNK = TEXT_LIMIT_BYTES
PngImagePlugin.MAX_TEXT_MEMORY = TEXTS_LIMIT_BYTES


def parts_fault(pictures: Iterable[bytes]) -> str:
    """What is wrong with encoded pictures that have more than `PART_LIMIT` small parts together, else nothing."""
    small = itertools.chain.from_iterable(map(_small_parts, pictures))
    if sum(itertools.islice(small, PART_LIMIT + 1)) <= PART_LIMIT:
        return ""
    return f"expected at most {PART_LIMIT} chunks, segments or blocks of less than {SMALL_BYTES} bytes; got more"


def without_exif(data: bytes) -> tuple[bytes, bytes]:
    """A JPEG without its EXIF blocks and its index of other pictures, and its EXIF block.

    Other formats stay as they are. The EXIF block is empty for them and where there is none.
    """
    if not data.startswith(JPEG_SIGNATURE) or not (EXIF in data or PICTURE_INDEX in data):
        return data, b""
    extras = [part for part in _jpeg_segments(data) if _is_extra(data, part)]
    exif = b"".join(data[start + 10 : end] for kind, start, end in extras if kind == APP1)
    return _without(data, extras), exif


def orientation(exif: bytes) -> int | None:
    """How a picture is turned, 1 to 8, from an EXIF block. None where that is not told or the block is broken."""
    exif = exif.removeprefix(EXIF)
    try:
        order = {b"II": "<", b"MM": ">"}[exif[:2]]
        (start,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(f"{order}HH", exif, place)
            if tag == 0x0112:
                return int(struct.unpack_from(order + {1: "B", 3: "H", 4: "L"}[kind], exif, place + 8)[0])
    except (struct.error, KeyError):
        pass
    return None


def exif_of(turn: int) -> bytes:
    """An EXIF block that holds an orientation and nothing else."""
    return EXIF + b"MM\0*" + struct.pack(">LHHHLHHL", 8, 1, 0x0112, 3, 1, turn, 0, 0)


def _small_parts(data: bytes) -> Iterator[int]:
    """What each small part of a picture counts."""
    if data.startswith(BMP_SIGNATURE):
        yield _bmp_parts(data)
        return
    for kind, start, end in _parts(data):
        if kind == GIF_COMMENT:
            yield 1 + (end - start) // COMMENT_BYTES
        elif end - start < SMALL_BYTES:
            yield 1


def _parts(data: bytes) -> Iterator[Part]:
    if data.startswith(png.SIGNATURE):
        return png.chunks(data)
    if data.startswith(JPEG_SIGNATURE):
        return _all_jpeg_segments(data)
    return _gif_blocks(data) if data.startswith(GIF_SIGNATURES) else iter(())


def _jpeg_segments(data: bytes) -> Iterator[Part]:
    """The segments before the first scan, as Pillow finds them. Bytes in between are parts too."""
    start = 2
    while start + 2 <= len(data):
        kind = data[start + 1]
        if data[start] != 0xFF or kind in (0x00, 0xFF):
            end = start + 2 if data[start] == 0xFF and kind == 0x00 else start + 1
        elif kind not in MARKERS and kind != 0xFE:
            return
        elif kind in BARE_MARKERS:
            end = start + 2
        else:
            end = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4], "big"))
        yield kind, start, end
        if data[start] == 0xFF and kind == START_OF_SCAN:
            return
        start = end


def _all_jpeg_segments(data: bytes) -> Iterator[Part]:
    """The segments before the first scan, and those from it to the end marker."""
    end = len(data)
    for kind, start, end in _jpeg_segments(data):
        yield kind, start, end
    yield from jpeg.segments(data, end)


def _is_extra(data: bytes, part: Part) -> bool:
    kind, start, _ = part
    if data[start] != 0xFF or kind not in (APP1, APP2):
        return False
    return data.startswith(EXIF if kind == APP1 else PICTURE_INDEX, start + 4)


def _gif_blocks(data: bytes) -> Iterator[Part]:
    """The blocks of the extensions before the first picture. Bytes in between are parts too."""
    start = 13 + (3 * (2 << (data[10] & 7)) if len(data) > 10 and data[10] & 0x80 else 0)
    while start < len(data) and data[start] not in b",;":
        if data[start] != ord("!"):
            yield 0, start, start + 1
            start += 1
            continue
        kind = GIF_COMMENT if data[start + 1 : start + 2] == GIF_COMMENT else b"!"
        start += 2
        while start < len(data):
            end = start + 1 + data[start]
            yield kind, start, min(end, start + SMALL_BYTES - 1)
            start, ended = end, data[start] == 0
            if ended:
                break


def _bmp_parts(data: bytes) -> int:
    """As how many small parts a BMP counts: by its bytes and pixels if it is compressed by run lengths."""
    if len(data) < 34 or int.from_bytes(data[30:34], "little") not in BMP_RUNS:
        return 0
    width, height = struct.unpack_from("<ii", data, 18)
    return len(data) // RUN_BYTES + abs(width * height) // RUN_PIXELS


def _without(data: bytes, parts: Iterable[Part]) -> bytes:
    """The bytes outside of some parts, which come in their order."""
    kept, start = [], 0
    for _, part_start, part_end in parts:
        kept.append(data[start:part_start])
        start = part_end
    return b"".join([*kept, data[start:]])
