"""Whether a person could still read a text: does it stand out of its ground, do strokes and specks leave it alone?"""

import numpy as np
from PIL import Image

from cnnlib.synthesis.colours import to_colour
from cnnlib.synthesis.manners import Limits

LEAST_CONTRAST = 68  # of the text and what was there before, mean over its pixels, 0 to 255
LEAST_CONTRAST_ANYWHERE = 38  # exceeded by nine tenths of the text
LEAST_CONTRAST_TO_NOISE = 1.7  # of the text, for the standard deviation of what is around it
COVERED, UNCOVERED = 110, 25  # alpha, 0 to 255


def stands_out(before: Image.Image, after: Image.Image, text: Image.Image) -> bool:
    """Whether putting the text on the picture changed it enough. `text` is the transparent RGBA layer."""
    box = text.getchannel("A").getbbox()
    if not box:
        return False
    before, after, text = before.crop(box), after.crop(box), text.crop(box)
    changes = _changes(before, after)[np.asarray(text.getchannel("A")) > COVERED]
    if not changes.size:
        return False
    noise = _changes(before, Image.new("RGB", before.size, to_colour(np.asarray(before).mean((0, 1)))))
    least = max(LEAST_CONTRAST, LEAST_CONTRAST_TO_NOISE * float(np.sqrt((noise**2).mean())))
    return bool(changes.mean() >= least and (changes < LEAST_CONTRAST_ANYWHERE).mean() <= 0.1)


def leaves_readable(
    before: Image.Image, after: Image.Image, text: Image.Image, contrast: float, limits: Limits
) -> bool:
    """Whether what was drawn over the text hides little of it, and doesn't fill the place around it.

    `contrast` is that of the text and its ground, 0 to 255.
    """
    box = text.getchannel("A").getbbox()
    if not box:
        return False
    cover = np.asarray(text.getchannel("A").crop(box))
    changes = _changes(before.crop(box), after.crop(box))
    inside, beside = cover > COVERED, cover < UNCOVERED
    size = max(1, int(inside.sum()))
    return bool(
        (changes[inside] > 0.4 * contrast).sum() <= limits.hidden * size
        and (changes[beside] > 0.4 * contrast).sum() <= limits.clutter * size
    )


def fill(text: Image.Image) -> float:
    """How much of the box around a text is ink, 0 to 1. Below 0.12 the strokes of its letters are thin."""
    return float(np.asarray(text.getchannel("A")).mean() / 255)


def _changes(before: Image.Image, after: Image.Image) -> np.ndarray:
    """The difference of two RGB pictures in each pixel, float32 (height, width), 0 to 255, weighted as the eye does."""
    squares = (np.asarray(before, np.float32) - np.asarray(after, np.float32)) ** 2
    return np.sqrt(squares @ np.array([0.299, 0.587, 0.114], np.float32))
