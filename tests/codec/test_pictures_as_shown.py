"""Pictures that browsers show though something in their file is broken or odd, and those that stay refused."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PIL import GifImagePlugin, Image, ImageDraw

from cnnlib.codec.images import FRAMES, SIDE_LIMIT, Shape, decode_picture, describe_empty, open_picture, suffix_of
from cnnlib.core.errors import SampleError
from tests.hostile import SIGNATURE, chunk, encoded, text_bomb

WHITE = (255, 255, 255)
OPTIONAL = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"tIME", b"eXIf", b"bKGD", b"prVt")


def drawn(size: tuple[int, int] = (33, 17)) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).text((2, 0), "2e8j", (200, 10, 40))
    return picture


def rgb(data: bytes) -> np.ndarray:
    picture = decode_picture(data)
    return open_picture(data, Shape(picture.height, picture.width, 3))


def png(depth: int, colour: int, size: tuple[int, int], rows: bytes, *extra: bytes) -> bytes:
    """A PNG of raw rows, each after its filter byte, with chunks between header and rows."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0))
    return SIGNATURE + head + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def broken_chunk(name: bytes, data: bytes = b"comment\0text") -> bytes:
    """A chunk with a wrong checksum."""
    whole = chunk(name, data)
    return whole[:-1] + bytes((whole[-1] ^ 1,))


def with_wrong_checksum(data: bytes, name: bytes) -> bytes:
    at = data.index(name)
    end = at + 4 + int.from_bytes(data[at - 4 : at], "big")
    return data[:end] + bytes((data[end] ^ 1,)) + data[end + 1 :]


@pytest.mark.parametrize("name", OPTIONAL)
@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("make", [broken_chunk, lambda name: chunk(name, b"\xff"), lambda name: chunk(name, b"")])
def test_broken_png_chunk_that_makes_no_pixels_is_passed_over(
    name: bytes, place: str, make: Callable[[bytes], bytes]
) -> None:
    whole = encoded(drawn())
    at = whole.index(b"IDAT" if place == "before" else b"IEND") - 4
    broken = whole[:at] + make(name) + whole[at:]
    assert np.array_equal(rgb(broken), rgb(whole))
    assert suffix_of(broken) == "png"


def test_format_of_a_png_with_a_text_too_large_for_pillow_is_known() -> None:
    assert suffix_of(text_bomb((33, 17))) == "png"


def test_transparent_colour_with_a_wrong_checksum_is_passed_over() -> None:
    rows = bytes((0, 0, 7, 255))
    assert rgb(png(8, 0, (3, 1), rows, broken_chunk(b"tRNS", b"\0\7")))[0, :, 0].tolist() == [0, 7, 255]


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE", b"IDAT"])
def test_png_whose_pixels_have_a_wrong_checksum_is_refused_by_name(name: bytes) -> None:
    data = with_wrong_checksum(encoded(drawn().quantize(8)), name)
    with pytest.raises(SampleError, match=f"damaged PNG: the checksum of its chunk {name.decode()} is wrong") as error:
        decode_picture(data)
    assert "not a PNG" not in str(error.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_damaged_header_is_not_called_another_format(kind: str) -> None:
    start = encoded(drawn(), kind)[:16]
    with pytest.raises(SampleError, match="can't be decoded: "):
        decode_picture(start + bytes(40))


def test_packed_comment_is_never_unpacked() -> None:
    picture = decode_picture(text_bomb((6, 4)))
    assert picture.size == (6, 4)
    assert "Comment" not in picture.info


@pytest.mark.parametrize("alpha", [0, 128, 255])
@pytest.mark.parametrize("masks", [(2, 1, 0, 3), (0, 1, 2, 3), (3, 2, 1, 0)])  # bytes of red, green, blue and alpha
@pytest.mark.parametrize("head_bytes", [56, 108, 124])
@pytest.mark.parametrize("top_down", [False, True])
def test_bmp_whose_alpha_is_zero_throughout_is_opaque(
    alpha: int, masks: tuple[int, ...], head_bytes: int, top_down: bool
) -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    for channel, value in zip(masks, (200, 10, 40, alpha), strict=True):
        pixels[:, :, channel] = value
    head = struct.pack("<IiiHHIIiiII", head_bytes, 3, -2 if top_down else 2, 1, 32, 3, pixels.size, 0, 0, 0, 0)
    head += struct.pack("<4I", *(0xFF << 8 * channel for channel in masks))
    head = head.ljust(head_bytes, b"\0")
    data = b"BM" + struct.pack("<IHHI", 14 + len(head) + pixels.size, 0, 0, 14 + len(head)) + head + pixels.tobytes()
    shown = [200, 10, 40] if alpha in (0, 255) else [227, 132, 147]
    assert np.abs(rgb(data).astype(int) - shown).max() <= 1


def test_bmp_with_some_alpha_keeps_it() -> None:
    pixels = np.zeros((1, 2, 4), np.uint8)
    pixels[0, 1, 3] = 255
    head = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0)
    head = (head + struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)).ljust(108, b"\0")
    data = b"BM" + struct.pack("<IHHI", 130, 0, 0, 122) + head + pixels.tobytes()
    assert rgb(data)[0, :, 0].tolist() == [255, 0]


