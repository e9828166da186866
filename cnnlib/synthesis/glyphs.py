"""Draw single characters: from a font, in a style, turned, slanted and stretched."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from cnnlib.synthesis.chance import Rng
from cnnlib.synthesis.colours import Colour

MARGIN = 3  # pixels around a character, for styles that make it larger
MOST_FILLED = 85  # mean of a mask, of 255; letters in boxes have more
DETAIL_SIZE = 28  # pixels; styles with inner detail need a font of this size


@dataclass(frozen=True)
class Glyph:
    """A character on a transparent RGBA picture without empty rows and columns.

    `top` is the distance of its first row from the middle of the line, in pixels, mostly below 0.
    """

    picture: Image.Image
    top: float


@dataclass(frozen=True)
class Pose:
    """How a character is turned and stretched."""

    turn: float = 0.0  # degrees
    slant: float = 0.0  # pixels to the right for each pixel up
    width: float = 1.0
    height: float = 1.0
    tilt: tuple[float, float] = (0.0, 0.0)  # towards the eye: how much larger one side is than the other


@functools.lru_cache(maxsize=512)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=2048)
def mask_of(path: str, size: int, character: str, smooth: bool = True) -> Image.Image:
    """How much of each pixel a character covers, 0 to 255, in a cell whose middle row is the middle of the line."""
    font = _font(path, size)
    ascent, descent = font.getmetrics()
    left, top, right, bottom = font.getbbox(character, mode="L" if smooth else "1")
    middle = (ascent + descent) / 2
    half = int(max(middle - top, bottom - middle, 2)) + MARGIN
    mask = Image.new("L", (max(2, int(right - left)) + 2 * MARGIN, 2 * half))
    draw = ImageDraw.Draw(mask)
    draw.fontmode = "L" if smooth else "1"
    draw.text((MARGIN - left, half - middle), character, font=font, fill=255)
    return mask


def draw_glyph(rng: Rng, mask: Image.Image, style: str, ink: Colour, second: Colour, pose: Pose) -> Glyph:
    """A character in a style. `second` is the colour of what the style adds to the ink."""
    glyph = _transform(STYLES[style](rng, mask, ink, second), pose)
    box = glyph.getchannel("A").getbbox() or (0, 0, 1, 1)
    return Glyph(glyph.crop(box), box[1] - glyph.height / 2)


def _transform(glyph: Image.Image, pose: Pose) -> Image.Image:
    """The glyph in its pose, about its centre, on a picture that is as large as it needs."""
    if pose == Pose():
        return glyph
    turn = np.deg2rad(pose.turn)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    matrix = matrix @ [[1, -pose.slant], [0, 1]] @ np.diag([pose.width, pose.height])
    half = np.array(glyph.size) / 2
    size = np.ceil(2 * np.abs(matrix) @ half * (1 + 0.3 * np.abs(pose.tilt).sum())).astype(int) + 2
    (a, b), (c, d) = np.linalg.inv(matrix)
    centre = size / 2
    # Pillow's coefficients lead from output to input; `g` and `h` are what the tilt divides by.
    g, h = np.array(pose.tilt) / size
    rows = np.array([[a, b, 0], [c, d, 0], [g, h, 1]]) @ [[1, 0, -centre[0]], [0, 1, -centre[1]], [0, 0, 1]]
    rows[:2] += half[:, None] * rows[2]
    coefficients = (rows / rows[2, 2]).ravel()[:8].tolist()
    return glyph.transform(
        (int(size[0]), int(size[1])), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR
    )


def _inked(mask: Image.Image, ink: Colour) -> Image.Image:
    glyph = Image.new("RGBA", mask.size, (*ink, 0))
    glyph.putalpha(mask)
    return glyph


def _masked(mask: Image.Image, pattern: np.ndarray) -> Image.Image:
    return Image.fromarray(np.where(pattern, np.asarray(mask), 0).astype(np.uint8))


def _covered(coarse: Image.Image) -> np.ndarray:
    """Which cells are ink. Thin strokes cover no cell by half, so that the darkest cells set the limit."""
    cover = np.asarray(coarse)
    return cover > min(110, 0.4 * cover.max())


def larger(mask: Image.Image) -> Image.Image:
    """The mask with strokes that are a pixel wider on each side."""
    return mask.filter(ImageFilter.MaxFilter(3))


def solid(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    return _inked(mask, ink)


def bold(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """Strokes that are wider, unless the letter's holes would close."""
    return _inked(larger(mask) if np.asarray(mask).mean() < MOST_FILLED else mask, ink)


