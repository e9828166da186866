"""Decode pictures to arrays. Every picture is opened here."""

import io
import math
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageOps, UnidentifiedImageError

from cnnlib.codec import gif, jpeg, png
from cnnlib.codec.budget import Budget, weight
from cnnlib.codec.picture_parts import exif_of, orientation, parts_fault, without_exif
from cnnlib.core.errors import SampleError, SizeError
from cnnlib.core.printable import excerpt, is_obeyed

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")  # also file suffixes
FILE_LIMIT_BYTES = 64 * 2**20
SIDE_LIMIT = 4096  # pixels
LARGE_SCAN_LIMIT = 50  # in a JPEG of as many pixels as may be
SCAN_LIMIT = 100  # in a progressive JPEG: each scan costs a pass over the picture, and ten are usual
END_PIXELS = 4 * 2**20  # that are decoded to find out whether a JPEG lacks more than its end marker
END_TRIES = 4  # decodings that this takes at least
FRAME_LIMIT = 30  # frames of an animation that are looked through for one that is not blank
FRAME_WEIGHT = 2  # of a pixel of further frames: they are put on each other, which takes as long as decoding
FRAMES = "frames"  # key of Picture.info: how many frames an animation has, all blank as far as they were looked at
CONTENT_SIDE = 512  # pixels of the longer side of a picture in which its content is looked for
CONTENT_DISTANCE = 48  # of a pixel from the colour of the ground, in any channel, from which on it is content
STRAY_PIXELS = 1  # in a row or column, which are no content
BAND_PIXELS = 2**14  # converted at a time; they fit into a cache of the processor
COLOUR_DISTANCE = 24  # between a pixel's channels, 0 to 255; the greys of a JPEG stay below
COLOUR_SHARE = 0.002  # of a picture's pixels that are not grey; above it the picture is coloured
HEAD_BYTES = 1000  # of a file, by which its kind is known
SHOWN_CHARACTERS = 40  # of a text that was given for a picture
ADDRESS = rb"\s*(https?|ftp|file|blob):/"  # of a picture somewhere else; a Path drops the second slash
OTHER_KINDS = (  # of files that are given for pictures, by how they begin
    (ADDRESS, "an address; send or open the picture itself"),
    (rb"\s*data:", "a data URL; decode its base64 first"),
    (rb"(iVBORw0KGgo|/9j/|R0lGOD|UklGR)[\w+/-]{20}", "base64; decode it first"),
    (rb"[\xef\xbb\xbf\s]*(<[!?][^>]*>\s*)*<svg\b", "SVG; save it as PNG"),
    (
        rb"[\xef\xbb\xbf\s]*(<[!?][^>]*>\s*)*(<!doctype html|<(html|head|body|title|script|meta|h1|p|div)\b)",
        "HTML, a web page, perhaps one to log in or of an error",
    ),
    (rb"[\xef\xbb\xbf\s]*<\?xml\b", "XML"),
    (rb"[\xef\xbb\xbf\s]*(\{\s*[\"}]|\[\s*[\[{\"\d\]])", "JSON"),
    (rb"II\*\x00|MM\x00\*", "TIFF; save it as PNG"),
    (rb".{4}ftypavi[fs]", "AVIF; save it as PNG"),
    (rb".{4}ftyp(hei|hev|mif1|msf1)", "HEIC; save it as PNG"),
    (rb"\x00\x00\x01\x00", "an icon (ICO); save it as PNG"),
    (rb"%PDF-", "PDF; save the picture in it as PNG"),
    (rb"\x1f\x8b", "gzip; unpack it first"),
    (rb"PK\x03\x04", "a zip file; unpack it first"),
    (rb"\x89PNG", "a PNG that was damaged on its way, as by a change of line ends; send its bytes as they are"),
)

warnings.filterwarnings("ignore", module="PIL")  # faults of a picture are raised as SampleError


