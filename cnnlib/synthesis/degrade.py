"""What becomes of a drawn picture on its way to a file: blur, few pixels, few colours, grain, compression.

Each function returns an RGB picture of the same size.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from cnnlib.synthesis.chance import Rng, Shares
from cnnlib.synthesis.colours import Colours, luma, to_picture

MOST_CHANGES = 2
LARGE = 20  # pixels of a letter
LEAST_GREY_DISTANCE = 100  # of ink and ground, for a picture without colours
LEAST_DISTANCE_TO_FADE = 130
LEAST_DISTANCE_TO_COMPRESS = 45  # in grey; JPEG keeps a quarter of the pixels of a hue


def degrade(rng: Rng, picture: Image.Image, colours: Colours, unit: float, clear: bool, shares: Shares) -> Image.Image:
    """The picture after some of the changes, most often none or one. `unit` is the size of the letters in pixels.

    What takes colours away happens to `clear` texts alone, which have one ink and little around them.
    """
    brightness = abs(luma(colours.ground) - luma(colours.ink))
    in_grey = clear and brightness > LEAST_GREY_DISTANCE
    left_out = {*(() if in_grey else NEED_BRIGHTNESS), *(() if unit >= LARGE else NEED_SIZE)}
    left_out |= {*(() if colours.distance > LEAST_DISTANCE_TO_FADE else NEED_CONTRAST)}
    left_out |= {*(() if brightness > LEAST_DISTANCE_TO_COMPRESS else BLUR_HUES)}
    chosen = [name for name in CHANGES if rng.random() < shares[name] and name not in left_out]
    for change in chosen[:MOST_CHANGES]:
        picture = CHANGES[change](rng, picture, unit)
    return picture


def blur(rng: Rng, picture: Image.Image, unit: float) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(unit * rng.uniform(0.012, 0.035)))


def few_pixels(rng: Rng, picture: Image.Image, unit: float) -> Image.Image:
    """Drawn smaller and enlarged."""
    scale = rng.uniform(15 / unit, 0.9)
    small = picture.resize((int(picture.width * scale), int(picture.height * scale)), Image.Resampling.BILINEAR)
    return small.resize(picture.size, Image.Resampling.NEAREST if rng.random() < 0.3 else Image.Resampling.BICUBIC)


def grain(rng: Rng, picture: Image.Image, unit: float) -> Image.Image:
    noise = rng.normal(
        0, rng.uniform(3, min(22, 0.8 * unit)), (picture.height, picture.width, 3 if rng.random() < 0.6 else 1)
    )
    return to_picture(np.asarray(picture) + noise)


def faded(rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """Less contrast."""
    grey, share = rng.integers(0, 256), rng.uniform(0.2, 0.55)
    return Image.blend(picture, Image.new("RGB", picture.size, (int(grey),) * 3), share)


def grey(_rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    return picture.convert("L").convert("RGB")


def two_colours(rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """Black and white, cut half-way between the darkest and the brightest."""
    limit = rng.uniform(110, 150)
    return ImageOps.autocontrast(picture.convert("L"), 2).point(lambda value: 255 * (value > limit)).convert("RGB")


def few_colours(rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """A palette, as GIF files have, or few levels of each colour."""
    if rng.random() < 0.4:
        return ImageOps.posterize(picture, int(rng.integers(3, 5)))
    dither = Image.Dither.FLOYDSTEINBERG if rng.random() < 0.5 else Image.Dither.NONE
    return picture.quantize(int(rng.integers(8, 65)), Image.Quantize.FASTOCTREE, dither=dither).convert("RGB")


def inverted(_rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    return ImageChops.invert(picture)


def edges(rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """Edges alone, light on dark or dark on light."""
    found = ImageOps.autocontrast(picture.convert("L").filter(ImageFilter.FIND_EDGES))
    return (found if rng.random() < 0.5 else ImageChops.invert(found)).convert("RGB")


def relief(_rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """Grey with light and dark edges, as if lit from one side."""
    return ImageOps.autocontrast(picture.convert("L").filter(ImageFilter.EMBOSS), 1).convert("RGB")


def compressed(rng: Rng, picture: Image.Image, _unit: float) -> Image.Image:
    """Through JPEG."""
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=int(rng.integers(25, 95)))
    return Image.open(encoded).convert("RGB")


CHANGES: dict[str, Callable[[Rng, Image.Image, float], Image.Image]] = {  # in order
    each.__name__: each
    for each in (
        inverted,
        edges,
        relief,
        blur,
        few_pixels,
        faded,
        grain,
        grey,
        two_colours,
        few_colours,
        compressed,
    )
}
NEED_BRIGHTNESS = ("edges", "relief", "grey", "two_colours")
BLUR_HUES = ("compressed", "blur")
NEED_SIZE = ("edges", "relief", "few_pixels")
NEED_CONTRAST = ("faded", "few_colours")
