"""Draw labelled pictures in random looks, to train a general model. Each is a pure function of its seed.

Fonts, colours, backgrounds, spacing, slant, ripples, lines, dots, bars and blur are random. Each has a wider range
than any one captcha generator uses.
"""

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.synthesis.glyphs import Colour, draw_text, random_colour, to_colour

RIPPLE_CELL = 8  # pixels; a ripple is drawn as straight pieces of this length


def draw_random_look(config: CaptchaConfig, seed: str, fonts: Sequence[str]) -> tuple[str, bytes]:
    """Label and encoded picture of a seed, in a random look.

    The same seed and fonts give the same label and pixels in any process.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    length = int(rng.choice(config.lengths))
    label = "".join(rng.choice(list(config.characters), length))
    size = (int(rng.integers(26, 46) * max(length, 3.5)), int(rng.integers(40, 81)))
    picture = draw_picture(rng, label, fonts, size).resize((config.width, config.height), Image.Resampling.BILINEAR)
    return label, encode_picture(picture, config.image_suffix)


def draw_picture(rng: np.random.Generator, label: str, fonts: Sequence[str], size: tuple[int, int]) -> Image.Image:
    """`label` in a random look on an RGB picture of `size`, width and height in pixels."""
    background, ink = _choose_colours(rng)
    grey = abs(_grey_value(background) - _grey_value(ink)) > 100 and rng.random() < 0.15
    mixed = not grey and rng.random() < 0.25
    inks = [random_colour(rng, background, 110) if mixed else ink for _ in label]
    picture = _draw_background(rng, background, size)
    text = _warp(rng, draw_text(rng, label, fonts, inks, size))
    if rng.random() < 0.1:
        _draw_shadow(rng, picture, text, ink)
    if rng.random() < 0.2:  # behind the text
        _draw_lines(rng, picture, ink)
    picture.paste(text, (0, 0), text)
    if rng.random() < 0.65:
        _draw_lines(rng, picture, ink)
    if rng.random() < 0.3:
        _draw_dots(rng, picture, ink)
    if rng.random() < 0.05:
        picture = _invert_bars(rng, picture)
    if rng.random() < 0.12:
        ImageDraw.Draw(picture).rectangle((0, 0, size[0] - 1, size[1] - 1), outline=ink)
    if grey:
        picture = picture.convert("1" if rng.random() < 0.4 else "L", dither=Image.Dither.NONE).convert("RGB")
    return _degrade(rng, picture)


def _draw_shadow(rng: np.random.Generator, picture: Image.Image, text: Image.Image, ink: Colour) -> None:
    shadow = Image.new("RGBA", picture.size, (*random_colour(rng, ink, 60), 0))
    shadow.putalpha(text.getchannel("A").filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2.5)))))
    picture.paste(shadow, tuple(rng.integers(-1, 5, 2)), shadow)


def _grey_value(colour: Colour) -> float:
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def _choose_colours(rng: np.random.Generator) -> tuple[Colour, Colour]:
    """Background and ink: dark on light, light on dark, two greys, or any two colours that differ in a channel."""
    kind = rng.random()
    if kind < 0.45:
        background, ink = rng.integers(200, 256, 3), rng.integers(0, 120, 3)
        if rng.random() < 0.5:
            background, ink = np.full(3, 255), (np.zeros(3, int) if rng.random() < 0.5 else ink)
    elif kind < 0.55:
        background, ink = rng.integers(0, 80, 3), rng.integers(150, 256, 3)
    elif kind < 0.65:  # greys
        background = np.full(3, rng.integers(0, 256))
        ink = (background + rng.integers(90, 167)) % 256
    else:
        background = rng.integers(0, 256, 3)
        ink = np.array(random_colour(rng, to_colour(background), 110))
    return to_colour(background), to_colour(ink)


def _draw_background(rng: np.random.Generator, colour: Colour, size: tuple[int, int]) -> Image.Image:
    """An RGB picture of one colour, or with a gradient, clouds, boxes or grain."""
    picture = Image.new("RGB", size, colour)
    kind = rng.random()
    if kind < 0.5:
        return picture
    spread = int(rng.integers(20, 70))
    if kind < 0.6:  # a gradient between the corners
        cells = np.array(colour) + rng.integers(-spread, spread + 1, (2, 2, 3))
        return _to_picture(cells).resize(size, Image.Resampling.BILINEAR)
    if kind < 0.75:  # clouds
        cells = np.array(colour) + rng.integers(-spread, spread + 1, (*rng.integers(3, 12, 2), 3))
        return _to_picture(cells).resize(size, Image.Resampling.BICUBIC)
    if kind < 0.87:  # boxes
        draw, vivid = ImageDraw.Draw(picture), rng.random() < 0.4
        for _ in range(int(rng.integers(5, 200))):
            x, y, width, height = rng.random(4) * (*size, size[0] / 4, size[1] / 4)
            similar = (np.array(colour) + rng.integers(-spread, spread + 1, 3)).clip(0, 255)
            fill = to_colour(rng.choice((0, 128, 255), 3) if vivid else similar)
            draw.rectangle((x, y, x + width, y + height), fill=fill)
        return picture
    grain = rng.normal(0, spread / 2, (size[1], size[0], 1 if rng.random() < 0.5 else 3))
    return _to_picture(np.asarray(picture) + grain)


def _to_picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _warp(rng: np.random.Generator, text: Image.Image) -> Image.Image:
    """The text layer with ripples in three directions, or unchanged."""
    if rng.random() < 0.5:
        return text
    width, height = text.size
    lengths = height * rng.uniform(0.5, 3, 3)
    amplitudes = height * rng.uniform(0, 0.1, 3) * np.minimum(1, lengths / height)
    phases = rng.uniform(0, 2 * np.pi, 3)
    columns, rows = (np.linspace(0, side, side // RIPPLE_CELL + 1).round().astype(int) for side in (width, height))
    x, y = np.meshgrid(columns, rows)
    waves = amplitudes * np.sin(2 * np.pi * np.stack([y, x, x + y], axis=-1) / lengths + phases)
    corners = np.stack([x + waves[..., 0], y + waves[..., 1] + waves[..., 2]], axis=-1)
    mesh = []
    for row, column in np.ndindex(len(rows) - 1, len(columns) - 1):
        box = (columns[column], rows[row], columns[column + 1], rows[row + 1])
        quad = corners[[row, row + 1, row + 1, row], [column, column, column + 1, column + 1]]
        mesh.append((tuple(map(int, box)), tuple(quad.ravel().tolist())))
    return text.transform(text.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR)


def _draw_lines(rng: np.random.Generator, picture: Image.Image, ink: Colour) -> None:
    """Draw straight lines, curves or rings, in the ink's colour or others."""
    draw, (width, height) = ImageDraw.Draw(picture), picture.size
    kind, with_ink, width_px = (
        rng.choice(("lines", "curve", "rings")),
        rng.random() < 0.6,
        int(rng.choice((1, 2, 3, 4))),
    )
    colour = ink if with_ink else to_colour(rng.integers(0, 256, 3))
    for _ in range(int(rng.integers(1, 8 if width_px < 3 else 4))):
        colour = colour if rng.random() < 0.6 else to_colour(rng.integers(0, 256, 3))
        if kind == "lines":
            ends = rng.random(4) * (width, height, width, height)
            draw.line([*ends], fill=colour, width=width_px)
        elif kind == "rings":
            x, y, radius = rng.random(3) * (width, height, height / 4)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour, width=min(2, width_px))
        else:
            t = np.linspace(0, 1, 24)[:, None]
            x, y = np.sort(rng.random((3, 2)), axis=0)[:, :1] * width, rng.random((3, 1)) * height
            a, b, c = np.hstack([x, y])  # of a quadratic Bézier curve
            points = (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
            draw.line([tuple(point) for point in points], fill=colour, width=width_px, joint="curve")


def _draw_dots(rng: np.random.Generator, picture: Image.Image, ink: Colour) -> None:
    draw, radius, with_ink = ImageDraw.Draw(picture), rng.uniform(0, 1.6), rng.random() < 0.5
    for x, y in rng.random((int(rng.integers(10, 150)), 2)) * picture.size:
        fill = ink if with_ink else to_colour(rng.integers(0, 256, 3))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def _invert_bars(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The picture with the colours inverted inside slanted bars."""
    mask = Image.new("L", picture.size)
    for _ in range(int(rng.integers(1, 4))):
        first, last = rng.random(2) * picture.height
        ends = (0, first, picture.width, last)
        ImageDraw.Draw(mask).line(ends, fill=255, width=int(rng.integers(2, 8)))
    return Image.composite(Image.eval(picture, lambda value: 255 - value), picture, mask)


def _degrade(rng: np.random.Generator, picture: Image.Image) -> Image.Image:
    """The picture after random blur, loss of resolution, grain and JPEG compression."""
    size = picture.size
    if rng.random() < 0.2:
        picture = picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.1))))
    if rng.random() < 0.15:
        scale = rng.uniform(0.5, 0.9)
        small = picture.resize((int(size[0] * scale), int(size[1] * scale)), Image.Resampling.BILINEAR)
        picture = small.resize(size)
    if rng.random() < 0.15:
        grain = rng.normal(0, rng.uniform(3, 25), (size[1], size[0], 3))
        picture = _to_picture(np.asarray(picture) + grain)
    if rng.random() < 0.35:
        encoded = io.BytesIO()
        picture.save(encoded, "JPEG", quality=int(rng.integers(30, 95)))
        picture = Image.open(encoded).convert("RGB")
    return picture
