"""Bytes to arrays: the one place that opens a picture."""

import io
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from cnnlib.core.errors import SampleError, SizeError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")  # each a suffix of its files too
FILE_LIMIT_BYTES = 64 * 2**20
SIDE_LIMIT = 4096  # pixels; a larger picture is refused before it is decoded
SCAN_LIMIT = 100  # of a progressive JPEG, each of which goes over the whole picture; usual ones have ten
SCAN = b"\xff\xda"  # how a scan begins; in its data such bytes can't stand
COLOUR_DISTANCE = 24  # of a pixel's channels, 0 to 255, from which on it is no grey; a JPEG's greys stay below
COLOUR_SHARE = 0.002  # of such pixels, from which on a picture is a coloured one

warnings.filterwarnings("ignore", module="PIL")  # what is wrong with a picture is told by what is raised


@dataclass(frozen=True)
class Shape:
    """Size of a picture: height and width in pixels, channels 1 (grey) or 3 (colour).

    Pictures of another size are refused unless `resize`.
    """

    height: int
    width: int
    channels: int = 1
    resize: bool = False

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def read_picture(path: Path) -> bytes:
    """The bytes of a picture file. Raises SampleError when it can't be read or is larger than `FILE_LIMIT_BYTES`."""
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT_BYTES:
            raise SampleError(f"expected a file of at most {FILE_LIMIT_BYTES} bytes; got {size}")
        return path.read_bytes()
    except OSError as error:
        raise SampleError(f"can't be read: {error.strerror}") from error


def open_picture(data: bytes, shape: Shape) -> np.ndarray:
    """Decode one picture.

    Returns uint8 (height, width, channels), 0 to 255. Grey is 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601);
    what is transparent shows white.
    Raises SampleError when `data` is no PNG, JPEG, GIF, BMP or WebP, or is cut short, and SizeError, one of its
    kinds, when the picture has another size and `shape` does not resize.
    """
    return to_array(decode_picture(data), shape)


def decode_picture(data: bytes, pixel_limit: int = SIDE_LIMIT**2) -> Image.Image:
    """The first frame of a picture, decoded to its last byte and turned upright.

    Raises SampleError when `data` is no PNG, JPEG, GIF, BMP or WebP, is cut short, has a side larger than
    `SIDE_LIMIT` or more than `pixel_limit` pixels or `SCAN_LIMIT` scans; these are told before they are decoded.
    """
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
        if max(picture.size) > SIDE_LIMIT:
            raise SampleError(f"expected sides of at most {SIDE_LIMIT} pixels; got {picture.width}x{picture.height}")
        if picture.width * picture.height > pixel_limit:
            raise SampleError(f"expected at most {pixel_limit} pixels; got {picture.width}x{picture.height}")
        if picture.format in ("JPEG", "MPO") and data.count(SCAN) > SCAN_LIMIT:
            raise SampleError(f"expected a JPEG of at most {SCAN_LIMIT} scans; got {data.count(SCAN)}")
        picture.load()
        _turn_upright(picture)
        return picture
    except SampleError:
        raise
    except UnidentifiedImageError as error:
        raise SampleError("not a PNG, JPEG, GIF, BMP or WebP picture") from error
    except Exception as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and others
        raise SampleError(f"can't be decoded: {error}") from error


def upright(picture: Image.Image) -> Image.Image:
    """A copy of an opened picture, as `decode_picture` gives it. Raises SampleError when it can't be decoded."""
    try:
        turned = picture.copy()
    except Exception as error:  # of many kinds, as there
        raise SampleError(f"can't be decoded: {error}") from error
    _turn_upright(turned)
    return turned


def _turn_upright(picture: Image.Image) -> None:
    with suppress(Exception):  # what says how it was held can be broken where the pixels are whole
        ImageOps.exif_transpose(picture, in_place=True)


def encode_picture(picture: Image.Image, suffix: str) -> bytes:
    """The bytes of a file with this suffix."""
    encoded = io.BytesIO()
    picture.save(encoded, Image.registered_extensions()[f".{suffix}"])
    return encoded.getvalue()


def to_array(picture: Image.Image, shape: Shape) -> np.ndarray:
    """Pixels of a Pillow picture, uint8 (height, width, channels), 0 to 255, on white where it is transparent.

    Raises SizeError when it has another size and `shape` does not resize, SampleError when it can't be converted.
    """
    size = (shape.width, shape.height)
    if picture.size != size and not shape.resize:
        raise SizeError(f"expected {shape} pixels; got {picture.width}x{picture.height}")
    picture = _flat(picture).convert("L" if shape.channels == 1 else "RGB")
    pixels = np.asarray(picture if picture.size == size else picture.resize(size, Image.Resampling.BILINEAR))
    return pixels[:, :, np.newaxis] if shape.channels == 1 else pixels


def is_coloured(picture: Image.Image) -> bool:
    """Whether more than a few pixels are far from grey. Raises SampleError when it can't be converted."""
    if picture.mode in ("1", "L", "LA", "I", "F"):
        return False
    pixels = np.asarray(_flat(picture).convert("RGB"))
    distance = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return bool((distance > COLOUR_DISTANCE).mean() > COLOUR_SHARE)


def is_empty(picture: Image.Image) -> bool:
    """Whether all pixels are of one colour. Raises SampleError when it can't be converted."""
    pixels = np.asarray(_flat(picture))
    return bool((pixels == pixels[0, 0]).all())


def _flat(picture: Image.Image) -> Image.Image:
    """The picture without palette, transparency or 16-bit samples.

    Raises SampleError when those contradict each other, such as a transparent colour that the palette lacks.
    """
    try:
        return _flattened(picture)
    except Exception as error:  # Pillow raises ValueError and others
        raise SampleError(f"can't be decoded: {error}") from error


def _flattened(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        samples = np.asarray(picture)
        clear = samples == picture.info.get("transparency", -1)
        return Image.fromarray(np.where(clear, 255, samples >> 8).clip(0, 255).astype(np.uint8))
    if picture.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in picture.info:
        coloured = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(ground, coloured)
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
