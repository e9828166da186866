"""Lines, curves, nets, rings and scribbles, behind a text or over it.

Each function draws on an RGB or RGBA picture. `unit` is the size of the letters in pixels.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from cnnlib.synthesis.chance import Rng, log_uniform
from cnnlib.synthesis.colours import Pen

Points = np.ndarray  # (n, 2), pixels
SMOOTH = 2  # smooth strokes are drawn this much larger


def draw_strokes(rng: Rng, picture: Image.Image, pen: Pen, unit: float, kind: str) -> None:
    """Draw strokes of one kind, with soft or with hard edges."""
    stroke = STROKES[kind]
    if rng.random() < 0.5:
        stroke(rng, ImageDraw.Draw(picture), np.array(picture.size), pen, unit)
        return
    width, height = picture.size
    layer = Image.new("RGBA", (SMOOTH * width, SMOOTH * height), (*pen(), 0))
    stroke(rng, ImageDraw.Draw(layer), np.array(layer.size), pen, SMOOTH * unit)
    layer = layer.reduce(SMOOTH)
    picture.paste(layer, (0, 0), layer)


def _line(draw: ImageDraw.ImageDraw, points: Points, pen: Pen, width: float) -> None:
    joint = "curve" if width > 2 else None
    draw.line([*map(tuple, points.tolist())], fill=pen(), width=max(1, round(width)), joint=joint)


def _width(rng: Rng, unit: float, most: float = 0.12) -> float:
    return log_uniform(rng, 0.015, most) * unit


def lines(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """A few straight lines anywhere."""
    width = _width(rng, unit)
    for _ in range(int(rng.integers(1, 9 if width < 0.06 * unit else 4))):
        _line(draw, rng.uniform(-0.1, 1.1, (2, 2)) * size, pen, width)


def crossing_lines(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Straight lines from the left edge to the right one."""
    width = _width(rng, unit)
    for _ in range(int(rng.integers(1, 7 if width < 0.06 * unit else 3))):
        _line(draw, np.array([[0, rng.random()], [1, rng.random()]]) * size, pen, width)


def many_lines(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, _unit: float) -> None:
    """Ten to forty thin lines."""
    for ends in rng.uniform(-0.1, 1.1, (int(rng.integers(10, 41)), 2, 2)):
        _line(draw, ends * size, pen, 1)


def short_strokes(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Twenty to sixty short strokes."""
    width, length = _width(rng, unit, 0.06), unit * rng.uniform(0.1, 0.5)
    for place in rng.random((int(rng.integers(20, 61)), 2)) * size:
        _line(draw, place + np.array([[0, 0], rng.uniform(-length, length, 2)]), pen, width)


def net(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """A grid, straight or turned, of one colour."""
    colour, step, turn = pen(), unit * rng.uniform(0.2, 0.9), rng.choice((0, rng.uniform(0, np.pi)))
    along, across = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    reach, width = float(np.hypot(*size)), max(1, round(unit / 40))
    directions = ((along, across), (across, along)) if rng.random() < 0.8 else ((along, across),)
    for forward, side in directions:
        for shift in np.arange(-reach / 2, reach / 2, step):
            middle = size / 2 + side * shift
            ends = np.stack([middle - forward * reach, middle + forward * reach])
            draw.line([*map(tuple, ends.tolist())], fill=colour, width=width)


def curves(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Bézier curves from left to right."""
    width = _width(rng, unit)
    t = np.linspace(0, 1, 24)[:, None]
    for _ in range(int(rng.integers(1, 5 if width < 0.06 * unit else 3))):
        places = np.stack([np.sort(rng.uniform(-0.05, 1.05, 4)), rng.uniform(-0.1, 1.1, 4)], axis=-1) * size
        weights = np.hstack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
        _line(draw, weights @ places, pen, width)


def waves(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Sine curves from edge to edge."""
    width, x = _width(rng, unit), np.linspace(0, 1, 60)
    for _ in range(int(rng.integers(1, 4))):
        turns, phase = rng.uniform(1, 14), rng.uniform(0, 2 * np.pi)
        y = rng.uniform(0.2, 0.8) + rng.uniform(0.05, 0.35) * np.sin(turns * x + phase)
        _line(draw, np.stack([x, y], axis=-1) * size, pen, width)


def tapering(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """One or two bent lines from edge to edge that get thinner."""
    for _ in range(int(rng.integers(1, 3))):
        count = int(rng.integers(3, 9))
        places = np.stack([np.linspace(-0.02, 1.02, count), rng.uniform(0.1, 0.9, count)], axis=-1) * size
        widths, colour = np.linspace(unit * rng.uniform(0.08, 0.16), 1, count), pen()
        widths = widths[:: 1 if rng.random() < 0.5 else -1]
        for start, end, width in zip(places, places[1:], widths, strict=False):
            draw.line([*start.tolist(), *end.tolist()], fill=colour, width=max(1, round(width)))


def rings(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Circles and ellipses."""
    width, largest = max(1, round(_width(rng, unit, 0.07))), unit * rng.uniform(0.2, 1)
    for x, y in rng.random((int(rng.integers(1, 12)), 2)) * size:
        a, b = rng.uniform(0.2, 1, 2) * largest
        b = a if rng.random() < 0.7 else b
        draw.ellipse((x - a, y - b, x + a, y + b), outline=pen(), width=width)


def arcs(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """Parts of large ellipses."""
    width = max(1, round(_width(rng, unit, 0.09)))
    for x, y in rng.uniform(-0.1, 1.1, (int(rng.integers(1, 7)), 2)) * size:
        a, b = rng.uniform(0.1, 0.9, 2) * size
        start = rng.uniform(0, 360)
        box = (x - a, y - b, x + a, y + b)
        draw.arc(box, start, start + rng.uniform(40, 300), fill=pen(), width=width)


def scribble(rng: Rng, draw: ImageDraw.ImageDraw, size: Points, pen: Pen, unit: float) -> None:
    """One line that wanders, as a hand draws it."""
    steps = rng.normal(0, 1, (40, 2)).cumsum(axis=0)
    steps = steps.cumsum(axis=0) if rng.random() < 0.5 else steps
    steps -= steps.min(axis=0)
    _line(draw, steps / (steps.max(axis=0) + 1e-9) * size, pen, _width(rng, unit, 0.05))


STROKES: dict[str, Callable[[Rng, ImageDraw.ImageDraw, Points, Pen, float], None]] = {
    each.__name__: each
    for each in (
        lines,
        crossing_lines,
        many_lines,
        short_strokes,
        net,
        curves,
        waves,
        tapering,
        rings,
        arcs,
        scribble,
    )
}
