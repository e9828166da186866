"""The frames of a GIF, put on its screen as browsers do: what no frame covers stays transparent."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

_EXTENSION, _IMAGE = 0x21, 0x2C  # first bytes of blocks
_GRAPHIC_CONTROL = 0xF9
_TO_TRANSPARENT, _TO_PREVIOUS = 2, 3  # ways to dispose of a frame
_TRAILER = b";"


@dataclass(frozen=True)
class Frame:
    """One frame as a GIF of its own, its place on the screen (left, top, right, bottom), and how it is disposed of."""

    data: bytes
    box: tuple[int, int, int, int]
    disposal: int


def frames(data: bytes) -> Iterator[Frame]:
    """The frames of a GIF, up to the first that is cut short."""
    at = head = 13 + _palette_bytes(data[10:11])
    control = b""
    while data[at : at + 1] in (bytes((_EXTENSION,)), bytes((_IMAGE,))):
        start = at
        if data[at] == _EXTENSION:
            at = _skip_blocks(data, at + 2)
            if data[start + 1 : start + 3] == bytes((_GRAPHIC_CONTROL, 4)):
                control = data[start:at]
            continue
        at = _skip_blocks(data, at + 11 + _palette_bytes(data[at + 9 : at + 10]))
        if at > len(data):
            return
        left, top, width, height = (int.from_bytes(data[n : n + 2], "little") for n in range(start + 1, start + 9, 2))
        disposal = control[3] >> 2 & 7 if control else 0
        yield Frame(
            data[:head] + control + data[start:at] + _TRAILER, (left, top, left + width, top + height), disposal
        )
        control = b""


def _palette_bytes(flags: bytes) -> int:
    """Size of the palette that these flags announce."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _skip_blocks(data: bytes, at: int) -> int:
    """Where the chain of sub-blocks ends that begins here; behind the data when it is cut short."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def place_of_first(picture: Image.Image) -> tuple[int, int, int, int] | None:
    """The place on the screen of a frame that is not decoded yet; None for a picture that is no GIF."""
    tiles = getattr(picture, "tile", [])
    return tuple(tiles[0][1]) if picture.format == "GIF" and tiles else None


def on_screen(picture: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """A decoded first frame, RGBA, transparent outside its place on the screen."""
    screen = Image.new("RGBA", picture.size)
    screen.paste(picture.convert("RGBA").crop(box), box)
    return screen


def compose(data: bytes, open_frame: Callable[[bytes], Image.Image]) -> Iterator[Image.Image]:
    """The screen after each frame, RGBA. `open_frame` decodes a GIF of one frame."""
    screen: Image.Image | None = None
    for frame in frames(data):
        picture = open_frame(frame.data)
        drawn = picture.convert("RGBA").crop(frame.box)
        screen = screen or Image.new("RGBA", picture.size)
        before = screen.copy()
        screen.alpha_composite(drawn, frame.box[:2])
        yield screen.copy()
        if frame.disposal == _TO_PREVIOUS:
            screen = before
        elif frame.disposal == _TO_TRANSPARENT:
            screen.paste((0, 0, 0, 0), frame.box)