def test_transparent_colour_of_16_bit_rgb_is_compared_in_all_its_bits() -> None:
    samples = np.array([[(0x1234, 0x5678, 0x9ABC), (0x1234, 0x5678, 0x9ABD), (0x0034, 0x5678, 0x9ABC)]], ">u2")
    rows = b"\0" + samples.tobytes()
    shown = rgb(png(16, 2, (3, 1), rows, chunk(b"tRNS", samples[0, 0].tobytes())))
    assert shown[0].tolist() == [[255, 255, 255], [0x12, 0x56, 0x9A], [0, 0x56, 0x9A]]
    assert rgb(png(16, 2, (3, 1), rows))[0, 0].tolist() == [0x12, 0x56, 0x9A]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("high", [0, 0xAB00])  # bits that do not count
def test_transparent_grey_of_every_depth_is_white(depth: int, high: int) -> None:
    levels = range(min(2**depth, 16))
    count = len(levels)
    bits = "".join(f"{level:0{depth}b}" for level in levels)
    rows = b"\0" + int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    for transparent in levels:
        data = png(depth, 0, (count, 1), rows, chunk(b"tRNS", struct.pack(">H", high | transparent)))
        plain = rgb(png(depth, 0, (count, 1), rows))[0, :, 0].tolist()
        assert rgb(data)[0, :, 0].tolist() == [255 if n == transparent else level for n, level in enumerate(plain)]


def test_transparent_colour_of_8_bit_rgb_counts_in_its_lower_bytes() -> None:
    data = png(8, 2, (2, 1), bytes((0, 1, 2, 3, 1, 2, 4)), chunk(b"tRNS", bytes((9, 1, 9, 2, 9, 3))))
    assert rgb(data)[0].tolist() == [[255, 255, 255], [1, 2, 4]]


def gif(size: tuple[int, int], *frames: tuple[Image.Image, tuple[int, int], int, int | None]) -> bytes:
    """A GIF of frames: picture, place, way to dispose of it, transparent index; each has its own palette."""
    data = b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0)
    for picture, place, disposal, transparent in frames:
        flags = disposal << 2 | (transparent is not None)
        data += b"\x21\xf9\x04" + struct.pack("<BHB", flags, 5, transparent or 0) + b"\0"
        data += b",%s\x87" % struct.pack("<4H", *place, *picture.size)
        data += bytes((picture.getpalette() or []) + [0] * 768)[:768]
        written = GifImagePlugin.getdata(picture)
        data += b"".join(written)[11 + (3 << (written[0][9] & 7) + 1 if written[0][9] & 0x80 else 0) - 1 :]
    return data + b";"


