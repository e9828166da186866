"""What a picture's chunks, segments and blocks may cost, and what is left of them."""

import struct

import pytest
from PIL import Image

from cnnlib.codec.images import decode_picture
from cnnlib.codec.picture_parts import PART_LIMIT, exif_of, orientation, parts_fault, without_exif
from cnnlib.codec.png import without_extras
from cnnlib.core.errors import SampleError
from tests.hostile import chunk, encoded
from tests.hostile_bodies import exif_jpeg, gif, iccp, jpeg, multi_picture, overlapping_exif, png, segment

MANY = PART_LIMIT + 1


@pytest.mark.parametrize(
    "data",
    [
        png(chunk(b"abCd", b"") * MANY),
        png(after=chunk(b"tEXt", b"a\0") * MANY),
        png(chunk(b"IDAT", b"") * MANY),
        jpeg(segment(0xE5) * MANY),
        jpeg(segment(0xFE, b"x" * 90) * MANY),
        jpeg(b"\xff" * MANY),
        jpeg(segment(0xE5), b"a" * MANY),
        jpeg()[:-2] + segment(0xFE) * MANY,
        jpeg()[:-2] + segment(0xFE) * MANY + b"\xff\xd9",
        gif(b"!\xfe\0" * MANY),
        gif(b"!\xfe" + (b"\xff" + b"a" * 255) * 2_000 + b"\0"),
        gif(b"!\x01\0" * MANY),
        gif(b"\0" * MANY),
    ],
    ids=lambda data: f"{data[:4]!r}{len(data)}",
)
def test_picture_of_too_many_small_parts_is_refused(data: bytes) -> None:
    with pytest.raises(SampleError, match=f"expected at most {PART_LIMIT} chunks, segments or blocks"):
        decode_picture(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_usual_pictures_have_few_parts(kind: str) -> None:
    noise = encoded(Image.effect_noise((400, 200), 80).convert("RGB"), kind)
    assert not parts_fault([noise] * 100)
    assert decode_picture(noise + b"\0" * 100_000).size == (400, 200), "what follows a picture is no part of it"


def test_segments_after_the_end_of_a_jpeg_are_not_counted() -> None:
    assert decode_picture(jpeg() + segment(0xFE) * MANY + b"\xff\xd9").size == (100, 60)


def test_large_parts_are_not_counted() -> None:
    assert not parts_fault([png(chunk(b"abCd", bytes(300)) * MANY), jpeg(segment(0xE5, bytes(300)) * MANY)])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [3, 4])
def test_orientation_is_read_in_either_byte_order(order: str, kind: int) -> None:
    entry = struct.pack(f"{order}HHLH2x" if kind == 3 else f"{order}HHLL", 0x0112, kind, 1, 6)
    table = struct.pack(f"{order}H", 2) + struct.pack(f"{order}HHLL", 0x0100, 4, 1, 9) + entry + bytes(4)
    block = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", 8) + table
    assert orientation(b"Exif\0\0" + block) == orientation(block) == 6


def test_orientation_survives_what_is_made_small_and_broken_blocks_have_none() -> None:
    assert [orientation(exif_of(turn)) for turn in range(1, 9)] == [*range(1, 9)]
    for block in (b"", b"Exif\0\0", b"II*\0", b"II*\0\xff\xff\xff\xff", exif_of(6)[:-10], b"nonsense"):
        assert orientation(block) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_are_turned_as_their_exif_says(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x9286] = turn, "maker", b"x" * 100
    picture = Image.new("L", (32, 16), 255)
    picture.paste(0, (0, 0, 16, 8))
    upright = decode_picture(encoded(picture, kind, exif=exif)).convert("L")
    dark = [
        (x > upright.width / 2, y > upright.height / 2)
        for x in (4, upright.width - 5)
        for y in (4, upright.height - 5)
        if upright.getpixel((x, y)) < 99
    ]
    corner = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}[turn]
    assert upright.size == ((16, 32) if turn > 4 else (32, 16))
    assert dark == [corner]


def test_exif_that_takes_gigabytes_is_taken_out() -> None:
    block = overlapping_exif(900_000, 20_000)
    data, exif = without_exif(exif_jpeg(block))
    assert exif == block
    assert len(data) < 1_000
    picture = decode_picture(png(chunk(b"eXIf", block)))
    assert "exif" not in picture.info
    assert decode_picture(exif_jpeg(block)).size == picture.size


def test_indexes_of_other_pictures_are_taken_out() -> None:
    data = multi_picture(60_000, 2_000)
    small, exif = without_exif(data)
    assert (len(small) < 1_000, exif) == (True, b"")
    assert (decode_picture(data).size, decode_picture(data).format) == ((100, 60), "JPEG")


@pytest.mark.parametrize("before", [b"", chunk(b"ab12", b""), chunk(b"A_12", b"")])
def test_colour_profiles_are_taken_out_also_behind_chunks_that_are_none(before: bytes) -> None:
    data = png(before + iccp(2**22) * 3)
    assert len(without_extras(data)) < 1_000
    assert decode_picture(data).size == (100, 60)


def test_picture_without_exif_stays_as_it_is() -> None:
    for data in (png(), jpeg(), gif(), b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF89a"):
        assert without_exif(data) == (data, b"")
        assert not parts_fault([data])


def test_png_is_read_that_lacks_its_end_alone() -> None:
    data = png(size=(300, 300))
    for lacking in (12, 14, 16):  # the end, and of the checksum of the pixels a half and all
        assert decode_picture(data[:-lacking]).size == (300, 300)
    with pytest.raises(SampleError, match="truncated"):
        decode_picture(data[:-40])
