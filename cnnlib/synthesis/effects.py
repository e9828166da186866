"""What is done with a text on its ground: shadows, ghosts, embossing, halos, gradients in the ink.

Each function puts the text, a transparent RGBA picture as large as the RGB picture, on that picture.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from cnnlib.synthesis.chance import Rng, pick
from cnnlib.synthesis.colours import Colour, Colours, blend, random_colour, to_colour, to_picture

Effect = Callable[[Rng, Image.Image, Image.Image, Colours, float], None]


def put_text(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, unit: float, kind: str) -> None:
    """Put the text on the picture with one effect or none. `unit` is the size of the letters in pixels."""
    EFFECTS[kind](rng, picture, text, colours, unit)


def none(_rng: Rng, picture: Image.Image, text: Image.Image, _colours: Colours, _unit: float) -> None:
    picture.paste(text, (0, 0), text)


def _paste_shape(picture: Image.Image, shape: Image.Image, colour: Colour, shift: tuple[int, int]) -> None:
    picture.paste(colour, shift, shape)


def _shift(rng: Rng, unit: float, least: float, most: float) -> tuple[int, int]:
    """A move in any direction, 1 pixel at least. It is shorter than a letter's stroke is thick, or nearly so."""
    turn, length = rng.uniform(0, 2 * np.pi), max(1.0, unit * rng.uniform(least, most))
    return round(length * np.cos(turn)), round(length * np.sin(turn))


def soft_shadow(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, unit: float) -> None:
    """A blurred shadow of the ink's colour, of black, or of another colour."""
    colour = pick(rng, (colours.ink, (0, 0, 0), random_colour(rng, colours.ink, 50)))
    shape = text.getchannel("A").filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.02, 0.09)))
    strength = rng.uniform(0.3, 0.8)
    _paste_shape(picture, shape.point(lambda value: value * strength), colour, _shift(rng, unit, 0.0, 0.14))
    picture.paste(text, (0, 0), text)


def hard_shadow(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, unit: float) -> None:
    """A sharp shadow, far enough from the ink's colour to tell the letters."""
    colour = random_colour(rng, colours.ink, 60) if rng.random() < 0.5 else blend(colours.ink, colours.ground, 0.6)
    _paste_shape(picture, text.getchannel("A"), colour, _shift(rng, unit, 0.03, 0.12))
    picture.paste(text, (0, 0), text)


def twice(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, unit: float) -> None:
    """The text again, faint or in its own colour, a little beside."""
    own = rng.random() < 0.35
    strength, most = (1.0, 0.06) if own else (rng.uniform(0.25, 0.55), 0.3)
    colour = colours.ink if own else random_colour(rng, colours.ground)
    shape = text.getchannel("A").point(lambda value: value * strength)
    _paste_shape(picture, shape, colour, _shift(rng, unit, 0.03, most))
    picture.paste(text, (0, 0), text)


def embossed(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, unit: float) -> None:
    """Light on one side and dark on the other. The letters themselves have a colour near the ground's."""
    shape, step = text.getchannel("A"), max(1, round(unit * rng.uniform(0.025, 0.06)))
    step *= pick(rng, (-1, 1))
    for colour, sign in (((255, 255, 255), -1), ((0, 0, 0), 1)):
        _paste_shape(picture, shape, blend(colours.ground, colour, rng.uniform(0.65, 1)), (sign * step, sign * step))
    _paste_shape(picture, shape, blend(colours.ground, colours.ink, rng.uniform(0.05, 0.4)), (0, 0))


def halo(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, _unit: float) -> None:
    """An outline in another colour, around the whole text."""
    shape = text.getchannel("A").filter(ImageFilter.MaxFilter(pick(rng, (3, 5))))
    _paste_shape(picture, shape, random_colour(rng, colours.ink, 100), (0, 0))
    picture.paste(text, (0, 0), text)


def shaded(rng: Rng, picture: Image.Image, text: Image.Image, colours: Colours, _unit: float) -> None:
    """Ink that changes its colour from one edge to the other, or in patches."""
    shape = pick(rng, ((1, 2), (2, 1), (2, 2), (1, 5), (3, 9)))
    cells = np.array([random_colour(rng, colours.ground, 90) for _ in range(shape[0] * shape[1])], float)
    fill = to_picture(cells.reshape(*shape, 3)).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(fill, (0, 0), text.getchannel("A"))


def grainy(rng: Rng, picture: Image.Image, text: Image.Image, _colours: Colours, _unit: float) -> None:
    """Ink with grain or with holes in the ground's colour."""
    if rng.random() < 0.5:
        noise = rng.normal(0, rng.uniform(15, 45), (picture.height, picture.width, 3))
        picture.paste(to_picture(np.asarray(text.convert("RGB")) + noise), (0, 0), text.getchannel("A"))
        return
    keep = Image.fromarray((rng.random((picture.height, picture.width)) > rng.uniform(0.05, 0.25)) * np.uint8(255))
    picture.paste(text, (0, 0), ImageChops.multiply(text.getchannel("A"), keep))


def translucent(rng: Rng, picture: Image.Image, text: Image.Image, _colours: Colours, _unit: float) -> None:
    """Ink through which the ground is seen."""
    strength = rng.uniform(0.55, 0.9)
    picture.paste(text, (0, 0), text.getchannel("A").point(lambda value: value * strength))


EFFECTS: dict[str, Effect] = {
    each.__name__: each for each in (none, soft_shadow, hard_shadow, twice, embossed, halo, shaded, grainy, translucent)
}


def invert_bars(rng: Rng, picture: Image.Image, unit: float) -> Image.Image:
    """The picture with the colours inverted inside slanted bars."""
    x, y = np.arange(picture.width), np.arange(picture.height)[:, None]
    inside = np.zeros((picture.height, picture.width), bool)
    for _ in range(int(rng.integers(1, 4))):
        first, last = rng.uniform(0, picture.height, 2)
        inside ^= abs(y - first - (last - first) * x / picture.width) < unit * rng.uniform(0.03, 0.12)
    return Image.composite(ImageChops.invert(picture), picture, Image.fromarray(inside))


def frame(rng: Rng, picture: Image.Image, colours: Colours) -> Image.Image:
    """The picture with a line around it."""
    width = int(rng.integers(1, 3))
    colour = pick(rng, (colours.ink, (0, 0, 0), to_colour(rng.integers(0, 256, 3))))
    framed = Image.new("RGB", picture.size, colour)
    framed.paste(picture.crop((width, width, picture.width - width, picture.height - width)), (width, width))
    return framed
