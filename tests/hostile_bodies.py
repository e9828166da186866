"""Requests of at most 1 MiB that were made to cost much, by kind, for the tests and the benchmark of the service."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from urllib.parse import quote_from_bytes

from PIL import Image

from tests.hostile import SIGNATURE, chunk, encoded

LIMIT = 2**20  # bytes of a body
SIZE = (100, 60)
BOUNDARY = "boundary"
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image_file"; filename="a"\r\n\r\n'.encode()
TAIL = f"--{BOUNDARY}--\r\n".encode()


@dataclass(frozen=True)
class Body:
    """What a client sends: body, type, and how the rest of the request is odd."""

    data: bytes
    content_type: str = f"multipart/form-data; boundary={BOUNDARY}"
    path: str = "/b"
    headers: list[tuple[str, str]] = field(default_factory=list)


def form(pictures: Iterable[bytes]) -> Body:
    """A form of pictures, as many as fit."""
    parts, size = [], len(TAIL)
    for picture in pictures:
        part = HEAD + picture + b"\r\n"
        size += len(part)
        if size > LIMIT:
            break
        parts.append(part)
    assert parts
    return Body(b"".join(parts) + TAIL)


def picture(data: bytes) -> Body:
    assert len(data) <= LIMIT
    return Body(data, "image/png")


def fill(head: bytes, part: bytes, tail: bytes = b"", limit: int = LIMIT) -> bytes:
    """`head`, as many of a part as fit, and `tail`."""
    return head + part * ((limit - len(head) - len(tail)) // len(part)) + tail


# PNG: 100 pictures share what a request has, or one takes all.


def png(*before: bytes, after: bytes = b"", size: tuple[int, int] = SIZE, kind: int = 0, depth: int = 8) -> bytes:
    """A PNG of one colour with chunks before and after its pixels."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    rows = zlib.compress(bytes((1 + size[0] * channels * depth // 8) * size[1]), 9)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 0))
    return SIGNATURE + head + b"".join(before) + chunk(b"IDAT", rows) + after + chunk(b"IEND", b"")


def full_png(part: bytes, after: bool = False) -> bytes:
    """A PNG of as many of a chunk as fit."""
    room = (LIMIT - len(png())) // len(part)
    return png(after=part * room) if after else png(part * room)


