import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnnlib.codec.images import (
    SIDE_LIMIT,
    Shape,
    copy_upright,
    decode_picture,
    frame_content,
    is_coloured,
    is_empty,
    open_picture,
    read_picture,
    suffix_of,
    to_array,
)
from cnnlib.core.errors import SampleError, SizeError
from tests.hostile import encoded, png_of_no_colour

SHAPE = Shape(4, 6)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_every_format_is_opened(kind: str) -> None:
    pixels = open_picture(encoded(Image.new("L", (6, 4), 200), kind), SHAPE)
    assert pixels.shape == (4, 6, 1)
    assert pixels.dtype == np.uint8
    assert abs(int(pixels[0, 0, 0]) - 200) < 4


def test_grey_weights_are_those_of_bt601() -> None:
    red, green, blue = (
        open_picture(encoded(Image.new("RGB", (6, 4), c)), SHAPE)[0, 0, 0] for c in ("red", "lime", "blue")
    )
    assert (red, green, blue) == (76, 150, 29)


def test_colour_keeps_three_channels() -> None:
    pixels = open_picture(encoded(Image.new("RGB", (6, 4), (10, 20, 30))), Shape(4, 6, 3))
    assert pixels[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_background_is_white_even_when_black_is_stored(mode: str) -> None:
    assert open_picture(encoded(Image.new(mode, (6, 4))), SHAPE).min() == 255


def test_palette_with_a_transparent_colour_is_resolved() -> None:
    picture = Image.new("P", (6, 4), 1)
    picture.putpalette([9, 9, 9, 255, 0, 0])
    assert open_picture(encoded(picture), SHAPE)[0, 0, 0] == 76
    assert open_picture(encoded(picture, transparency=1), SHAPE)[0, 0, 0] == 255


def test_sixteen_bit_grey_is_scaled() -> None:
    picture = Image.fromarray(np.full((4, 6), 0x8000, np.uint16))
    assert open_picture(encoded(picture), SHAPE)[0, 0, 0] == 128


def test_transparent_colour_of_sixteen_bit_grey_is_white() -> None:
    samples = Image.fromarray(np.array([[0, 1000, 40_000]], np.uint16))
    pixels = open_picture(encoded(samples, transparency=1000), Shape(1, 3))
    assert pixels[0, :, 0].tolist() == [0, 255, 40_000 >> 8]


def test_broken_exif_header_loses_no_pixels() -> None:
    broken = encoded(Image.new("L", (6, 4), 7), exif=b"Exif\0\0no header")
    assert open_picture(broken, SHAPE).tolist() == np.full((4, 6, 1), 7).tolist()


def test_turned_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    assert decode_picture(encoded(Image.new("L", (4, 6)), "JPEG", exif=exif)).size == (6, 4)


def test_truncated_picture_is_refused() -> None:
    rng = np.random.default_rng(0)
    whole = encoded(Image.fromarray(rng.integers(0, 255, (60, 100), np.uint8)))
    with pytest.raises(SampleError, match="can't be decoded"):
        open_picture(whole[: len(whole) // 2], Shape(60, 100))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "0 bytes"),
        (b"no picture", 'a text, "no picture"'),
        (b"%PDF-1.4", "PDF"),
        (b"<?xml version='1.0'?><!-- a --><svg/>", "SVG"),
        (b"<?xml version='1.0'?><rss/>", "XML"),
        (b"\n<!DOCTYPE html><html>", "HTML, a web page"),
        (b'{"error": 1}', "JSON"),
        (b"II*\0\x08", "TIFF"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\x1f\x8b\x08\0", "gzip; unpack it first"),
        (b"http://a/b.png", "an address"),
        (b"data:image/png;base64,AA", "a data URL"),
        (b"iVBORw0KGgoAAAANSUhEUgAAAAUAAAAF", "base64; decode it first"),
        (b"\x89PNG\n\x1a\n\0\0", "a PNG that was damaged on its way"),
        (b"\xff\0\1\2", "bytes of another kind"),
    ],
)
def test_other_files_are_refused_by_their_kind(data: bytes, kind: str) -> None:
    expected = re.escape(f"not a PNG, JPEG, GIF, BMP or WebP picture; got {kind}")
    with pytest.raises(SampleError, match=f"^{expected}"):
        open_picture(data, SHAPE)
    with pytest.raises(SampleError, match=f"^{expected}"):
        suffix_of(data)


def test_file_that_has_gone_is_a_sample_error(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="can't be read: No such file or directory"):
        read_picture(tmp_path / "gone_1.png")


def test_palette_that_lacks_the_transparent_colour_is_refused() -> None:
    picture = decode_picture(png_of_no_colour(6, 4))
    for use in (is_coloured, lambda picture: to_array(picture, SHAPE)):
        with pytest.raises(SampleError, match="can't be decoded: palette index"):
            use(picture)


def test_tiff_is_not_opened() -> None:
    with pytest.raises(SampleError, match="not a PNG"):
        open_picture(encoded(Image.new("L", (6, 4)), "TIFF"), SHAPE)


def test_other_size_is_resized_when_asked_for() -> None:
    picture = Image.new("RGB", (12, 8), "white")
    picture.paste("black", (0, 0, 6, 8))
    pixels = open_picture(encoded(picture), Shape(4, 6, 1, resize=True))
    assert pixels.shape == (4, 6, 1)
    assert (pixels[:, :2] < 60).all()
    assert (pixels[:, 4:] > 195).all()


def test_content_is_framed_by_the_ground() -> None:
    picture = Image.new("RGB", (120, 60), (250, 200, 10))
    picture.paste((0, 0, 0), (30, 20, 80, 40))
    picture.putpixel((5, 5), (0, 0, 255))  # a stray one
    (framed,) = frame_content(picture, Shape(24, 48, 3), [0.25])
    assert framed.shape == (24, 48, 3)
    assert (framed[4:20, 8:40] == 0).all(), "two thirds of each side"
    assert (framed[[0, -1]] == (250, 200, 10)).all()
    assert (framed[:, [0, -1]] == (250, 200, 10)).all()
    assert [each.shape for each in frame_content(picture.convert("L"), Shape(24, 48), [0.1, 0.2])] == [(24, 48, 1)] * 2


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (4096, 1), (1, 4096), (3, 700)])
def test_content_of_a_thin_picture_is_framed(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, size[::-1], np.uint8)
    for mode in ("L", "LA", "RGBA", "1", "P", "I;16", "CMYK"):
        picture = Image.fromarray(noise) if mode == "L" else Image.new(mode, size)
        assert next(frame_content(picture, Shape(8, 8, 3), [0.03])).shape == (8, 8, 3)


