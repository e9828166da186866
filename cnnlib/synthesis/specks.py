"""Scattered pixels, dots, squares and crosses. Each function draws on an RGB picture."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from cnnlib.synthesis.chance import Rng, log_uniform
from cnnlib.synthesis.colours import Pen


def draw_specks(rng: Rng, picture: Image.Image, pen: Pen, unit: float, kind: str) -> None:
    """Draw specks of one kind. `unit` is the size of the letters in pixels."""
    SPECKS[kind](rng, picture, pen, unit)


def _places(rng: Rng, picture: Image.Image, unit: float, most: float) -> np.ndarray:
    """Random places, up to `most` on an area as large as a letter."""
    area = picture.width * picture.height / unit**2
    return rng.random((2 + int(area * log_uniform(rng, most / 20, most)), 2)) * picture.size


def single_pixels(rng: Rng, picture: Image.Image, pen: Pen, _unit: float) -> None:
    """Up to a seventh of all pixels in one colour or two."""
    for _ in range(int(rng.integers(1, 3))):
        chosen = rng.random((picture.height, picture.width)) < log_uniform(rng, 0.01, 0.14)
        picture.paste(pen(), (0, 0), Image.fromarray(chosen))


def coloured_pixels(rng: Rng, picture: Image.Image, _pen: Pen, _unit: float) -> None:
    """Up to an eighth of all pixels, each in another colour."""
    chosen = rng.random((picture.height, picture.width)) < log_uniform(rng, 0.01, 0.12)
    colours = rng.integers(0, 256, (picture.height, picture.width, 3), np.uint8)
    picture.paste(Image.fromarray(colours), (0, 0), Image.fromarray(chosen))


def dots(rng: Rng, picture: Image.Image, pen: Pen, unit: float) -> None:
    """Round dots of one size."""
    draw, radius = ImageDraw.Draw(picture), max(0.5, unit * rng.uniform(0.015, 0.07))
    for x, y in _places(rng, picture, unit, 6):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=pen())


def dots_of_sizes(rng: Rng, picture: Image.Image, pen: Pen, unit: float) -> None:
    """Round dots of many sizes, some as large as a hole of a letter."""
    draw = ImageDraw.Draw(picture)
    for x, y in _places(rng, picture, unit, 2.5):
        radius = unit * log_uniform(rng, 0.02, 0.16)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=pen())


def squares(rng: Rng, picture: Image.Image, pen: Pen, unit: float) -> None:
    draw, side = ImageDraw.Draw(picture), unit * rng.uniform(0.05, 0.15)
    for x, y in _places(rng, picture, unit, 3):
        draw.rectangle((x, y, x + side, y + side), fill=pen())


def crosses(rng: Rng, picture: Image.Image, pen: Pen, unit: float) -> None:
    """Small crosses or stars."""
    draw, arm = ImageDraw.Draw(picture), max(1.0, unit * rng.uniform(0.05, 0.14))
    for x, y in _places(rng, picture, unit, 3):
        colour = pen()
        draw.line((x - arm, y, x + arm, y), fill=colour)
        draw.line((x, y - arm, x, y + arm), fill=colour)


SPECKS: dict[str, Callable[[Rng, Image.Image, Pen, float], None]] = {
    each.__name__: each for each in (single_pixels, coloured_pixels, dots, dots_of_sizes, squares, crosses)
}
