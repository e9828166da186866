"""Labelled pictures of many looks, each a pure function of its seed: what a general reader is trained on.

Fonts, colours, grounds, spacing, slant, ripples, lines, dots, bars and blur are drawn at random, each over
a range wider than any one captcha generator's.
"""

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.synthesis.glyphs import Colour, colour_of, draw_text, other_colour

CELL = 8  # pixels of a ripple that is drawn as straight pieces


def draw_random_look(config: CaptchaConfig, seed: str, fonts: Sequence[str]) -> tuple[str, bytes]:
    """Label and encoded picture number `seed`: characters in a look of its own.

    The same seed gives the same label and pixels in any process that draws with the same fonts.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    length = int(rng.choice(config.lengths))
    label = "".join(rng.choice(list(config.characters), length))
    size = (int(rng.integers(26, 46) * max(length, 3.5)), int(rng.integers(40, 81)))
    picture = draw_picture(rng, label, fonts, size).resize((config.width, config.height), Image.Resampling.BILINEAR)
    return label, encode_picture(picture, config.image_suffix)


def draw_picture(rng: np.random.Generator, label: str, fonts: Sequence[str], size: tuple[int, int]) -> Image.Image:
    """`label` in a look drawn from `rng`, on an RGB picture of `size`."""
    ground, ink = _colours(rng)
    toneless = abs(_grey(ground) - _grey(ink)) > 100 and rng.random() < 0.15
    mixed = not toneless and rng.random() < 0.25
    inks = [other_colour(rng, ground, 110) if mixed else ink for _ in label]
    picture = _ground(rng, ground, size)
    text = _warped(rng, draw_text(rng, label, fonts, inks, size))
    if rng.random() < 0.1:
        shadow = Image.new("RGBA", size, (*other_colour(rng, ink, 60), 0))
        shadow.putalpha(text.getchannel("A").filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2.5)))))
        picture.paste(shadow, tuple(rng.integers(-1, 5, 2)), shadow)
    if rng.random() < 0.2:  # behind the text
        _lines(rng, picture, ink)
    picture.paste(text, (0, 0), text)
    if rng.random() < 0.65:
        _lines(rng, picture, ink)
    if rng.random() < 0.3:
        _dots(rng, picture, ink)
    if rng.random() < 0.05:
        picture = _inverted_bars(rng, picture)
    if rng.random() < 0.12:
        ImageDraw.Draw(picture).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=ink)
    if toneless:
        picture = picture.convert("1" if rng.random() < 0.4 else "L", dither=Image.Dither.NONE).convert("RGB")
    return _worn(rng, picture)


def _grey(colour: Colour) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def _colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Ground and ink: dark on light, light on dark, two greys, or any two that differ in some channel."""
    kind = rng.random()
    if kind < 0.45:
        ground, ink = rng.integers(200, 256, 3), rng.integers(0, 120, 3)
        if rng.random() < 0.5:
            ground, ink = np.full(3, 255), (np.zeros(3, int) if rng.random() < 0.5 else ink)
    elif kind < 0.55:
        ground, ink = rng.integers(0, 80, 3), rng.integers(150, 256, 3)
    elif kind < 0.65:  # greys
        ground = np.full(3, rng.integers(0, 256))
        ink = (ground + rng.integers(90, 167)) % 256
    else:
        ground = rng.integers(0, 256, 3)
        ink = np.array(other_colour(rng, colour_of(ground), 110))
    return colour_of(ground), colour_of(ink)


