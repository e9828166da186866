"""The colours of a picture: its ground, its ink, and what strokes and specks are drawn in."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnlib.synthesis.chance import Rng, Shares, pick_weighted

Colour = tuple[int, int, int]
LUMA = np.array([0.299, 0.587, 0.114])  # Rec. 601
LEAST_DISTANCE = 75  # of an ink from its ground; yellow and white have 86, black and white 255
LEAST_DISTANCE_OF_PALE = 50  # of one letter among others


@dataclass(frozen=True)
class Colours:
    """The ground and the main ink of a picture."""

    ground: Colour
    ink: Colour

    @property
    def distance(self) -> float:
        """How well the ink stands out, 0 to 255."""
        return distance(self.ground, self.ink)


def to_colour(values: np.ndarray) -> Colour:
    """Three numbers as a colour. What is below 0 or above 255 is clipped."""
    red, green, blue = (min(255, max(0, int(value))) for value in values)
    return red, green, blue


def to_picture(pixels: np.ndarray) -> Image.Image:
    """Numbers (height, width, 3) as an RGB picture. What is below 0 or above 255 is clipped."""
    return Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).clip(0, 255).astype(np.uint8))


def luma(colour: Colour) -> float:
    """The brightness of a colour, 0 to 255."""
    return float(LUMA @ colour)


def distance(colour: Colour, other: Colour) -> float:
    """The difference of two colours, 0 to 255. Green counts the most, as for the eye."""
    return float(np.sqrt(LUMA @ (np.subtract(colour, other) ** 2)))


def random_colour(rng: Rng, avoided: Colour | None = None, least: float = LEAST_DISTANCE) -> Colour:
    """A random colour, `least` or more away from `avoided`."""
    while True:
        colour = to_colour(rng.integers(0, 256, 3))
        if avoided is None or distance(colour, avoided) >= least:
            return colour


def near(rng: Rng, colour: Colour, spread: float) -> Colour:
    """A colour whose channels differ from those of `colour` by at most `spread`."""
    return to_colour(np.array(colour) + rng.uniform(-spread, spread, 3))


def blend(colour: Colour, other: Colour, share: float) -> Colour:
    """The mixture of two colours with this share of the other one."""
    return to_colour(np.array(colour) * (1 - share) + np.array(other) * share)


def _dark_on_white(rng: Rng) -> Colours:
    return Colours((255, 255, 255), to_colour(rng.integers(0, 150, 3)))


def _black_on_white(rng: Rng) -> Colours:
    return Colours((255, 255, 255), to_colour(np.full(3, rng.integers(0, 50))))


def _dark_on_light(rng: Rng) -> Colours:
    return Colours(to_colour(rng.integers(195, 256, 3)), to_colour(rng.integers(0, 140, 3)))


def _light_on_dark(rng: Rng) -> Colours:
    ink = np.full(3, 255) if rng.random() < 0.4 else rng.integers(140, 256, 3)
    return Colours(to_colour(rng.integers(0, 90, 3)), to_colour(ink))


def _greys(rng: Rng) -> Colours:
    return Colours(to_colour(np.full(3, rng.integers(0, 256))), to_colour(np.full(3, rng.integers(0, 256))))


def _one_tint(rng: Rng) -> Colours:
    """A light and a dark colour of the same hue."""
    hue = rng.dirichlet(np.ones(3)) * 3
    return Colours(to_colour(255 - (255 - 150 * hue) * rng.uniform(0, 0.35)), to_colour(hue * rng.uniform(30, 110)))


def _vivid_ground(rng: Rng) -> Colours:
    """Light ink on a saturated ground."""
    ground = rng.permutation([rng.integers(150, 256), rng.integers(0, 120), rng.integers(0, 90)])
    return Colours(to_colour(ground), to_colour(rng.integers(200, 256, 3)))


def _one_brightness(rng: Rng) -> Colours:
    """Two hues that are the same in grey."""
    while True:
        ground, ink = to_colour(rng.integers(0, 256, 3)), to_colour(rng.integers(0, 256, 3))
        if abs(luma(ground) - luma(ink)) < 8 and distance(ground, ink) >= LEAST_DISTANCE:
            return Colours(ground, ink)


def _any_two(rng: Rng) -> Colours:
    ground = random_colour(rng)
    return Colours(ground, random_colour(rng, ground, 100))


KINDS: dict[str, Callable[[Rng], Colours]] = {
    "dark on white": _dark_on_white,
    "black on white": _black_on_white,
    "dark on light": _dark_on_light,
    "light on dark": _light_on_dark,
    "greys": _greys,
    "one tint": _one_tint,
    "vivid ground": _vivid_ground,
    "one brightness": _one_brightness,
    "any two": _any_two,
}


def draw_colours(rng: Rng, shares: Shares) -> Colours:
    """Ground and ink. They are never too near each other for the eye."""
    while True:
        colours = KINDS[pick_weighted(rng, shares)](rng)
        if colours.distance >= LEAST_DISTANCE:
            return colours


def draw_inks(rng: Rng, colours: Colours, count: int, shares: Shares) -> list[Colour]:
    """The ink of each character: one for all, a few tones of one, or another colour for each, pale ones too."""
    kind = pick_weighted(rng, shares)
    if kind == "one":
        return [colours.ink] * count
    if kind == "tones":
        return [near(rng, colours.ink, 45) for _ in range(count)]
    return [random_colour(rng, colours.ground, LEAST_DISTANCE_OF_PALE if kind == "pale" else 80) for _ in range(count)]


Pen = Callable[[], Colour]


def draw_pen(rng: Rng, colours: Colours, shares: Shares) -> Pen:
    """What gives the colour of each next stroke: the ink, another colour, many, a faint one, or the ground's."""
    kind = pick_weighted(rng, shares)
    if kind == "many":
        return lambda: random_colour(rng)
    share = rng.uniform(0.15, 0.5)
    fixed = {
        "ink": colours.ink,
        "other": random_colour(rng, colours.ground, 40),
        "faint": blend(colours.ground, colours.ink if rng.random() < 0.6 else random_colour(rng), share),
        "ground": colours.ground,
    }[kind]
    return lambda: fixed
