"""Bend a picture: ripples, long waves, lenses, pinches, twirls, elastic skin, perspective and torn rows.

A field tells how far each point is moved. The points are those of a coarse grid, and the picture is moved in straight
pieces between them.
"""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from cnnlib.synthesis.chance import Rng, Shares, log_uniform, pick_weighted

CELLS = 26  # pieces of the longer side, at most
LEAST_CELL = 5  # pixels

Grid = np.ndarray  # (rows, columns), pixels from the left or upper edge
Field = Callable[[Rng, Grid, Grid, float], tuple[Grid, Grid]]  # x, y, unit -> pixels to the right and downwards


def warp(
    rng: Rng, picture: Image.Image, unit: float, strength: float = 1.0, kinds: Sequence[str] | None = None
) -> Image.Image:
    """The picture, moved by one or two fields. `unit` is the size of the letters in pixels."""
    kinds = kinds or [pick_weighted(rng, SHARES) for _ in range(1 if rng.random() < 0.7 else 2)]
    width, height = picture.size
    cell = max(LEAST_CELL, max(width, height) / CELLS)
    columns, rows = (np.linspace(0, side, max(2, round(side / cell) + 1)).round() for side in (width, height))
    x, y = np.meshgrid(columns, rows)
    corners = np.stack([x, y], axis=-1)
    for kind in kinds:
        corners += np.stack(FIELDS[kind](rng, x, y, unit), axis=-1) * strength / len(kinds) ** 0.5
    inside = corners.clip(0, (width - 0.6, height - 0.6))  # a piece taken from beyond the edge would be black
    return _move(picture, columns, rows, inside)


def pad(picture: Image.Image, margin: int) -> Image.Image:
    """The picture with transparent or black pixels around."""
    return picture.crop((-margin, -margin, picture.width + margin, picture.height + margin))