def flat(colour: tuple[int, int, int], size: tuple[int, int] = (4, 3)) -> Image.Image:
    """A picture of one colour, which is the last of 256; the first is another."""
    picture = Image.new("P", size, 255)
    picture.putpalette([9, 9, 9] * 255 + list(colour))
    return picture


@pytest.mark.parametrize("transparent", [None, 0, 1])
@pytest.mark.parametrize("place", [(0, 0), (3, 2), (6, 5)])
def test_gif_frame_smaller_than_its_screen_leaves_the_rest_white(
    place: tuple[int, int], transparent: int | None
) -> None:
    shown = rgb(gif((10, 8), (flat((1, 2, 3)), place, 0, transparent)))
    expected = np.full((8, 10, 3), 255)
    expected[place[1] : place[1] + 3, place[0] : place[0] + 4] = (1, 2, 3)
    assert np.array_equal(shown, expected)


@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
def test_blank_first_frame_of_a_gif_gives_way_to_the_first_that_is_not(disposal: int) -> None:
    small = flat((1, 2, 3), (2, 2))
    data = gif((6, 5), (flat(WHITE, (6, 5)), (0, 0), disposal, None), (small, (1, 1), 1, None))
    shown = rgb(data)
    assert shown[1:3, 1:3].reshape(-1, 3).tolist() == [[1, 2, 3]] * 4
    assert shown.sum() == 255 * 3 * (30 - 4) + 6 * 4


def test_frames_are_put_on_what_earlier_ones_left() -> None:
    coloured = flat((200, 0, 0), (6, 5))
    for disposal, ground in {1: (200, 0, 0), 2: WHITE, 3: WHITE}.items():
        data = gif((6, 5), (coloured, (0, 0), disposal, None), (flat((0, 0, 9), (2, 2)), (4, 3), 1, None))
        assert rgb(data)[0, 0].tolist() == list(ground)
        assert rgb(data)[4, 5].tolist() == [0, 0, 9]


@pytest.mark.parametrize("transparent", [None, 7])
def test_frame_of_many_rows_is_drawn_as_it_is(transparent: int | None) -> None:
    indices = np.random.default_rng(4).integers(0, 256, (150, 20)).astype(np.uint8)
    frame = Image.fromarray(indices, "P")
    frame.putpalette([level for level in range(256) for _ in range(3)])
    expected = np.full((200, 30, 3), 255)
    expected[40:190, 5:25] = np.where(indices == transparent, 255, indices)[:, :, np.newaxis]
    assert np.array_equal(rgb(gif((30, 200), (frame, (5, 40), 0, transparent))), expected)
    blank = (flat(WHITE, (30, 200)), (0, 0), 0, None)
    assert np.array_equal(rgb(gif((30, 200), blank, (frame, (5, 40), 0, transparent))), expected)


def test_transparent_pixels_of_a_frame_show_what_is_below() -> None:
    frame = flat((0, 0, 9), (2, 2))
    frame.putpixel((0, 0), 0)
    shown = rgb(gif((6, 5), (flat((200, 0, 0), (6, 5)), (0, 0), 1, None), (frame, (4, 3), 1, 0)))
    assert shown[3:, 4:].tolist() == [[[200, 0, 0], [0, 0, 9]], [[0, 0, 9], [0, 0, 9]]]


def animations() -> Iterator[tuple[str, list[Image.Image]]]:
    blank, picture = Image.new("RGB", (33, 17), "white"), drawn()
    for kind in ("GIF", "PNG", "WEBP"):
        yield kind, [blank, Image.new("RGB", (33, 17), "#fefefe"), picture]


