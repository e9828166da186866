"""Draw a row of characters on a transparent picture, with random fonts, sizes, rotations, spacing and styles."""

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]
MIN_FONT_SIZE = 8  # pixels


def to_colour(values: np.ndarray) -> Colour:
    """Three whole numbers, 0 to 255, as a tuple for Pillow."""
    red, green, blue = (int(value) for value in values)
    return red, green, blue


def random_colour(rng: np.random.Generator, avoided: Colour, distance: int) -> Colour:
    """A random colour with a channel that differs from that of `avoided` by `distance` or more."""
    while True:
        colour = rng.integers(0, 256, 3)
        if np.abs(colour - avoided).max() >= distance:
            return to_colour(colour)


@functools.lru_cache(maxsize=256)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def draw_text(
    rng: np.random.Generator, label: str, fonts: Sequence[str], inks: Sequence[Colour], size: tuple[int, int]
) -> Image.Image:
    """`label` on a transparent RGBA picture of `size`, width and height in pixels. Each character has its own ink."""
    height = size[1] * rng.uniform(0.45, 0.85)
    rotation = rng.choice((0, 8, 20, 35), p=(0.25, 0.25, 0.3, 0.2))  # largest one, degrees
    slant = rng.uniform(-0.3, 0.3) if rng.random() < 0.3 else 0.0
    mixed_fonts, mixed_sizes = rng.random(2) < (0.35, 0.4)
    style = rng.choice(("solid", "hollow", "halftone", "boxed"), p=(0.82, 0.08, 0.05, 0.05))
    font = str(rng.choice(fonts))
    glyphs = []
    for character, ink in zip(label, inks, strict=True):
        font = str(rng.choice(fonts)) if mixed_fonts else font
        scale = rng.uniform(0.8, 1.1) if mixed_sizes else 1.0
        glyph = _glyph(character, _font(font, max(MIN_FONT_SIZE, int(height * scale))), ink, str(style))
        glyph = _slant(glyph, slant).rotate(rng.uniform(-rotation, rotation), Image.Resampling.BILINEAR, expand=True)
        glyphs.append(glyph.crop(glyph.getchannel("A").getbbox()))
    return _arrange(rng, glyphs, size, height)


def _glyph(character: str, font: ImageFont.FreeTypeFont, fill: Colour, style: str) -> Image.Image:
    """One character on a transparent RGBA picture that is a little larger."""
    left, top, right, bottom = font.getbbox(character)
    glyph = Image.new("RGBA", (int(right - left) + 8, int(bottom - top) + 8), (*fill, 0))
    draw, origin = ImageDraw.Draw(glyph), (4 - left, 4 - top)
    if style == "hollow":
        draw.text(origin, character, font=font, fill=(*fill, 0), stroke_width=1, stroke_fill=(*fill, 255))
    else:
        draw.text(origin, character, font=font, fill=(*fill, 255))
    if style == "halftone":
        alpha = np.array(glyph.getchannel("A"))
        alpha[::3], alpha[:, ::3] = 0, 0
        glyph.putalpha(Image.fromarray(alpha))
    if style == "boxed":
        draw.rectangle((0, 0, glyph.width - 1, glyph.height - 1), outline=(*fill, 255))
    return glyph


def _slant(glyph: Image.Image, slant: float) -> Image.Image:
    if not slant:
        return glyph
    extra = int(abs(slant) * glyph.height) + 1
    shift = -extra if slant > 0 else 0
    size, matrix = (glyph.width + extra, glyph.height), (1, slant, shift, 0, 1, 0)
    return glyph.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)


def _arrange(rng: np.random.Generator, glyphs: list[Image.Image], size: tuple[int, int], height: float) -> Image.Image:
    """A transparent picture of `size` with the glyphs in a row. The row is narrowed if it is too wide."""
    gap = height * rng.choice((rng.uniform(-0.14, 0), rng.uniform(0, 0.15), rng.uniform(0.15, 0.6)), p=(0.4, 0.4, 0.2))
    lefts = np.concatenate([[0], np.cumsum([max(4.0, glyph.width + gap) for glyph in glyphs])])
    width = max(left + glyph.width for left, glyph in zip(lefts, glyphs, strict=False))
    scale = min(1.0, (size[0] - 2) / width)
    margin = (size[0] - width * scale) * rng.choice((0.5, 0.1, rng.random()))
    jitter, middle = rng.choice((0, 0.05, 0.15)), rng.uniform(0.4, 0.6)
    text = Image.new("RGBA", size, (0, 0, 0, 0))
    for left, glyph in zip(lefts, glyphs, strict=False):
        if scale < 1:
            glyph = glyph.resize((max(2, int(glyph.width * scale)), glyph.height), Image.Resampling.BILINEAR)
        top = size[1] * (middle + jitter * rng.uniform(-1, 1)) - glyph.height / 2
        top = min(max(top, 0), max(0, size[1] - glyph.height))
        cropped = glyph.crop((0, 0, glyph.width, min(glyph.height, size[1])))
        text.alpha_composite(cropped, (int(margin + left * scale), int(top)))
    return text