@pytest.mark.parametrize("height", [27, 97, 111, 202, 209])
def test_frame_has_no_pixels_from_beyond_the_picture(height: int) -> None:
    picture = Image.new("RGB", (600, height), "white")
    picture.paste((0, 0, 128), (200, height - 20, 400, height))
    (framed,) = frame_content(picture, Shape(64, 160, 3), [0.03])
    assert framed.reshape(-1, 3)[:, 2].min() >= 128


def test_whole_numbers_of_eight_bits_are_those_of_grey_ones() -> None:
    grey = Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10)
    shape = Shape(4, 6)
    assert (to_array(grey.convert("I"), shape) == to_array(grey, shape)).all()
    deep = Image.fromarray(np.asarray(grey).astype(np.int32) * 256)
    assert deep.mode == "I"
    assert (to_array(deep, shape) == to_array(grey, shape)).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_animation_is_copied_as_it_is_decoded(kind: str) -> None:
    frames = [Image.new("L", (20, 10), 255) for _ in range(3)]
    frames[1].paste(0, (4, 2, 9, 8))
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], lossless=True, duration=50)
    expected = to_array(decode_picture(file.getvalue()), Shape(10, 20))
    assert expected.min() < 50
    with Image.open(file) as opened:
        assert (to_array(copy_upright(opened), Shape(10, 20)) == expected).all()
        assert opened.tell() == 0, "it is left as it was"
        opened.seek(2)
        assert to_array(copy_upright(opened), Shape(10, 20)).min() == 255, "the frame that it is at"


def test_picture_without_content_is_framed_whole() -> None:
    assert (next(frame_content(Image.new("RGB", (20, 10), (9, 9, 9)), Shape(16, 32), [0.1])) == 9).all()


def test_large_picture_is_framed_as_a_small_one() -> None:
    small = Image.new("L", (200, 100), 255)
    small.paste(0, (60, 30, 160, 70))
    large = small.resize((2000, 1000), Image.Resampling.NEAREST)
    framed, same = (next(frame_content(each, Shape(24, 48), [0.1])).astype(int) for each in (small, large))
    assert np.abs(framed - same).mean() < 5


def test_coloured_pictures_are_distinguished_from_grey_ones() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 100), np.uint8))
    grey_photo = decode_picture(encoded(noise.convert("RGB"), "JPEG", quality=40))
    assert not any(map(is_coloured, (noise, grey_photo, noise.convert("1"), noise.convert("P"))))
    assert not is_coloured(Image.new("RGBA", (60, 40), (255, 0, 0, 0))), "what is transparent shows white"
    tinted = noise.convert("RGB")
    tinted.paste((200, 40, 40), (10, 10, 14, 14))
    assert is_coloured(tinted)
    assert is_coloured(tinted.convert("P"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("row", [100, 128, 191])  # the second begins a band
def test_large_picture_of_one_colour_is_empty_until_a_row_differs(mode: str, row: int) -> None:
    picture = Image.new(mode, (256, 192))
    assert is_empty(picture)
    white = {"RGB": (255, 255, 255), "RGBA": (9, 9, 9, 255), "I;16": 65_535}.get(mode, 255)
    picture.paste(white, (0, row, 256, 192))
    assert not is_empty(picture)


def test_other_size_is_a_size_error_with_both_sizes() -> None:
    with pytest.raises(SizeError, match="expected 6x4 pixels; got 7x4"):
        open_picture(encoded(Image.new("L", (7, 4))), SHAPE)


def test_huge_picture_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(SampleError, match=f"sides of at most {SIDE_LIMIT} pixels"):
        decode_picture(encoded(Image.new("1", (SIDE_LIMIT + 1, 1))))