@pytest.mark.parametrize(("kind", "frames"), [*animations()])
def test_blank_first_frame_gives_way_in_every_format(kind: str, frames: list[Image.Image]) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options)
    picture = decode_picture(data)
    assert picture.format == kind
    assert np.abs(rgb(data).astype(int) - np.asarray(frames[-1])).max() < 30
    whole = encoded(frames[-1], kind, save_all=True, append_images=frames[:1], duration=100, **options)
    assert np.abs(rgb(whole).astype(int) - np.asarray(frames[-1])).max() < 30, "the first one stays where it shows more"


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animation_without_anything_to_see_says_how_many_frames_it_has(kind: str) -> None:
    frames = [Image.new("RGB", (33, 17), (level, level, level)) for level in (255, 0, 99)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    picture = decode_picture(data)
    assert picture.info[FRAMES] == 3
    assert rgb(data).min() > 250, "the first frame"
    assert describe_empty(picture).endswith("; this is the first of 3 frames, and no other shows more")
    assert describe_empty(Image.new("L", (2, 2))).endswith("transparent ones count as white")


def test_later_frame_of_a_gif_is_no_larger_than_the_limits_allow() -> None:
    huge = Image.new("P", (SIDE_LIMIT + 1, 1), 255)
    huge.putpalette([0] * 768)
    data = gif((4, 3), (flat(WHITE), (0, 0), 0, None), (huge, (0, 0), 0, None))
    assert decode_picture(data).size == (4, 3), "the blank first frame stays"


def test_frame_that_is_cut_short_leaves_the_first_one() -> None:
    data = gif((4, 3), (flat(WHITE), (0, 0), 0, None), (flat((1, 2, 3), (2, 2)), (1, 1), 0, None))
    assert rgb(data[:-6]).min() == 255


KINDS = {
    "plain": {},
    "fine": {"quality": 100, "subsampling": 0},
    "own tables": {"optimize": True, "quality": 30},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_blocks": 2},
    "restarts of rows": {"restart_marker_rows": 1, "optimize": True},
    "progressive with restarts": {"progressive": True, "restart_marker_blocks": 1},
}


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(33, 17), (16, 16)])
def test_jpeg_cut_anywhere_is_whole_or_refused(mode: str, kind: str, size: tuple[int, int]) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), np.uint8))
    for picture in (drawn(size), noise, Image.new("RGB", size, "white"), Image.new("RGB", size, (128, 128, 128))):
        whole = encoded(picture.convert(mode), "JPEG", **KINDS[kind])
        pixels = np.asarray(decode_picture(whole))
        for cut in range(1, min(len(whole), 120)):
            try:
                shown = np.asarray(decode_picture(whole[:-cut]))
            except SampleError:
                assert cut > 2, "only the end marker is missing"
                continue
            assert np.array_equal(shown, pixels), f"{cut} bytes cut off"


def test_jpeg_that_lacks_pixels_says_so() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (60, 100), np.uint8))
    with pytest.raises(SampleError, match="can't be decoded: image file is truncated: the last pixels of the JPEG"):
        decode_picture(encoded(noise, "JPEG")[:-20])


def test_progressive_jpeg_that_ends_between_two_scans_is_refused() -> None:
    whole = encoded(drawn((100, 60)), "JPEG", progressive=True)
    scans = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xda"]
    tables = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xc4"]
    for scan in scans[1:]:
        end = max((at for at in tables if scans[0] < at < scan), default=scan)
        with pytest.raises(SampleError, match="truncated"):
            decode_picture(whole[:end])
        with pytest.raises(SampleError, match="can't be decoded"):
            decode_picture(whole[:scan])


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP"])
def test_other_formats_without_their_last_byte_are_read(kind: str) -> None:
    whole = encoded(drawn((33, 17)), kind)
    assert np.array_equal(rgb(whole[:-1]), rgb(whole))


def test_opened_bmp_is_opaque_too() -> None:
    from cnnlib.codec.images import copy_upright

    pixels = struct.pack("<IiiHHIIiiII", 108, 2, 1, 1, 32, 3, 8, 0, 0, 0, 0)
    head = (pixels + struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)).ljust(108, b"\0")
    data = b"BM" + struct.pack("<IHHI", 130, 0, 0, 122) + head + bytes((1, 2, 3, 0)) * 2
    assert copy_upright(Image.open(io.BytesIO(data))).getpixel((0, 0)) == (3, 2, 1, 255)