@dataclass(frozen=True)
class Shape:
    """Size of a picture: height and width in pixels, channels 1 (grey) or 3 (colour).

    `resize` says whether pictures of another size are resized or refused.
    """

    height: int
    width: int
    channels: int = 1
    resize: bool = False

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def read_picture(path: Path) -> bytes:
    """The bytes of a file. Raises SampleError when it can't be read or is larger than `FILE_LIMIT_BYTES`."""
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT_BYTES:
            raise SampleError(f"expected a file of at most {FILE_LIMIT_BYTES} bytes; got {size}")
        return path.read_bytes()
    except OSError as error:
        raise SampleError(f"can't be read: {error.strerror}") from error


def open_picture(data: bytes, shape: Shape) -> np.ndarray:
    """Decode one picture.

    Returns uint8 (height, width, channels), 0 to 255. Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    Transparent parts are white.
    Raises SampleError when `data` is not a PNG, JPEG, GIF, BMP or WebP, or is truncated. Raises SizeError, a kind of
    SampleError, when the picture has another size and `shape` does not resize.
    """
    return to_array(decode_picture(data), shape)


def decode_picture(data: bytes, pixel_limit: int = SIDE_LIMIT**2) -> Image.Image:
    """The picture as browsers show it, fully decoded and turned upright; of an animation the first frame.

    A first frame of one colour gives way to the first that has more. If none has, `info[FRAMES]` is their number.
    Raises SampleError when `data` is not a PNG, JPEG, GIF, BMP or WebP, is damaged, or is truncated. Also, before
    decoding, when a side is longer than `SIDE_LIMIT` or there are more than `pixel_limit` pixels (half of them in a
    WebP), `SCAN_LIMIT` scans or `PART_LIMIT` small parts. What has to be decoded several times may have fewer pixels,
    as `Budget` says.
    """
    if fault := parts_fault([data]):
        raise SampleError(fault)
    data, exif = without_exif(data)
    try:
        budget = Budget(pixel_limit)
        picture = _first_shown(_decode_still(data, budget), data, budget)
        _reduce_exif(picture, exif)
        _turn_upright(picture)
        return picture
    except SampleError:
        raise
    except UnidentifiedImageError as error:
        raise SampleError(_unidentified(data)) from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise SampleError(f"can't be decoded: {error}") from error


def suffix_of(data: bytes) -> str:
    """The suffix of a picture's format, in lower case. Raises SampleError when `data` is no picture."""
    try:
        essential, _ = without_exif(data)  # as in `decode_picture`: what it passes over is no fault here either
        if essential.startswith(png.SIGNATURE):
            essential = png.without_extras(essential)
        with Image.open(io.BytesIO(essential), formats=FORMATS) as picture:
            return sys.intern({"JPEG": "jpg", "MPO": "jpg"}.get(str(picture.format), str(picture.format).lower()))
    except Exception as error:  # of many kinds, as in `decode_picture`
        raise SampleError(_no_picture(data)) from error


def _decode_still(data: bytes, budget: Budget) -> Image.Image:
    """The first frame, decoded. Raises as `decode_picture` does, and what Pillow raises."""
    if data.startswith(png.SIGNATURE):
        data = png.without_extras(data)
    picture = _open(data, budget)
    if picture.format in ("JPEG", "MPO") and jpeg.lacks_end(data):
        return _decode_endless_jpeg(picture, data, budget)
    box = gif.place_of_first(picture)
    budget.load(picture)
    if box and box != (0, 0, *picture.size):
        return _like(gif.on_screen(picture, box), picture)
    if picture.format == "PNG" and png.is_16_bit_rgb(data) and "transparency" in picture.info:
        budget.take(picture, "a PNG of 16-bit RGB with a transparent colour", passes=3, done=1)  # to compare is one
        picture.putalpha(png.opacity_of_16_bit_rgb(data, picture, picture.info.pop("transparency")))
    _make_opaque(picture)
    return picture


