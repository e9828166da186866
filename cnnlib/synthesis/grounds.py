"""What is behind the text: one colour, gradients, clouds, boxes, grain, stripes, blobs and the like.

Each function returns an RGB picture of `size`, width and height in pixels. It leaves the ink readable.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

from cnnlib.synthesis.chance import Rng, log_uniform
from cnnlib.synthesis.colours import Colour, Colours, distance, near, random_colour, to_colour, to_picture

Size = tuple[int, int]


def draw_ground(rng: Rng, colours: Colours, size: Size, kind: str) -> Image.Image:
    """A ground of a kind."""
    return GROUNDS[kind](rng, colours, size)


def _spread(rng: Rng, colours: Colours) -> float:
    """How far the ground may stray from its colour, so that the ink stands out everywhere."""
    return rng.uniform(0.08, 0.42) * colours.distance


def plain(_rng: Rng, colours: Colours, size: Size) -> Image.Image:
    return Image.new("RGB", size, colours.ground)


def gradient(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """From corner to corner, or from one edge to the other."""
    spread, shape = 1.4 * _spread(rng, colours), (2, 2)
    if rng.random() < 0.6:
        shape = (1, 2) if rng.random() < 0.6 else (2, 1)
    cells = np.array(colours.ground) + rng.uniform(-spread, spread, (*shape, 3 if rng.random() < 0.5 else 1))
    return to_picture(cells).resize(size, Image.Resampling.BILINEAR)


def fading(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """From the colour to white or to black at one edge, whichever is farther from the ink."""
    bright = distance(colours.ink, (255, 255, 255)) > distance(colours.ink, (0, 0, 0))
    end = np.full(3, 255 if bright else 0)
    cells = np.stack([np.array(colours.ground), end]).astype(float)[:: 1 if rng.random() < 0.5 else -1]
    cells = cells[None] if rng.random() < 0.5 else cells[:, None]
    return to_picture(cells).resize(size, Image.Resampling.BILINEAR)


def clouds(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Noise of one to four scales."""
    spread = _spread(rng, colours)
    layers = np.zeros((size[1], size[0], 3))
    for octave in range(int(rng.integers(1, 5))):
        shape = (*rng.integers(2, 5, 2) * 2**octave, 3 if rng.random() < 0.7 else 1)
        cells = to_picture(rng.uniform(0, 255, shape)).resize(size, Image.Resampling.BICUBIC)
        layers += (np.asarray(cells, np.float32) / 127.5 - 1) / 1.6**octave
    return to_picture(np.array(colours.ground) + spread * layers)