def hollow(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """The outline alone."""
    return _inked(ImageChops.subtract(larger(mask), mask), ink)


def outlined(_rng: Rng, mask: Image.Image, ink: Colour, second: Colour) -> Image.Image:
    """The second colour with an outline of ink."""
    glyph = _inked(larger(mask), ink)
    glyph.paste((*second, 255), (0, 0), mask)
    return glyph


def halftone(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """A net of thin gaps in the ink."""
    x, y = np.arange(mask.width), np.arange(mask.height)[:, None]
    return _inked(_masked(mask, (x % 3 > 0) & (y % 3 > 0)), ink)


def dots(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """Round dots on a grid."""
    step = max(3, mask.height // 12)
    coarse = mask.resize((-(-mask.width // step), -(-mask.height // step)), Image.Resampling.BOX)
    inside = np.hypot(*(np.indices((step, step)) - (step - 1) / 2)) <= 0.52 * step
    cells = np.kron(_covered(coarse), inside) * np.uint8(255)
    return _inked(Image.fromarray(cells), ink)


def hatched(rng: Rng, mask: Image.Image, ink: Colour, second: Colour) -> Image.Image:
    """Stripes of the ink, or of the ink and the second colour."""
    x, y = np.arange(mask.width), np.arange(mask.height)[:, None]
    step = int(rng.integers(3, 5))
    pattern = (x * int(rng.integers(0, 2)) + y) % step > 0
    stripes = _masked(mask, pattern)
    if rng.random() < 0.6:
        return _inked(stripes, ink)
    glyph = _inked(mask, second)
    glyph.paste((*ink, 255), (0, 0), stripes)
    return glyph


def pixels(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """Large square pixels."""
    step = max(2, mask.height // 15)
    small = mask.resize((-(-mask.width // step), -(-mask.height // step)), Image.Resampling.BOX)
    hard = Image.fromarray(_covered(small) * np.uint8(255))
    return _inked(hard.resize((hard.width * step, hard.height * step), Image.Resampling.NEAREST), ink)


def ragged(rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """Torn edges."""
    soft = np.asarray(mask.filter(ImageFilter.BoxBlur(1)), np.float32)
    return _inked(Image.fromarray(((soft + rng.uniform(-90, 90, soft.shape)) > 128) * np.uint8(255)), ink)


def torn(rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """Thin cracks across the letter."""
    x, y = np.arange(mask.width), np.arange(mask.height)[:, None]
    slope, step = rng.uniform(-0.4, 0.4), rng.integers(5, 9)
    return _inked(_masked(mask, (y + slope * x + rng.uniform(0, step)) % step >= 1.2), ink)


def sliced(rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """The lower part a little beside the upper one."""
    rows, cut = np.asarray(mask).copy(), int(mask.height * rng.uniform(0.35, 0.65))
    rows[cut:] = np.roll(rows[cut:], int(rng.choice((-2, 2))), axis=1)
    return _inked(Image.fromarray(rows), ink)


def boxed(_rng: Rng, mask: Image.Image, ink: Colour, _second: Colour) -> Image.Image:
    """The letter in a frame."""
    glyph = _inked(mask, ink)
    ImageDraw.Draw(glyph).rectangle((0, 0, glyph.width - 1, glyph.height - 1), outline=(*ink, 255))
    return glyph


def cut_out(rng: Rng, mask: Image.Image, ink: Colour, second: Colour) -> Image.Image:
    """The letter in the second colour on a box of ink, whose edges may be ragged."""
    cover = np.full((mask.height, mask.width), 255, np.uint8)
    if rng.random() < 0.6:
        depth = rng.uniform(0, MARGIN, (2, mask.width)), rng.uniform(0, MARGIN, (2, mask.height))
        x, y = np.arange(mask.width), np.arange(mask.height)[:, None]
        inside = (y >= depth[0][0]) & (y < mask.height - depth[0][1])
        cover[~(inside & (x >= depth[1][0][:, None]) & (x < mask.width - depth[1][1][:, None]))] = 0
    glyph = _inked(Image.fromarray(cover), ink)
    glyph.paste((*second, 255), (0, 0), mask)
    return glyph


STYLES: dict[str, Callable[[Rng, Image.Image, Colour, Colour], Image.Image]] = {
    each.__name__: each
    for each in (
        solid,
        bold,
        hollow,
        outlined,
        halftone,
        dots,
        hatched,
        pixels,
        ragged,
        torn,
        sliced,
        boxed,
        cut_out,
    )
}
DETAILED = ("hollow", "outlined", "halftone", "dots", "hatched", "pixels", "torn")  # what small letters can't show
TWO_COLOURED = ("outlined", "hatched", "boxed", "cut_out")  # whose shape alone is no letter