def _open(data: bytes, budget: Budget) -> Image.Image:
    """A picture that is not decoded yet. Raises SampleError when that would take too long."""
    picture = Image.open(io.BytesIO(data), formats=FORMATS)
    limit = budget.pixel_limit // weight(picture)
    if max(picture.size) > SIDE_LIMIT:
        raise SampleError(f"expected sides of at most {SIDE_LIMIT} pixels; got {picture.width}x{picture.height}")
    if picture.width * picture.height > limit:
        raise SampleError(f"expected at most {limit} pixels; got {picture.width}x{picture.height}")
    if picture.format in ("JPEG", "MPO"):
        _check_scans(picture, data, limit)
    return picture


def _check_scans(picture: Image.Image, data: bytes, pixel_limit: int, passes: int = 1) -> None:
    """Raise SampleError when a JPEG has so many scans that decoding it in some passes would take too long."""
    scans, limit = data.count(jpeg.START_OF_SCAN), min(SCAN_LIMIT, _scans(picture, pixel_limit) // passes)
    if scans > limit:
        raise SampleError(f"expected a JPEG of at most {limit} scans; got {scans}")


def _scans(picture: Image.Image, pixel_limit: int) -> int:
    """How many scans of a JPEG may be decoded, in all its passes."""
    return LARGE_SCAN_LIMIT * pixel_limit // max(1, picture.width * picture.height)


def _decode_endless_jpeg(picture: Image.Image, data: bytes, budget: Budget) -> Image.Image:
    """A JPEG without its end marker, from the opened one. Raises SampleError when pixels are missing, too."""
    tries = _end_tries(picture, data, budget)
    first: Image.Image | None = None
    for ended in islice(jpeg.endings(data), tries):
        picture = _open(ended, budget)
        picture.load()
        if first and ImageChops.difference(first, picture).getbbox(alpha_only=False):
            first = None
            break
        first = first or picture
    if first is None:
        raise SampleError("can't be decoded: image file is truncated: the last pixels of the JPEG are missing")
    return first


def _end_tries(picture: Image.Image, data: bytes, budget: Budget) -> int:
    """How many times a JPEG is decoded to find out whether it lacks pixels; raises SampleError where that is too much.

    They are taken from the budget. A scan counts twice, since making pixels of the scans takes as long.
    """
    scans = max(1, data.count(jpeg.START_OF_SCAN))
    by_scans = _scans(picture, budget.pixel_limit) // (2 * scans)
    by_pixels = END_PIXELS // max(1, picture.width * picture.height)
    tries = max(END_TRIES, min(by_scans, by_pixels, budget.passes(picture)))
    budget.take(picture, "a JPEG without its end marker", passes=tries)
    _check_scans(picture, data, budget.pixel_limit, 2 * tries)
    return tries


def _make_opaque(picture: Image.Image) -> None:
    """Make a BMP opaque whose alpha is 0 throughout: its writer did not mean transparency, and nobody shows it."""
    if picture.format == "BMP" and picture.mode == "RGBA" and not picture.getchannel("A").getbbox():
        picture.putalpha(255)


def _like(shown: Image.Image, picture: Image.Image) -> Image.Image:
    """`shown` with the format of `picture` and what is said about its orientation."""
    shown.format = picture.format
    shown.info = {key: picture.info[key] for key in ("exif", "xmp") if key in picture.info}
    return shown


def _first_shown(picture: Image.Image, data: bytes, budget: Budget) -> Image.Image:
    """The picture, or the first frame of its animation that is not blank, as far as there is one."""
    animated = _is_animated(picture, data)
    if picture.format in ("GIF", "WEBP"):
        picture = _still(picture)
    if not animated:
        return picture
    decoded = 1 if picture.format == "GIF" else 2  # to see the second frame; the others decode the first once more
    if budget.passes(picture) < decoded * _frame_passes(picture) or not is_empty(picture):
        return picture
    with suppress(Exception):  # frames that can't be decoded are no reason to refuse the first one
        for frame in islice(_frames(picture, data, budget), 1, FRAME_LIMIT):
            if not is_empty(frame):
                return _like(frame.copy(), picture)
    picture.info[FRAMES] = _count_frames(picture, data)
    return picture


def _still(picture: Image.Image) -> Image.Image:
    """A copy of the frame that a picture is at. It has no others, so nobody looks for them once more."""
    copy = picture.copy()
    copy.format = picture.format
    return copy


def _frame_passes(picture: Image.Image) -> int:
    """As how many decodings a frame counts: its pixels count twice, as those of a WebP do anyway."""
    return FRAME_WEIGHT // weight(picture)


def _is_animated(picture: Image.Image, data: bytes) -> bool:
    if picture.format == "GIF":
        return sum(1 for _ in islice(gif.frames(data), 2)) > 1
    return getattr(picture, "n_frames", 1) > 1 if picture.format == "WEBP" else png.is_animated(data)


def _count_frames(picture: Image.Image, data: bytes) -> int:
    if picture.format == "GIF":
        return sum(1 for _ in gif.frames(data))
    with suppress(Exception):
        return int(getattr(_open_animation(picture, data), "n_frames", 1))
    return 1


def _open_animation(picture: Image.Image, data: bytes) -> Image.Image:
    """The file of a decoded PNG or WebP, opened once more to look through its frames."""
    content = png.without_extras(data, animated=True) if picture.format == "PNG" else data
    return Image.open(io.BytesIO(content), formats=(str(picture.format),))


def _frames(picture: Image.Image, data: bytes, budget: Budget) -> Iterator[Image.Image]:
    """The frames of an animation, each put on those before it. The next one changes it.

    They end where the budget does. Raises what Pillow raises, EOFError at the end.
    """

    def decode(frame: bytes) -> Image.Image:
        return budget.load(_open(frame, budget), FRAME_WEIGHT)

    if picture.format == "GIF":
        yield from gif.compose(data, picture, decode)
        return
    animation = _open_animation(picture, data)
    for number in range(getattr(animation, "n_frames", 1)):
        animation.seek(number)
        yield budget.load(animation, _frame_passes(animation))


def _unidentified(data: bytes) -> str:
    """Why Pillow can't open a picture: none of the formats, or a broken file of one."""
    for name in FORMATS:
        factory, accepts = Image.OPEN[name]
        if accepts and accepts(data[:16]) is True:
            try:
                factory(io.BytesIO(data), "")
            except Exception as error:  # of many kinds
                return f"can't be decoded: damaged {name}: {error}"
    return _no_picture(data)


def _no_picture(data: bytes) -> str:
    return f"not a PNG, JPEG, GIF, BMP or WebP picture; got {kind_of(data)}"


def is_address(text: bytes) -> bool:
    """Whether a text is the address of a picture on the web or elsewhere."""
    return re.match(ADDRESS, text, re.IGNORECASE) is not None


def kind_of(data: bytes) -> str:
    """What bytes are that are no picture, for a message, with the way out where there is one."""
    head = data[:HEAD_BYTES]
    for beginning, kind in OTHER_KINDS:
        if re.match(beginning, head, re.IGNORECASE | re.DOTALL):
            return kind
    text = data[: 4 * SHOWN_CHARACTERS].decode(errors="replace").rstrip("\ufffd")  # the last character may be cut
    if any(character == "\ufffd" or (is_obeyed(character) and not character.isspace()) for character in text):
        return "bytes of another kind"
    return f'a text, "{excerpt(text.strip(), SHOWN_CHARACTERS)}"' if text.strip() else f"{len(data)} bytes"


def copy_upright(picture: Image.Image) -> Image.Image:
    """An upright copy of an opened picture. Raises SampleError when it can't be decoded or has no pixels."""
    if 0 in picture.size:
        raise SizeError(f"expected a picture of 1 pixel or more; got {picture.width}x{picture.height}")
    try:
        copy = _shown_copy(picture)
        copy.format = picture.format
    except Exception as error:  # of many kinds, as in `decode_picture`
        raise SampleError(f"can't be decoded: {error}") from error
    _make_opaque(copy)
    _turn_upright(copy)
    return copy


def _shown_copy(picture: Image.Image) -> Image.Image:
    """A copy of the frame that an opened picture is at, or, if that is a blank first one, of the next that is not.

    Pillow can't go back in an animated PNG without damage, so its first frame counts.
    """
    copy, is_animated = picture.copy(), getattr(picture, "is_animated", False)
    if not is_animated or picture.format == "PNG" or picture.tell() or not is_empty(copy):
        return copy
    with suppress(Exception):  # frames that can't be decoded are no reason to refuse the first one
        for number in range(1, FRAME_LIMIT):
            picture.seek(number)
            if not is_empty(picture):
                copy = picture.copy()
                break
    picture.seek(0)
    return copy


def _reduce_exif(picture: Image.Image, exif: bytes) -> None:
    """Leave only the orientation of an opened picture's EXIF block, which is `exif` if it was taken out before.

    Values of a block can overlap. Pillow copies all of them: gigabytes from a megabyte.
    """
    profile = picture.info.pop("Raw profile type exif", "")  # of ImageMagick: hexadecimal after three lines
    block = exif or picture.info.pop("exif", b"")
    if not block:
        with suppress(ValueError):
            block = bytes.fromhex("".join(profile.split("\n")[3:]))
    turn = orientation(block)
    if turn is not None:
        picture.info["exif"] = exif_of(turn)


def _turn_upright(picture: Image.Image) -> None:
    with suppress(Exception):  # the orientation can be broken in a picture whose pixels are fine
        ImageOps.exif_transpose(picture, in_place=True)


def encode_picture(picture: Image.Image, suffix: str) -> bytes:
    """The bytes of a picture file in the format of `suffix`."""
    encoded = io.BytesIO()
    picture.save(encoded, Image.registered_extensions()[f".{suffix}"])
    return encoded.getvalue()


def to_array(picture: Image.Image, shape: Shape) -> np.ndarray:
    """Pixels of a picture, uint8 (height, width, channels), 0 to 255. Transparent parts are white.

    Raises SizeError when the picture has another size and `shape` does not resize, SampleError when it can't be
    converted.
    """
    size = (shape.width, shape.height)
    if picture.size != size and not shape.resize:
        raise SizeError(
            f"expected {shape} pixels; got {picture.width}x{picture.height}; "
            'a config with "resize": true takes pictures of every size'
        )
    picture = _flatten(picture).convert("L" if shape.channels == 1 else "RGB")
    pixels = np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR))
    return pixels[:, :, np.newaxis] if shape.channels == 1 else pixels