def photo(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Clouds that blend between areas of other colours, with sharp edges and grain."""
    base = np.asarray(clouds(rng, colours, size), np.float32)
    area = to_picture(rng.uniform(0, 255, (*rng.integers(2, 7, 2), 1))).resize(size, Image.Resampling.BICUBIC)
    edge = ((np.asarray(area, np.float32) - 128) * rng.uniform(0.02, 0.4)).clip(0, 1)
    shift = rng.uniform(-1, 1, 3) * _spread(rng, colours)
    grain = rng.normal(0, rng.uniform(1, 9), (size[1], size[0], 1))
    return to_picture(base + edge * shift + grain)


def boxes(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Boxes in colours near the ground's."""
    picture, spread = Image.new("RGB", size, colours.ground), _spread(rng, colours)
    draw = ImageDraw.Draw(picture)
    for x, y, width, height in rng.random((int(rng.integers(5, 120)), 4)) * (*size, size[0] / 4, size[1] / 2):
        draw.rectangle((x, y, x + width, y + height), fill=near(rng, colours.ground, spread))
    return picture


def vivid_boxes(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Many small boxes in saturated colours. None is near the ink."""
    corners = to_colours(np.indices((3, 3, 3)).reshape(3, -1).T * 127.5)
    fills = [colour for colour in corners if distance(colour, colours.ink) > 90] or [colours.ground]
    picture = Image.new("RGB", size, colours.ground)
    draw, largest = ImageDraw.Draw(picture), rng.uniform(0.15, 0.5)
    places = rng.random((int(rng.integers(40, 300)), 4)) * (*size, size[0] * largest / 2, size[1] * largest)
    for (x, y, width, height), fill in zip(places, rng.integers(0, len(fills), len(places)), strict=True):
        draw.rectangle((x, y, x + width, y + height), fill=fills[int(fill)])
    return picture


def to_colours(values: np.ndarray) -> list[Colour]:
    """Rows of three numbers as colours."""
    return [to_colour(value) for value in values]


def grain(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    noise = rng.normal(0, _spread(rng, colours), (size[1], size[0], 1 if rng.random() < 0.5 else 3))
    return to_picture(np.array(colours.ground) + noise)


def stripes(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Bands in any direction, hard or soft."""
    x, y = np.arange(size[0]), np.arange(size[1])[:, None]
    turn, length = rng.uniform(0, np.pi), log_uniform(rng, 3, 30)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * 2 * np.pi / length)
    wave = np.sign(wave) if rng.random() < 0.4 else wave
    shift = rng.uniform(-1, 1, 3) * _spread(rng, colours)
    return to_picture(np.array(colours.ground) + wave[..., None] * shift)


def checks(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """A chessboard."""
    side = int(rng.integers(2, max(4, size[1] // 3)))
    cells = (np.arange(size[0]) // side + np.arange(size[1])[:, None] // side) % 2
    shift = rng.uniform(-1, 1, 3) * _spread(rng, colours)
    return to_picture(np.array(colours.ground) + cells[..., None] * shift)


def blobs(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Discs in colours near the ground's."""
    picture, spread = Image.new("RGB", size, colours.ground), _spread(rng, colours)
    draw, largest = ImageDraw.Draw(picture), size[1] * rng.uniform(0.1, 0.6)
    for x, y, radius in rng.random((int(rng.integers(4, 60)), 3)) * (*size, largest):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=near(rng, colours.ground, spread))
    return picture


def shards(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Triangles in colours near the ground's."""
    picture, spread = Image.new("RGB", size, colours.ground), _spread(rng, colours)
    draw = ImageDraw.Draw(picture)
    for corners in rng.uniform(-0.2, 1.2, (int(rng.integers(3, 25)), 3, 2)) * size:
        draw.polygon([*map(tuple, corners.tolist())], fill=near(rng, colours.ground, spread))
    return picture


def rays(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """Thin lines from one place, or a spiral of them, in a faint colour."""
    picture = Image.new("RGB", size, colours.ground)
    draw, centre = ImageDraw.Draw(picture), rng.random(2) * size
    fill = near(rng, colours.ground, 1.2 * _spread(rng, colours))
    bend = rng.uniform(-3, 3)
    radii = np.linspace(0, 1.2 * size[0], 12)
    for turn in np.linspace(0, 2 * np.pi, int(rng.integers(12, 60))):
        turns = turn + bend * radii / size[0]
        points = centre + np.stack([np.cos(turns), np.sin(turns)], axis=-1) * radii[:, None]
        draw.line([*map(tuple, points.tolist())], fill=fill)
    return picture


def bands(rng: Rng, colours: Colours, size: Size) -> Image.Image:
    """A wide band of another colour at the upper and the lower edge, up to a sixth of the height."""
    picture = Image.new("RGB", size, colours.ground)
    depth = int(size[1] * rng.uniform(0.03, 0.17))
    colour = (0, 0, 0) if rng.random() < 0.5 else random_colour(rng, colours.ink)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, size[0], depth), fill=colour)
    draw.rectangle((0, size[1] - depth, size[0], size[1]), fill=colour)
    return picture


GROUNDS: dict[str, Callable[[Rng, Colours, Size], Image.Image]] = {
    each.__name__: each
    for each in (
        plain,
        gradient,
        fading,
        clouds,
        photo,
        boxes,
        vivid_boxes,
        grain,
        stripes,
        checks,
        blobs,
        shards,
        rays,
        bands,
    )
}