def _move(picture: Image.Image, columns: np.ndarray, rows: np.ndarray, corners: np.ndarray) -> Image.Image:
    """The picture whose pieces are taken from these corners, (rows, columns, 2)."""
    quads = np.concatenate([corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]], axis=-1)
    lefts, tops = map(np.ndarray.tolist, (columns.astype(int), rows.astype(int)))
    mesh = [
        ((lefts[column], tops[row], lefts[column + 1], tops[row + 1]), quad)
        for row, quads_of_row in enumerate(quads.tolist())
        for column, quad in enumerate(quads_of_row)
    ]
    return picture.transform(picture.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def ripple(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Short waves in both directions and along a diagonal."""
    lengths = unit * rng.uniform(0.9, 3, 3)
    amplitudes = unit * rng.uniform(0, 0.1, 3) * np.minimum(1, lengths / unit)
    phases = rng.uniform(0, 2 * np.pi, 3)
    waves = amplitudes * np.sin(2 * np.pi * np.stack([y, x, x + y], axis=-1) / lengths + phases)
    return waves[..., 0], waves[..., 1] + waves[..., 2]


def wave(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """One long wave in any direction."""
    length, turn = unit * log_uniform(rng, 1.5, 8), rng.uniform(0, np.pi)
    amplitude = min(0.45 * unit, length * rng.uniform(0.03, 0.13))
    height = amplitude * np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / length + rng.uniform(0, 2 * np.pi))
    moved = rng.uniform(0, np.pi) if rng.random() < 0.4 else turn + np.pi / 2
    return height * np.cos(moved), height * np.sin(moved)


def lens(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Larger at a random place."""
    return _radial(rng, x, y, unit, -rng.uniform(0.15, 0.45))


def pinch(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Smaller at a random place."""
    return _radial(rng, x, y, unit, rng.uniform(0.15, 0.5))


def _radial(rng: Rng, x: Grid, y: Grid, unit: float, strength: float) -> tuple[Grid, Grid]:
    dx, dy, near = _around(rng, x, y, unit)
    return dx * strength * near, dy * strength * near


def _around(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid, Grid]:
    """The way from a random place to each point, and how near it is, 1 to 0."""
    dx, dy = x - rng.random() * x.max(), y - rng.random() * y.max()
    radius = unit * rng.uniform(0.8, 2.5)
    return dx, dy, (1 - np.hypot(dx, dy) / radius).clip(0, 1) ** 2 * 1.5


def twirl(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Turned about a random place."""
    dx, dy, near = _around(rng, x, y, unit)
    turn = near * rng.choice((-1, 1)) * rng.uniform(0.2, 0.7)
    return dx * np.cos(turn) - dy * np.sin(turn) - dx, dx * np.sin(turn) + dy * np.cos(turn) - dy


def elastic(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Pulled here and there, a little."""
    return _skin(rng, x, y, unit * rng.uniform(0.5, 0.9), unit * rng.uniform(0.02, 0.06))


def strong_elastic(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Pulled here and there, so that each letter is bent in another way."""
    return _skin(rng, x, y, unit * rng.uniform(0.9, 1.6), unit * rng.uniform(0.07, 0.15))


def _skin(rng: Rng, x: Grid, y: Grid, cell: float, amplitude: float) -> tuple[Grid, Grid]:
    shape = (round(y.max() / cell) + 2, round(x.max() / cell) + 2)
    pulls = [Image.fromarray(pull) for pull in rng.uniform(-1, 1, (2, *shape)).astype(np.float32)]
    dx, dy = (np.asarray(pull.resize(x.shape[::-1], Image.Resampling.BICUBIC)) for pull in pulls)
    return dx * amplitude, dy * amplitude


def shear(rng: Rng, x: Grid, y: Grid, _unit: float) -> tuple[Grid, Grid]:
    """Slanted to one side, and perhaps up or down."""
    across, down = rng.uniform(-0.45, 0.45), rng.uniform(-0.08, 0.08)
    return (y - y.max() / 2) * across, (x - x.max() / 2) * down


def perspective(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Each corner moved on its own."""
    right, down = x / x.max(), y / y.max()
    shifts = rng.uniform(-0.45, 0.45, (2, 2, 2)) * unit
    upper = shifts[:, 0, 0, None, None] * (1 - right) + shifts[:, 0, 1, None, None] * right
    lower = shifts[:, 1, 0, None, None] * (1 - right) + shifts[:, 1, 1, None, None] * right
    dx, dy = upper * (1 - down) + lower * down
    return dx, dy


def barrel(rng: Rng, x: Grid, y: Grid, unit: float) -> tuple[Grid, Grid]:
    """Bent upwards or downwards as a whole."""
    place = 2 * x / x.max() - 1
    middle = 2 * y / y.max() - 1
    height = unit * rng.uniform(0.1, 0.5) * rng.choice((-1, 1)) * (place**2 - 0.5)
    return np.zeros_like(x), height * (middle if rng.random() < 0.4 else 1)


FIELDS: dict[str, Field] = {
    each.__name__: each
    for each in (ripple, wave, lens, pinch, twirl, elastic, strong_elastic, shear, perspective, barrel)
}
_EACH = (0.24, 0.24, 0.06, 0.06, 0.04, 0.08, 0.1, 0.06, 0.06, 0.06)
SHARES: Shares = dict(zip(FIELDS, _EACH, strict=True))


def tear_rows(rng: Rng, picture: Image.Image, unit: float) -> Image.Image:
    """Each row, or each column, moved by a jagged curve. What leaves on one side comes in on the other."""
    turned = rng.random() < 0.3
    pixels = np.asarray(picture.transpose(Image.Transpose.TRANSPOSE) if turned else picture)
    rows = np.arange(len(pixels))
    shifts = unit * rng.uniform(0.03, 0.1) * np.sin(2 * np.pi * rows / (unit * rng.uniform(0.3, 2)) + rng.uniform(0, 7))
    shifts = (shifts + rng.uniform(-0.8, 0.8, len(rows)) * (rng.random() < 0.5)).round().astype(int)
    moved = pixels[rows[:, None], (np.arange(pixels.shape[1]) + shifts[:, None]) % pixels.shape[1]]
    torn = Image.fromarray(moved)
    return torn.transpose(Image.Transpose.TRANSPOSE) if turned else torn