def many_png(part: bytes, room: int = LIMIT // 99) -> Body:
    """99 PNGs, each with as many of a chunk as fit."""
    parts = part * ((room - len(png()) - len(HEAD) - 4) // len(part))
    return form([png(parts)] * 99)


def deflated(size: int) -> bytes:
    return zlib.compress(bytes(size).replace(b"\0", b"a"), 9)


def ztxt(size: int) -> bytes:
    return chunk(b"zTXt", b"a\0\0" + deflated(size))


def itxt(size: int) -> bytes:
    return chunk(b"iTXt", b"a\0\1\0\0\0" + deflated(size))


def iccp(size: int) -> bytes:
    return chunk(b"iCCP", b"a\0\0" + deflated(size))


def empty_rows() -> bytes:
    """A PNG whose pixels come after as many empty parts of them as fit."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 8, 0, 0, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes((SIZE[0] + 1) * SIZE[1])))
    return fill(SIGNATURE + head, chunk(b"IDAT", b""), rows + chunk(b"IEND", b""))


def animated_png(blank: bool) -> bytes:
    """An animation of as many frames as fit."""
    rows = zlib.compress(bytes((SIZE[0] + 1) * SIZE[1]), 9)
    frames, number = [], 1
    control = struct.pack(">IIIIHHBB", *SIZE, 0, 0, 1, 10, 0, 0)
    first = chunk(b"fcTL", struct.pack(">I", 0) + control) + chunk(b"IDAT", rows)
    size = 200 + len(first)
    while size < LIMIT - 200:
        frame = chunk(b"fcTL", struct.pack(">I", number) + control)
        frame += chunk(b"fdAT", struct.pack(">I", number + 1) + (rows if blank else b""))
        frames.append(frame)
        size, number = size + len(frame), number + 2
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *SIZE, 8, 0, 0, 0, 0))
    count = chunk(b"acTL", struct.pack(">II", len(frames) + 1, 0))
    return SIGNATURE + head + count + first + b"".join(frames) + chunk(b"IEND", b"")


def interlaced_png(side: int) -> bytes:
    """A square PNG of RGBA, 16 bits, whose pixels come in seven passes."""
    steps = ((8, 8, 0, 0), (8, 8, 4, 0), (4, 8, 0, 4), (4, 4, 2, 0), (2, 4, 0, 2), (2, 2, 1, 0), (1, 2, 0, 1))
    room = sum((1 + 8 * -((left - side) // right)) * -((top - side) // down) for right, down, left, top in steps)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 1))
    return SIGNATURE + head + chunk(b"IDAT", zlib.compress(bytes(room), 9)) + chunk(b"IEND", b"")


def blank_png_frames(side: int, count: int) -> bytes:
    """A square animation of blank frames, RGBA of 16 bits. Each is put on those before and cleared afterwards."""
    rows = zlib.compress(bytes((1 + 8 * side) * side), 9)
    control = struct.pack(">IIIIHHBB", side, side, 0, 0, 1, 10, 1, 1)
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 16, 6, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", count, 0))
    data += chunk(b"fcTL", struct.pack(">I", 0) + control) + chunk(b"IDAT", rows)
    for number in range(1, 2 * count - 1, 2):
        data += chunk(b"fcTL", struct.pack(">I", number) + control)
        data += chunk(b"fdAT", struct.pack(">I", number + 1) + rows)
    return data + chunk(b"IEND", b"")


def clear_colour_png(side: int) -> bytes:
    """A square PNG of RGB, 16 bits, all of the colour that is transparent."""
    return png(chunk(b"tRNS", bytes(6)), size=(side, side), kind=2, depth=16)


# EXIF: a table whose entries all point to the same bytes.


def overlapping_exif(size: int, entries: int, kind: int = 1) -> bytes:
    """An EXIF block of so many bytes, each entry of which has half of them as its value."""
    width = {1: 1, 3: 2, 5: 8}[kind]
    value = max(8, size - 8 - 6 - 12 * entries)
    table = b"".join(
        struct.pack("<HHLL", 1000 + number, kind, value // width, 14 + 12 * entries) for number in range(entries)
    )
    return b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", entries) + table + bytes(4) + bytes(value)


def turned_exif(size: int, kind: int) -> bytes:
    """An EXIF block that turns the picture and has one long value."""
    width = {3: 2, 5: 8}[kind]
    value = size - 40
    table = struct.pack("<HHLL", 0x0112, 3, 1, 6) + struct.pack("<HHLL", 0x9999, kind, value // width, 38)
    return b"II*\0" + struct.pack("<L", 8) + struct.pack("<H", 2) + table + bytes(4) + bytes([1]) * value


def jpeg(*segments: bytes, size: tuple[int, int] = SIZE, mode: str = "L", **options: object) -> bytes:
    """A JPEG with segments before its own."""
    data = encoded(Image.new(mode, size), "JPEG", **options)
    return data[:2] + b"".join(segments) + data[2:]


def segment(marker: int, data: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def full_jpeg(part: bytes) -> bytes:
    return jpeg(part * ((LIMIT - len(jpeg())) // len(part)))


def exif_jpeg(exif: bytes) -> bytes:
    """A JPEG with an EXIF block in as many segments as it takes."""
    return without_jfif(*(segment(0xE1, b"Exif\0\0" + exif[at : at + 65_000]) for at in range(0, len(exif), 65_000)))


def without_jfif(*segments: bytes) -> bytes:
    data = jpeg()
    (length,) = struct.unpack(">H", data[4:6])  # of the JFIF segment, whose resolution would end the search
    return data[:2] + b"".join(segments) + data[4 + length :]


def multi_picture(size: int, entries: int) -> bytes:
    return jpeg(segment(0xE2, b"MPF\0" + overlapping_exif(size, entries)))


def scans(size: tuple[int, int], count: int, mode: str = "L") -> bytes:
    """A progressive JPEG with its last scan again and again."""
    data = encoded(Image.new(mode, size, 127), "JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return fill(data[:-2], last, data[-2:], min(LIMIT, len(data) + len(last) * count))


def endless(data: bytes) -> bytes:
    """A JPEG without its end marker. All of its pixels are there."""
    return data[:-2]


# GIF


def gif(*blocks: bytes, size: tuple[int, int] = SIZE) -> bytes:
    """A GIF of one colour with blocks before its pixels."""
    data = encoded(Image.new("L", size), "GIF")
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    return data[:at] + b"".join(blocks) + data[at:]


def full_gif(part: bytes) -> bytes:
    return gif(part * ((LIMIT - len(gif())) // len(part)))


def long_comment(block: int) -> bytes:
    """A comment in blocks of so many bytes."""
    room = LIMIT - len(gif()) - 3
    return gif(b"!\xfe" + (bytes([block]) + b"a" * block) * (room // (block + 1)) + b"\0")


def animated_gif() -> bytes:
    data = gif()
    at = data.index(b",", 13 + 3 * (2 << (data[10] & 7)))
    return fill(data[:at], data[at:-1], b";")


def gif_image(size: tuple[int, int]) -> bytes:
    """The image of a GIF frame."""
    data = gif(size=size)
    return data[data.index(b",", 13 + 3 * (2 << (data[10] & 7))) : -1]


def blank_gif_frames(size: tuple[int, int], count: int, screen: tuple[int, int] | None = None) -> bytes:
    """Blank frames, each of which is taken away again. A screen smaller than them is that of the first."""
    screen = screen or size
    control = b"!\xf9\4" + struct.pack("<BHB", 3 << 2 | 1, 5, 9) + b"\0"
    return gif(control, size=screen)[:-1] + (control + gif_image(size)) * (count - 1) + b";"


def part_of_screen() -> bytes:
    """4 million pixels on a screen that has a row more."""
    data = bytearray(gif(size=(2048, 2047)))
    data[6:10] = struct.pack("<HH", 2048, 2048)
    return bytes(data)


def many_gif_frames() -> bytes:
    """As many frames of a pixel as fit."""
    return fill(gif(size=(1, 1))[:-1], gif_image((1, 1)), b";")


def gif_blocks_of_a_byte() -> bytes:
    """Two blank frames, the second of which has what follows its pixels in blocks of a byte."""
    image = gif_image(SIZE)
    return fill(gif()[:-1] + image[:-1], b"\1\0", b"\0;")


# BMP


def bmp(bits: int, size: tuple[int, int], compression: int, colours: int, data: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, *size, 1, bits, compression, 0, 0, 0, colours, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(data), 0, 0, 54) + head + data


def run_length(size: tuple[int, int], part: bytes) -> bytes:
    palette = bytes(range(256)) * 4
    return fill(bmp(8, size, 1, 256, palette), part)


# JSON, forms of texts


def json_picture(text: str) -> Body:
    return Body(json.dumps({"image": text}).encode(), "application/json")


def raw_json(head: bytes, part: bytes, tail: bytes) -> Body:
    return Body(fill(head, part, tail), "application/json")


def url_encoded(part: bytes, head: bytes = b"") -> Body:
    return Body(fill(head, part), "application/x-www-form-urlencoded")


def small_parts(part: bytes, tail: bytes = TAIL) -> Body:
    return Body(fill(b"", part, tail))


def part_of_headers(part: bytes) -> Body:
    head = HEAD.removesuffix(b"\r\n")
    return Body(fill(head, part, b"\r\n\r\nx\r\n" + TAIL))


def large(kind: str, mode: str, **options: object) -> bytes:
    """2048 x 2048 pixels, all that a request may have."""
    return encoded(Image.new(mode, (2048, 2048)), kind, **options)


def noise(kind: str, mode: str, side: int, **options: object) -> bytes:
    """Pixels without order, in a file that fits."""
    picture = Image.effect_noise((side, side), 100).convert(mode)
    return encoded(picture, kind, **options)


def animated_webp() -> bytes:
    frames = [Image.new("RGB", (16, 16), (number, 0, 0)) for number in range(256)] * 20
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], quality=1)


def blank_webp_frames(side: int, count: int) -> bytes:
    frames = [Image.new("RGBA", (side, side), (255 - number,) * 4) for number in range(count)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def riff(*chunks: bytes) -> bytes:
    """A WebP with chunks after its own."""
    data = encoded(Image.new("RGB", SIZE), "WEBP")
    content = b"WEBP" + b"VP8X" + struct.pack("<IB3x", 10, 0) + u24(SIZE[0] - 1) + u24(SIZE[1] - 1)
    content += data[12:] + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def u24(value: int) -> bytes:
    return struct.pack("<I", value)[:3]


def exif_webp(exif: bytes) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", SIZE).save(file, "WEBP", exif=exif)
    return file.getvalue()


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


PLAIN = png()

KINDS: dict[str, Callable[[], Body]] = {
    "100 pictures and nothing odd, for comparison": lambda: form([PLAIN] * 100),
    "PNG: zTXt chunks of 1 MiB in 16 pictures": lambda: form([png(ztxt(2**20 - 1) * 62)] * 16),
    "PNG: zTXt chunks of 1 MiB in one": lambda: picture(full_png(ztxt(2**20 - 1))),
    "PNG: zTXt chunks of 65,535 bytes in 99 pictures": lambda: many_png(ztxt(65_535)),
    "PNG: zTXt chunks of 256 KiB in all in 99 pictures": lambda: form([png(ztxt(65_535) * 4)] * 99),
    "PNG: iTXt chunks of 65,535 bytes in 99 pictures": lambda: many_png(itxt(65_535)),
    "PNG: iTXt chunks after the pixels": lambda: picture(full_png(itxt(65_535), after=True)),
    "PNG: iCCP chunks of 1 MiB": lambda: picture(full_png(iccp(2**20 - 1))),
    "PNG: iCCP chunks of 65,535 bytes": lambda: picture(full_png(iccp(65_535))),
    "PNG: iCCP chunks of 65,535 bytes in 99 pictures": lambda: many_png(iccp(65_535)),
    "PNG: empty tEXt chunks": lambda: picture(full_png(chunk(b"tEXt", b"a\0"))),
    "PNG: empty tEXt chunks in 99 pictures": lambda: many_png(chunk(b"tEXt", b"a\0")),
    "PNG: tEXt chunk of 1 MiB": lambda: picture(png(chunk(b"tEXt", b"a\0" + b"a" * (LIMIT - 500)))),
    "PNG: unknown chunks": lambda: picture(full_png(chunk(b"abCd", b""))),
    "PNG: unknown chunks after the pixels": lambda: picture(full_png(chunk(b"abCd", b""), after=True)),
    "PNG: unknown chunks in 99 pictures": lambda: many_png(chunk(b"abCd", b"")),
    "PNG: palettes": lambda: picture(full_png(chunk(b"PLTE", bytes(3)))),
    "PNG: eXIf chunks": lambda: picture(full_png(chunk(b"eXIf", b"II*\0\x08\0\0\0\0\0"))),
    "PNG: eXIf chunk of values that overlap": lambda: picture(
        png(chunk(b"eXIf", overlapping_exif(LIMIT - 500, 20_000)))
    ),
    "PNG: eXIf chunk of values that overlap, small, in 99 pictures": lambda: form(
        [png(chunk(b"eXIf", overlapping_exif(9_500, 350)))] * 99
    ),
    "PNG: eXIf chunk that turns the picture, 500,000 numbers": lambda: picture(
        png(chunk(b"eXIf", turned_exif(LIMIT - 500, 3)))
    ),
    "PNG: eXIf chunk that turns the picture, 130,000 fractions": lambda: picture(
        png(chunk(b"eXIf", turned_exif(LIMIT - 500, 5)))
    ),
    "PNG: empty parts of pixels": lambda: picture(empty_rows()),
    "PNG: 4 million pixels of RGBA, 16 bits": lambda: picture(png(size=(2048, 2048), kind=6, depth=16)),
    "PNG: 4 million pixels of RGBA, 16 bits, in 99 pictures": lambda: form(
        [png(size=(205, 205), kind=6, depth=16)] * 99
    ),
    "PNG: 4 million pixels of RGBA, 16 bits, interlaced": lambda: picture(interlaced_png(2048)),
    "PNG: 4 million pixels of RGB, 16 bits, one colour transparent": lambda: picture(clear_colour_png(2048)),
    "PNG: 2 million pixels of RGB, 16 bits, one colour transparent": lambda: picture(clear_colour_png(1448)),
    "PNG: 4 million pixels of grey and alpha": lambda: picture(png(size=(2048, 2048), kind=4)),
    "PNG: 4 million pixels of grey, 16 bits": lambda: picture(png(size=(2048, 2048), depth=16)),
    "PNG: animation of empty frames": lambda: picture(animated_png(blank=False)),
    "PNG: animation of blank frames": lambda: picture(animated_png(blank=True)),
    "PNG: 2 blank frames of 4 million pixels, 16 bits": lambda: picture(blank_png_frames(2048, 2)),
    "PNG: 2 blank frames of a million pixels, 16 bits": lambda: picture(blank_png_frames(1121, 2)),
    "PNG: 6 blank frames of 480,000 pixels, 16 bits": lambda: picture(blank_png_frames(695, 6)),
    "PNG: 2 blank frames in 99 pictures": lambda: form([blank_png_frames(112, 2)] * 99),
    "JPEG: empty segments": lambda: picture(full_jpeg(segment(0xE5))),
    "JPEG: empty comments": lambda: picture(full_jpeg(segment(0xFE))),
    "JPEG: empty Huffman tables": lambda: picture(full_jpeg(segment(0xC4))),
    "JPEG: quantisation tables": lambda: picture(full_jpeg(segment(0xDB, bytes(65)))),
    "JPEG: starts of a frame": lambda: picture(full_jpeg(segment(0xC0, b"\x08\0\x3c\0\x64\x01\x01\x11\0"))),
    "JPEG: bytes between segments": lambda: picture(jpeg(segment(0xE5), b"a" * (LIMIT - 2_000))),
    "JPEG: padding between segments": lambda: picture(full_jpeg(b"\xff")),
    "JPEG: EXIF segments of a byte": lambda: picture(full_jpeg(segment(0xE1, b"Exif\0\0a"))),
    "JPEG: EXIF of values that overlap": lambda: picture(exif_jpeg(overlapping_exif(900_000, 20_000))),
    "JPEG: EXIF of values that overlap, in 16 pictures": lambda: form(
        [exif_jpeg(overlapping_exif(60_000, 2_500))] * 16
    ),
    "JPEG: index of several pictures whose values overlap": lambda: picture(multi_picture(65_000, 2_700)),
    "JPEG: Photoshop resources": lambda: picture(
        full_jpeg(segment(0xED, b"Photoshop 3.0\0" + b"8BIM\0\1\0\0\0\0\0\0" * 5_000))
    ),
    "JPEG: 50 scans of 4 million pixels": lambda: picture(scans((2048, 2048), 40)),
    "JPEG: 50 scans of 4 million pixels in colour": lambda: picture(scans((2048, 2048), 40, "RGB")),
    "JPEG: 100 scans of 4 million pixels": lambda: picture(scans((2048, 2048), 90)),
    "JPEG: 100 scans in 99 pictures": lambda: form([scans((290, 144), 90)] * 99),
    "JPEG: 4 million pixels in 50 scans, without an end": lambda: picture(endless(scans((2048, 2048), 40, "RGB"))),
    "JPEG: 1.5 million pixels in 16 scans, without an end": lambda: picture(endless(scans((1254, 1254), 6, "RGB"))),
    "JPEG: 50 scans without an end in 99 pictures": lambda: form([endless(scans((205, 205), 40, "RGB"))] * 99),
    "JPEG: 16 scans without an end in 99 pictures": lambda: form([endless(scans((126, 126), 6, "RGB"))] * 99),
    "JPEG: comments after the pixels, without an end": lambda: picture(fill(endless(jpeg()), segment(0xFE))),
    "JPEG: 4 million pixels of CMYK": lambda: picture(large("JPEG", "CMYK", progressive=True)),
    "JPEG: 4 million pixels of noise": lambda: picture(noise("JPEG", "RGB", 1600, quality=10, subsampling=0)),
    "GIF: empty comments": lambda: picture(full_gif(b"!\xfe\0")),
    "GIF: comments of a byte": lambda: picture(full_gif(b"!\xfe\1a\0")),
    "GIF: comment in blocks of a byte": lambda: picture(long_comment(1)),
    "GIF: comment in blocks of 255 bytes": lambda: picture(long_comment(255)),
    "GIF: unknown extensions": lambda: picture(full_gif(b"!\x01\0")),
    "GIF: bytes between blocks": lambda: picture(full_gif(b"\0")),
    "GIF: thousands of blank frames": lambda: picture(animated_gif()),
    "GIF: 4 million pixels": lambda: picture(large("GIF", "P")),
    "GIF: 4 million pixels on a larger screen": lambda: picture(part_of_screen()),
    "GIF: 2 blank frames of 4 million pixels": lambda: picture(blank_gif_frames((2048, 2048), 2)),
    "GIF: 2 blank frames of 2 million pixels": lambda: picture(blank_gif_frames((1448, 1448), 2)),
    "GIF: 30 blank frames of 100,000 pixels": lambda: picture(blank_gif_frames((326, 326), 30)),
    "GIF: 30 blank frames of 4 million pixels on a small screen": lambda: picture(
        blank_gif_frames((2048, 2048), 30, (1, 1))
    ),
    "GIF: 2 blank frames in 99 pictures": lambda: form([blank_gif_frames((145, 145), 2)] * 99),
    "GIF: frames of a pixel": lambda: picture(many_gif_frames()),
    "GIF: blank frame in blocks of a byte": lambda: picture(gif_blocks_of_a_byte()),
    "BMP: 65,536 colours in 100 pictures": lambda: form([bmp(8, SIZE, 0, 65_536, b"\1\2\3\0")] * 100),
    "BMP: runs of a pixel": lambda: picture(run_length((2048, 2048), b"\1\1")),
    "BMP: lines of a pixel": lambda: picture(run_length((2048, 2048), b"\1\1\0\0")),
    "BMP: ends of line": lambda: picture(run_length((2048, 2048), b"\0\0")),
    "WebP: 4 million pixels": lambda: picture(large("WEBP", "RGB")),
    "WebP: 4 million pixels with alpha, lossless": lambda: picture(large("WEBP", "RGBA", lossless=True)),
    "WebP: noise": lambda: picture(noise("WEBP", "RGB", 1400, quality=10)),
    "WebP: lossless noise": lambda: picture(noise("WEBP", "RGB", 800, lossless=True)),
    "WebP: animation": lambda: picture(animated_webp()),
    "WebP: 3 blank frames of 2 million pixels": lambda: picture(blank_webp_frames(1448, 3)),
    "WebP: 2 blank frames of a million pixels": lambda: picture(blank_webp_frames(1024, 2)),
    "WebP: unknown chunks": lambda: picture(riff(fill(b"", b"abcd\0\0\0\0", limit=LIMIT - 2_000))),
    "WebP: EXIF of values that overlap": lambda: picture(exif_webp(overlapping_exif(900_000, 20_000))),
    "WebP: EXIF that turns the picture, 100,000 fractions": lambda: picture(exif_webp(turned_exif(900_000, 5))),
    "JSON: deep": lambda: raw_json(b'{"image":', b"[", b""),
    "JSON: deep, closed": lambda: Body(b"[" * 500_000 + b"]" * 500_000, "application/json"),
    "JSON: wide list": lambda: raw_json(b'{"image":[', b'"",', b'""]}'),
    "JSON: wide list of lists": lambda: raw_json(b'{"image":[', b"[],", b"[]]}"),
    "JSON: wide list of objects": lambda: raw_json(b'{"image":[', b'{"":0},', b"{}]}"),
    "JSON: many keys": lambda: Body(
        b"{" + b",".join(b'"%x":0' % number for number in range(90_000)) + b"}", "application/json"
    ),
    "JSON: a number of a million digits": lambda: raw_json(b'{"min_confidence":', b"9", b"}"),
    "JSON: fractions": lambda: raw_json(b"[", b"1e1,", b"1]"),
    "JSON: escapes": lambda: raw_json(b'{"image":"', b"\\u0041", b'"}'),
    "JSON: base64 with blanks": lambda: raw_json(b'{"image":"', b"A ", b'"}'),
    "JSON: data URL of escapes": lambda: raw_json(b'{"image":"data:image/png,', b"%e9", b'"}'),
    "JSON: data URL of escaped base64": lambda: raw_json(b'{"image":"data:image/png;base64,', b"%41", b'"}'),
    "JSON: data URL, many parameters": lambda: raw_json(b'{"image":"data:', b";a=b", b',"}'),
    "JSON: PNG of unknown chunks in a data URL": lambda: json_picture(
        "data:image/png," + quote_from_bytes(png(chunk(b"abCd", b"") * 20_000))[: LIMIT - 100]
    ),
    "JSON: 100 PNGs of unknown chunks in base64": lambda: Body(
        json.dumps({"image": [base64_text(png(chunk(b"abCd", b"") * 610))] * 99}).encode(), "application/json"
    ),
    "form: many fields, urlencoded": lambda: url_encoded(b"a&"),
    "form: many named fields, urlencoded": lambda: url_encoded(b"a=b&"),
    "form: many fields without name, urlencoded": lambda: url_encoded(b"&"),
    "form: escapes, urlencoded": lambda: url_encoded(b"%e9"),
    "form: escapes in a picture's field, urlencoded": lambda: url_encoded(b"%e9", b"image_file="),
    "form: escapes in names, urlencoded": lambda: url_encoded(b"%e9=%e9&"),
    "form: plus signs, urlencoded": lambda: url_encoded(b"+", b"image_file="),
    "form: many small parts": lambda: small_parts(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'.encode()
    ),
    "form: many small files": lambda: small_parts(HEAD + b"\r\n"),
    "form: many small files, no end": lambda: small_parts(HEAD + b"\r\n", b""),
    "form: a part of many headers": lambda: part_of_headers(b"\r\na:"),
    "form: a part of long headers": lambda: part_of_headers(b"\r\na: " + b"b" * 200),
    "form: a name of many parameters": lambda: part_of_headers(b"; a=b"),
    "form: a name of many pieces": lambda: part_of_headers(b"; a*0=b"),
    "form: a header in many lines": lambda: part_of_headers(b"\r\n b"),
    "form: beginnings of the boundary": lambda: Body(fill(HEAD, b"\r\n--boundar", TAIL)),
    "form: the boundary within lines": lambda: Body(fill(HEAD, b"x--boundary", TAIL)),
    "form: line ends": lambda: Body(fill(HEAD, b"\r", TAIL)),
    "form: text before the first part": lambda: Body(fill(b"", b"--x\r\n", HEAD + b"x\r\n" + TAIL)),
    "form: wrong boundary": lambda: Body(fill(b"", b"--other\r\n", b"")),
    "form: a text of 1 MiB": lambda: Body(fill(HEAD.replace(b'; filename="a"', b""), b"\xe9", b"\r\n" + TAIL)),
    "address: many parameters": lambda: Body(PLAIN, "image/png", "/b?" + "a&" * 32_000),
    "address: escapes": lambda: Body(PLAIN, "image/png", "/b?min_confidence=" + "%e9" * 21_000),
    "address: an escaped model": lambda: Body(PLAIN, "image/png", "/b/" + "%e9" * 21_000),
    "headers: many": lambda: Body(PLAIN, "image/png", headers=[(f"a{number}", "") for number in range(7_000)]),
    "headers: many of one name": lambda: Body(PLAIN, "image/png", headers=[("a", "b")] * 10_000),
    "headers: a type of many parameters": lambda: Body(PLAIN, "multipart/form-data" + ";a=b" * 16_000),
}
