"""Draw labelled pictures in random looks, to train a general model. Each is a pure function of its seed.

A look is put together from independent ingredients: alphabet, fonts, layout, style, colours, ground, strokes, specks,
warps, effects and losses. Each has a wider range than any one captcha generator uses.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.synthesis.chance import Rng, pick_weighted
from cnnlib.synthesis.colours import Colours, distance, draw_colours, draw_pen
from cnnlib.synthesis.degrade import degrade
from cnnlib.synthesis.effects import frame, invert_bars, put_text
from cnnlib.synthesis.fonts import usable_fonts
from cnnlib.synthesis.glyphs import TWO_COLOURED
from cnnlib.synthesis.grounds import WEIGHTS as GROUND_WEIGHTS
from cnnlib.synthesis.grounds import draw_ground
from cnnlib.synthesis.labels import draw_label
from cnnlib.synthesis.layout import Text, draw_false_letters, draw_margins, draw_text
from cnnlib.synthesis.legibility import fill, leaves_readable, stands_out
from cnnlib.synthesis.specks import draw_specks
from cnnlib.synthesis.strokes import draw_strokes
from cnnlib.synthesis.warps import pad, tear_rows, warp

WARPED = {"nothing": 0.4, "text": 0.38, "picture": 0.16, "both": 0.06}
MARKS = {0: 0.2, 1: 0.42, 2: 0.28, 3: 0.1}  # kinds of strokes and specks on one picture
FALSE_LETTERS_SHARE = 0.06
SMALL = 18  # pixels of a letter
LARGE = 26
THIN_FILL, BOLD_FILL = 0.14, 0.22  # share of ink in the box around a text
QUIET_GROUNDS = ("plain", "gradient", "fading", "bands")


def draw_random_look(
    config: CaptchaConfig, seed: str, fonts: Sequence[str], more_fonts: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, bytes]:
    """Label and encoded picture of a seed, in a random look.

    `more_fonts` has fonts that draw fewer characters, by these. The same arguments give the same label and pixels in
    any process.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    label, alphabet = draw_label(rng, config)
    usable = usable_fonts(alphabet, fonts, more_fonts or {})
    picture = draw_picture(rng, label, usable, alphabet)
    picture = picture.resize((config.width, config.height), Image.Resampling.BILINEAR)
    return label, encode_picture(picture, config.image_suffix)


def draw_picture(rng: Rng, label: str, fonts: Sequence[str], alphabet: str) -> Image.Image:
    """`label` in a random look on an RGB picture that is as large as the look needs."""
    colours = draw_colours(rng)
    warped = pick_weighted(rng, WARPED)
    text = draw_text(rng, label, fonts, colours)
    if warped in ("text", "both"):
        text = _warp_text(rng, text, 0.7 if warped == "both" else 1.0)
    layer = _with_margins(rng, text, len(label))
    ground = _ground_kind(rng, text, colours)
    picture = draw_ground(rng, colours, layer.size, ground)
    if rng.random() < FALSE_LETTERS_SHARE:
        draw_false_letters(rng, picture, alphabet, fonts, colours, text.size)
    behind, over = _draw_counts(rng, text, colours, warped, len(label))
    picture = _draw_marks(rng, picture, layer, colours, text.size, behind)
    effect = "none" if text.style in TWO_COLOURED else None
    picture = _put_readable(rng, picture, layer, colours, text.size, effect)
    picture = _draw_marks(rng, picture, layer, colours, text.size, over)
    if warped in ("picture", "both"):
        picture = warp(rng, picture, text.size, 0.7)
    picture = _finish(rng, picture, colours, text.size)
    clear = text.one_ink and ground in QUIET_GROUNDS and behind + over < 2
    return degrade(rng, picture, colours, text.size, clear)


def _ground_kind(rng: Rng, text: Text, colours: Colours) -> str:
    kind = pick_weighted(rng, GROUND_WEIGHTS)
    bold = fill(text.picture) > BOLD_FILL and text.one_ink and text.size >= LARGE and not text.tight
    black_or_white = min(distance(colours.ink, (0, 0, 0)), distance(colours.ink, (255, 255, 255))) < 60
    return kind if kind != "vivid_boxes" or (bold and black_or_white) else "plain"


def _draw_counts(rng: Rng, text: Text, colours: Colours, warped: str, length: int) -> tuple[int, int]:
    """How many kinds of marks are drawn behind the text and over it. Texts that are hard to read have fewer."""
    hard = text.tight + (warped != "nothing") + (text.style != "solid") + (text.size < SMALL)
    hard += (fill(text.picture) < THIN_FILL) + (length < 3) + (colours.distance < 100)
    marks = min(pick_weighted(rng, MARKS), max(1, 3 - hard))
    behind = int(rng.binomial(marks, 0.25))
    return behind, marks - behind


def _put_readable(
    rng: Rng, picture: Image.Image, layer: Image.Image, colours: Colours, unit: int, effect: str | None
) -> Image.Image:
    """The picture with the text on it, in an effect. A ground that hides it is replaced by a plain one."""
    after = picture.copy()
    put_text(rng, after, layer, colours, unit, effect)
    if stands_out(picture, after, layer):
        return after
    plain = Image.new("RGB", picture.size, colours.ground)
    plain.paste(layer, (0, 0), layer)
    return plain


def _warp_text(rng: Rng, text: Text, strength: float) -> Text:
    """The text, bent and cut out again."""
    padded = pad(text.picture, text.size // 2)
    bent = warp(rng, padded, text.size, strength) if rng.random() < 0.94 else tear_rows(rng, padded, text.size)
    return replace(text, picture=bent.crop(bent.getchannel("A").getbbox()))


def _with_margins(rng: Rng, text: Text, length: int) -> Image.Image:
    left, top, right, bottom = draw_margins(rng, text, length)
    return text.picture.crop((-left, -top, text.picture.width + right, text.picture.height + bottom))


def _draw_marks(
    rng: Rng, picture: Image.Image, layer: Image.Image, colours: Colours, unit: int, count: int
) -> Image.Image:
    """The picture with kinds of strokes and specks on it. What would hide the text is left out."""
    for _ in range(count):
        marked = picture.copy()
        draw = draw_strokes if rng.random() < 0.7 else draw_specks
        draw(rng, marked, draw_pen(rng, colours), unit)
        if leaves_readable(picture, marked, layer, colours.distance):
            picture = marked
    return picture


def _finish(rng: Rng, picture: Image.Image, colours: Colours, unit: int) -> Image.Image:
    """The picture with bars that invert it, or with a frame, or as it is."""
    if rng.random() < 0.04:
        picture = invert_bars(rng, picture, unit)
    return frame(rng, picture, colours) if rng.random() < 0.12 else picture
