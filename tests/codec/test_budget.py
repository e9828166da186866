"""How many pixels are decoded for a picture that takes several passes, and which of them are refused."""

import io
import math
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from cnnlib.codec.images import FRAMES, copy_upright, decode_picture, is_empty
from cnnlib.core.errors import SampleError
from tests.hostile import chunk, decoded_pixels, encoded
from tests.hostile_bodies import blank_gif_frames, blank_png_frames, clear_colour_png, endless, jpeg, png, scans

SIZE = (33, 17)
PIXELS = math.prod(SIZE)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What Pillow decodes, as `decoded_pixels` counts it."""
    return decoded_pixels(monkeypatch)


def animation(kind: str) -> bytes:
    """A blank frame, and one that shows something."""
    shown = Image.new("RGB", SIZE, "white")
    shown.paste((200, 10, 40), (4, 4, 20, 9))
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(Image.new("RGB", SIZE, "white"), kind, save_all=True, append_images=[shown], duration=100, **options)


@pytest.mark.parametrize(
    ("kind", "least"), [("GIF", 2 * PIXELS), ("PNG", -(-10 * PIXELS // 3)), ("WEBP", 4 * PIXELS)], ids=str
)
def test_further_frames_share_the_limit_with_the_first(kind: str, least: int, decoded: list[int]) -> None:
    assert not is_empty(decode_picture(animation(kind), least))
    decoded.clear()
    picture = decode_picture(animation(kind), least - 1)
    assert is_empty(picture)
    assert FRAMES not in picture.info, "the other frame was not looked at"
    assert sum(decoded) == PIXELS * (2 if kind == "WEBP" else 1)


@pytest.mark.parametrize("make", [lambda: blank_gif_frames(SIZE, 30), lambda: blank_png_frames(20, 30)])
@pytest.mark.parametrize(("share", "passes"), [(1, 1), (4, 3), (5, 4), (9, 7)])
def test_pixels_of_further_frames_count_twice(
    make: Callable[[], bytes], share: int, passes: int, decoded: list[int]
) -> None:
    width, height = Image.open(io.BytesIO(make())).size
    decode_picture(make(), share * width * height)
    assert len(decoded) == passes


def test_reader_looks_through_no_frames_once_more(decoded: list[int]) -> None:
    for kind in ("GIF", "WEBP"):
        picture = decode_picture(animation(kind), PIXELS * (2 if kind == "WEBP" else 1))
        assert picture.format == kind
        decoded.clear()
        assert is_empty(copy_upright(picture))
        assert not decoded


def test_captchas_have_all_of_their_frames_looked_at(decoded: list[int]) -> None:
    assert decode_picture(blank_gif_frames((200, 70), 30), 2**22 // 4).info[FRAMES] == 30
    assert len(decoded) == 30


def test_frames_larger_than_their_screen_count_as_large_as_they_are(decoded: list[int]) -> None:
    assert decode_picture(blank_gif_frames((100, 100), 30, (1, 1)), 50_000).size == (1, 1)
    assert 10_000 < sum(decoded) <= 75_000


def test_16_bit_rgb_with_a_transparent_colour_counts_twice() -> None:
    assert decode_picture(clear_colour_png(10), 200).size == (10, 10)
    expected = "expected at most 99 pixels in a PNG of 16-bit RGB with a transparent colour; got 10x10"
    with pytest.raises(SampleError, match=expected):
        decode_picture(clear_colour_png(10), 199)
    assert decode_picture(png(size=(10, 10), kind=2, depth=16), 100).size == (10, 10), "one without is decoded once"


def test_large_16_bit_rgb_is_compared_with_its_transparent_colour_in_every_row() -> None:
    samples = np.random.default_rng(3).integers(0, 2, (300, 40, 3)) * 0x0101 + 0x1200
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    data = png(chunk(b"tRNS", struct.pack(">3H", 0x1301, 0x1200, 0x1301)), size=(40, 300), kind=2, depth=16)
    at = data.index(b"IDAT") - 4
    opacity = decode_picture(data[:at] + encoded_rows(rows)).getchannel("A")
    assert np.array_equal(np.asarray(opacity) == 0, (samples == (0x1301, 0x1200, 0x1301)).all(axis=2))


def encoded_rows(rows: bytes) -> bytes:
    """The rest of a PNG, from its pixels on."""
    import zlib

    return chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_jpeg_without_its_end_marker_may_have_three_eighths_of_the_pixels(decoded: list[int]) -> None:
    data = endless(jpeg(size=(16, 16)))
    assert decode_picture(data, 683).size == (16, 16)
    assert len(decoded) == 4
    with pytest.raises(SampleError, match="at most 255 pixels in a JPEG without its end marker; got 16x16"):
        decode_picture(data, 682)


def test_scans_count_in_each_pass_of_a_jpeg_without_its_end_marker(decoded: list[int]) -> None:
    few, many = (endless(scans((16, 16), count)) for count in (6, 60))
    assert decode_picture(few, 683).size == (16, 16)
    with pytest.raises(SampleError, match="expected a JPEG of at most 16 scans; got 66"):
        decode_picture(many, 683)
    decoded.clear()
    assert decode_picture(many).size == (16, 16)
    assert len(decoded) == 9, "one that is small has all of its tries"


def test_what_follows_the_end_marker_is_no_scan() -> None:
    other = scans((16, 16), 0)
    some_scans = other[2 : other.rindex(b"\xff\xda")]
    assert decode_picture(jpeg(size=(20, 10)) + b"\0\2" + some_scans).size == (20, 10)