def _ground(rng: np.random.Generator, colour: Colour, size: tuple[int, int]) -> Image.Image:
    """Flat, a slope, clouds, boxes or grain."""
    picture = Image.new("RGB", size, colour)
    kind = rng.random()
    if kind < 0.5:
        return picture
    spread = int(rng.integers(20, 70))
    if kind < 0.6:  # a slope from one corner to another
        cells = np.array(colour) + rng.integers(-spread, spread + 1, (2, 2, 3))
        return Image.fromarray(cells.clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    if kind < 0.75:  # clouds
        cells = np.array(colour) + rng.integers(-spread, spread + 1, (*rng.integers(3, 12, 2), 3))
        return Image.fromarray(cells.clip(0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    if kind < 0.87:  # boxes
        draw, far = ImageDraw.Draw(picture), rng.random() < 0.4
        for _ in range(int(rng.integers(5, 200))):
            x, y, width, height = rng.random(4) * (*size, size[0] / 4, size[1] / 4)
            near = (np.array(colour) + rng.integers(-spread, spread + 1, 3)).clip(0, 255)
            fill = colour_of(rng.choice((0, 128, 255), 3) if far else near)
            draw.rectangle((x, y, x + width, y + height), fill=fill)
        return picture
    grain = rng.normal(0, spread / 2, (size[1], size[0], 1 if rng.random() < 0.5 else 3))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))


def _warped(rng: np.random.Generator, text: Image.Image) -> Image.Image:
    """The text layer with ripples along and across, or as it was."""
    if rng.random() < 0.5:
        return text
    width, height = text.size
    lengths = height * rng.uniform(0.5, 3, 3)
    swings = height * rng.uniform(0, 0.1, 3) * np.minimum(1, lengths / height)
    turns = rng.uniform(0, 2 * np.pi, 3)
    columns, rows = (np.linspace(0, side, side // CELL + 1).round().astype(int) for side in (width, height))
    x, y = np.meshgrid(columns, rows)
    waves = swings * np.sin(2 * np.pi * np.stack([y, x, x + y], axis=-1) / lengths + turns)
    corners = np.stack([x + waves[..., 0], y + waves[..., 1] + waves[..., 2]], axis=-1)
    mesh = []
    for row, column in np.ndindex(len(rows) - 1, len(columns) - 1):
        box = (columns[column], rows[row], columns[column + 1], rows[row + 1])
        quad = corners[[row, row + 1, row + 1, row], [column, column, column + 1, column + 1]]
        mesh.append((tuple(map(int, box)), tuple(quad.ravel().tolist())))
    return text.transform(text.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _lines(rng: np.random.Generator, picture: Image.Image, ink: Colour) -> None:
    """Straight lines, curves or rings, in the ink's colour or others."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    kind, own, thick = rng.choice(("lines", "curve", "rings")), rng.random() < 0.6, int(rng.choice((1, 2, 3, 4)))
    colour = ink if own else colour_of(rng.integers(0, 256, 3))
    for _ in range(int(rng.integers(1, 8 if thick < 3 else 4))):
        colour = colour if rng.random() < 0.6 else colour_of(rng.integers(0, 256, 3))
        if kind == "lines":
            ends = rng.random(4) * (width, height, width, height)
            draw.line([*ends], fill=colour, width=thick)
        elif kind == "rings":
            x, y, radius = rng.random(3) * (width, height, height / 4)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=min(2, thick))
        else:
            t = np.linspace(0, 1, 24)[:, None]
            corners = np.sort(rng.random((3, 2)), axis=0)[:, :1] * width, rng.random((3, 1)) * height
            a, b, c = np.hstack(corners)
            points = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
            draw.line([tuple(point) for point in points], fill=colour, width=thick, joint="curve")


def _dots(rng: np.random.Generator, picture: Image.Image, ink: Colour) -> None:
    draw, radius, own = ImageDraw.Draw(picture), rng.uniform(0, 1.6), rng.random() < 0.5
    for x, y in rng.random((int(rng.integers(10, 150)), 2)) * picture.size:
        fill = ink if own else colour_of(rng.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _inverted_bars(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Slanted bars in which every channel is turned round."""
    mask = Image.new("L", picture.size)
    for _ in range(int(rng.integers(1, 4))):
        first, last = rng.random(2) * picture.height
        ends = (0, first, picture.width, last)
        ImageDraw.Draw(mask).line(ends, fill=255, width=int(rng.integers(2, 8)))
    return Image.composite(Image.eval(picture, lambda value: 255 - value), picture, mask)


def _worn(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """Blurred, coarsened, grainy or packed as a poor JPEG, at times."""
    size = picture.size
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.1))))
    if rng.random() < 0.15:
        coarse = rng.uniform(0.5, 0.9)
        picture = picture.resize((int(size[0] * coarse), int(size[1] * coarse)), Image.Resampling.BILINEAR).resize(size)
    if rng.random() < 0.15:
        grain = rng.normal(0, rng.uniform(3, 25), (size[1], size[0], 3))
        picture = Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8))
    if rng.random() < 0.35:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=int(rng.integers(30, 95)))
        picture = Image.open(packed).convert("RGB")
    return picture