def frame_content(picture: Image.Image, shape: Shape, margins: Sequence[float]) -> Iterator[np.ndarray]:
    """Pixels as `to_array` gives them, of the picture's content inside each of the margins of its ground.

    The content is all that differs from the colour at the edges. A margin is a share of its sides. The picture may have
    any size. Raises SampleError when it can't be converted.
    """
    flat = _flatten(picture).convert("RGB")
    box, ground = _content(flat)
    content = flat.crop(box)
    for margin in margins:
        height, width = (round(side / (1 + 2 * margin)) for side in (shape.height, shape.width))
        framed = Image.new("RGB", (shape.width, shape.height), ground)
        resized = content.resize((width, height), Image.Resampling.BILINEAR)
        framed.paste(resized, ((shape.width - width) // 2, (shape.height - height) // 2))
        yield to_array(framed, shape)


def _content(picture: Image.Image) -> tuple[tuple[int, int, int, int], tuple[int, ...]]:
    """The box of what differs from the ground of an RGB picture, and the colour of its ground.

    The box is the whole picture where nothing differs.
    """
    small = picture.copy()
    small.thumbnail((CONTENT_SIDE, CONTENT_SIDE), Image.Resampling.BILINEAR)
    pixels = np.asarray(small)
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    ground = np.median(edges, axis=0).astype(int)
    differs = np.abs(pixels - ground).max(axis=2) > CONTENT_DISTANCE
    rows, columns = (np.flatnonzero(differs.sum(axis=axis) > STRAY_PIXELS) for axis in (1, 0))
    if not len(rows) or not len(columns):
        return (0, 0, *picture.size), tuple(ground.tolist())
    x, y = picture.width / small.width, picture.height / small.height
    left, right = int(columns[0] * x), min(picture.width, math.ceil((columns[-1] + 1) * x))
    top, bottom = int(rows[0] * y), min(picture.height, math.ceil((rows[-1] + 1) * y))
    return (left, top, right, bottom), tuple(ground.tolist())


def is_coloured(picture: Image.Image) -> bool:
    """Whether more than a few pixels are not grey. Raises SampleError when the picture can't be converted."""
    if picture.mode in ("1", "L", "LA", "I", "F"):
        return False
    red, green, blue = _flatten(picture).convert("RGB").split()
    highest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    lowest = ImageChops.darker(ImageChops.darker(red, green), blue)
    distances = ImageChops.subtract(highest, lowest).histogram()  # much faster than NumPy along an axis of three
    return sum(distances[COLOUR_DISTANCE + 1 :]) / sum(distances) > COLOUR_SHARE


def is_empty(picture: Image.Image) -> bool:
    """Whether all pixels have the same colour. Raises SampleError when the picture can't be converted."""
    expected = None
    for rows in _flat_rows(picture):
        colours = rows.getcolors(1)  # none when there are more
        if not colours or expected not in (None, colours[0][1]):
            return False
        expected = colours[0][1]
    return True


def describe_empty(picture: Image.Image) -> str:
    """What to say of a picture of one colour; of an animation that its other frames were looked at."""
    text = "Empty picture: all pixels have the same colour, transparent ones count as white"
    frames = picture.info.get(FRAMES, 1)
    looked_at = "no other" if frames <= FRAME_LIMIT else f"none of the next {FRAME_LIMIT - 1}"
    return text if frames == 1 else f"{text}; this is the first of {frames} frames, and {looked_at} shows more"


def _flatten(picture: Image.Image) -> Image.Image:
    """The picture with 8 bits per channel, on white where it is transparent.

    Raises SampleError when it contradicts itself, such as a transparent colour that the palette lacks.
    """
    if picture.width * picture.height <= BAND_PIXELS:
        return next(_flat_rows(picture))
    whole, top = None, 0
    for rows in _flat_rows(picture):
        whole = whole or Image.new("L" if rows.mode == "L" else "RGB", picture.size)
        whole.paste(rows, (0, top))
        top += rows.height
    return whole or picture


def _flat_rows(picture: Image.Image) -> Iterator[Image.Image]:
    """As `_flatten`, but a large picture by some rows at a time: the steps of a conversion hold several copies."""
    try:
        if picture.mode == "I" and np.asarray(picture).max() <= 255:  # what Pillow makes of 8 bits
            picture = picture.convert("L")
        if picture.width * picture.height <= BAND_PIXELS:
            yield _convert(picture)
            return
        count = max(1, BAND_PIXELS // picture.width)
        for top in range(0, picture.height, count):
            yield _convert(picture.crop((0, top, picture.width, min(top + count, picture.height))))
    except Exception as error:  # Pillow raises ValueError and others
        raise SampleError(f"can't be decoded: {error}") from error


def _convert(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        pixels = np.asarray(picture)  # 16 bits per pixel
        transparent = pixels == picture.info.get("transparency", -1)
        return Image.fromarray(np.where(transparent, 255, pixels >> 8).clip(0, 255).astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture if picture.mode == "RGBA" else picture.convert("RGBA"))
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
