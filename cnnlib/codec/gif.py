"""The frames of a GIF, put on its screen as browsers do: what no frame covers stays transparent."""

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from PIL import Image

_EXTENSION, _IMAGE = 0x21, 0x2C  # first bytes of blocks
_GRAPHIC_CONTROL = 0xF9
_TO_TRANSPARENT, _TO_PREVIOUS = 2, 3  # ways to dispose of a frame
_TRAILER = b";"
_NONE = slice(0, 0)
_ROWS = 64  # that are drawn at a time
Box = tuple[int, int, int, int]  # left, top, right, bottom


class Frame(NamedTuple):
    """Where a frame is in its file: its graphic control, empty without one, and its image."""

    control: slice
    image: slice


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of a GIF, up to the first that is cut short."""
    at = _head_bytes(data)
    control = _NONE
    while data[at : at + 1] in (bytes((_EXTENSION,)), bytes((_IMAGE,))):
        start = at
        if data[at] == _EXTENSION:
            at = _skip_blocks(data, at + 2)
            if data[start + 1 : start + 3] == bytes((_GRAPHIC_CONTROL, 4)):
                control = slice(start, at)
            continue
        at = _skip_blocks(data, at + 11 + _palette_bytes(data[at + 9 : at + 10]))
        if at > len(data):
            return
        yield Frame(control, slice(start, at))
        control = _NONE


def _alone(data: bytes, frame: Frame) -> bytes:
    """A GIF of one frame."""
    return data[: _head_bytes(data)] + data[frame.control] + data[frame.image] + _TRAILER


def _box(data: bytes, frame: Frame) -> Box:
    """The place of a frame on the screen."""
    left, top, width, height = struct.unpack_from("<4H", data, frame.image.start + 1)
    return left, top, left + width, top + height


def _disposal(data: bytes, frame: Frame) -> int:
    """How a frame is disposed of."""
    control = data[frame.control]
    return control[3] >> 2 & 7 if control else 0


def _head_bytes(data: bytes) -> int:
    """Size of what comes before the blocks, the global palette included."""
    return 13 + _palette_bytes(data[10:11])


def _palette_bytes(flags: bytes) -> int:
    """Size of the palette that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    """Where the chain of sub-blocks ends that begins here; behind the data when it is cut short."""
    try:
        while size := data[at]:  # may run half a million times
            at += size + 1
    except IndexError:
        pass
    return at + 1


def place_of_first(picture: Image.Image) -> Box | None:
    """The place on the screen of a frame that is not decoded yet; None for a picture that is no GIF."""
    tiles = getattr(picture, "tile", [])
    return tuple(tiles[0][1]) if picture.format == "GIF" and tiles else None


def on_screen(picture: Image.Image, box: Box) -> Image.Image:
    """A decoded first frame, RGBA, transparent outside its place on the screen."""
    screen = Image.new("RGBA", picture.size)
    _draw(picture, box, screen)
    return screen


def _draw(picture: Image.Image, box: Box, screen: Image.Image) -> None:
    """Put what a frame has at its place onto the screen, some rows at a time: as RGBA it takes much memory."""
    left, top, right, bottom = box
    for start in range(top, bottom, _ROWS):
        part = (left, start, right, min(start + _ROWS, bottom))
        rows = picture.crop(part).convert("RGBA")
        screen.paste(rows, part, rows)


def compose(data: bytes, first: Image.Image, decode: Callable[[bytes], Image.Image]) -> Iterator[Image.Image]:
    """The screen after each frame, RGBA. The next frame changes it.

    The first frame is decoded already, `decode` is for GIFs of one frame.
    """
    screen = Image.new("RGBA", first.size)
    for number, frame in enumerate(frames(data)):
        box, disposal = _box(data, frame), _disposal(data, frame)
        before = screen.crop(box) if disposal == _TO_PREVIOUS else None
        _draw(decode(_alone(data, frame)) if number else first, box, screen)
        yield screen
        if before:
            screen.paste(before, box)
        elif disposal == _TO_TRANSPARENT:
            screen.paste((0, 0, 0, 0), box)
