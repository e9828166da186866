"""Draw labelled pictures in random looks, to train a general model. Each is a pure function of its seed.

A look has a manner, as kinds of generators have, and is put together from ingredients: alphabet, fonts, layout, style,
colours, ground, strokes, specks, warps, effects and losses. Each has a wider range than any one captcha generator uses.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from cnnlib.codec.images import encode_picture
from cnnlib.config import CaptchaConfig
from cnnlib.synthesis.chance import Rng, Shares, pick_weighted
from cnnlib.synthesis.colours import Colours, distance, draw_colours, draw_pen
from cnnlib.synthesis.degrade import degrade
from cnnlib.synthesis.effects import frame, invert_bars, put_text
from cnnlib.synthesis.fonts import usable_fonts
from cnnlib.synthesis.glyphs import TWO_COLOURED
from cnnlib.synthesis.grounds import draw_ground
from cnnlib.synthesis.labels import draw_label, shapes_of
from cnnlib.synthesis.layout import Text, draw_false_letters, draw_margins, draw_text
from cnnlib.synthesis.legibility import fill, leaves_readable, stands_out
from cnnlib.synthesis.manners import MANNERS, SHARES, Manner
from cnnlib.synthesis.specks import draw_specks
from cnnlib.synthesis.strokes import draw_strokes
from cnnlib.synthesis.warps import pad, tear_rows, warp

BEHIND_SHARE = 0.25  # of the marks; the others are over the text
FALSE_LETTERS_SHARE = 0.06  # of the pictures, as all of these
TORN_SHARE = 0.06
BARS_SHARE_ON_BOXES = 0.2
FRAME_SHARE = 0.12
QUIET_GROUNDS = ("plain", "gradient", "fading", "bands")
SMALL, LARGE = 18, 26  # pixels of a letter
THIN_FILL, BOLD_FILL = 0.14, 0.22  # share of ink in the box around a text
NEAR = 100  # distance of ink and ground, of 255


def draw_random_look(
    config: CaptchaConfig, seed: str, fonts: Sequence[str], more_fonts: Mapping[str, Sequence[str]] | None = None
) -> tuple[str, bytes]:
    """Label and encoded picture of a seed, in a random look.

    `more_fonts` has fonts that draw fewer characters, by these. The same arguments give the same label and pixels in
    any process.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big"))
    manner = MANNERS[pick_weighted(rng, SHARES)]
    label, alphabet = draw_label(rng, config.characters, config.lengths, manner.length_spread)
    usable = usable_fonts(shapes_of(alphabet), fonts, more_fonts or {})
    picture = draw_picture(rng, label, usable, alphabet, manner)
    picture = picture.resize((config.width, config.height), Image.Resampling.BILINEAR)
    return label, encode_picture(picture, config.image_suffix)


@dataclass(frozen=True)
class _Plan:
    """What is decided before anything is painted."""

    manner: Manner
    colours: Colours
    text: Text
    layer: Image.Image  # the text on a transparent RGBA picture as large as the picture will be
    warped: str
    ground: str
    behind: int  # kinds of marks behind the text
    over: int

    @property
    def is_clear(self) -> bool:
        """Whether the text has one ink and little around it, so that it is read in black and white too."""
        one_ink = self.text.one_ink and self.text.style not in TWO_COLOURED
        return one_ink and self.ground in QUIET_GROUNDS and self.behind + self.over == 0


def draw_picture(rng: Rng, label: str, fonts: Sequence[str], alphabet: str, manner: Manner) -> Image.Image:
    """`label` in a random look of a manner, on an RGB picture that is as large as the look needs."""
    plan = _draw_plan(rng, label, fonts, manner)
    colours, size = plan.colours, plan.text.size
    picture = draw_ground(rng, colours, plan.layer.size, plan.ground)
    if rng.random() < FALSE_LETTERS_SHARE:
        draw_false_letters(rng, picture, alphabet, fonts, colours, size)
    picture = _draw_marks(rng, picture, plan, plan.behind)
    picture = _put_readable(rng, picture, plan)
    picture = _draw_marks(rng, picture, plan, plan.over)
    if plan.warped in ("picture", "both"):
        picture = warp(rng, picture, size, 0.7)
    if rng.random() < (BARS_SHARE_ON_BOXES if plan.ground == "vivid_boxes" else manner.bars):
        picture = invert_bars(rng, picture, size)
    if rng.random() < FRAME_SHARE:
        picture = frame(rng, picture, colours)
    return degrade(rng, picture, colours, size, plan.is_clear, manner.losses)


def _draw_plan(rng: Rng, label: str, fonts: Sequence[str], manner: Manner) -> _Plan:
    colours, warped = draw_colours(rng, manner.colours), pick_weighted(rng, manner.warped)
    text = draw_text(rng, label, fonts, colours, manner.layout)
    if warped in ("text", "both"):
        text = _warp_text(rng, text, 0.7 if warped == "both" else 1.0)
    left, top, right, bottom = draw_margins(rng, text, len(label))
    layer = text.picture.crop((-left, -top, text.picture.width + right, text.picture.height + bottom))
    hard = text.tight + (warped != "nothing") + (text.style != "solid") + (text.size < SMALL)
    hard += (fill(text.picture) < THIN_FILL) + (len(label) < 3) + (colours.distance < NEAR)
    marks = min(pick_weighted(rng, manner.marks), max(manner.marks_on_hard, 3 - hard))
    behind = int(rng.binomial(marks, BEHIND_SHARE))
    ground = _ground_kind(rng, text, colours, manner.grounds)
    return _Plan(manner, colours, text, layer, warped, ground, behind, marks - behind)


def _warp_text(rng: Rng, text: Text, strength: float) -> Text:
    """The text, bent and cut out again."""
    padded = pad(text.picture, text.size // 2)
    torn = rng.random() < TORN_SHARE
    bent = tear_rows(rng, padded, text.size) if torn else warp(rng, padded, text.size, strength)
    return replace(text, picture=bent.crop(bent.getchannel("A").getbbox()))


def _ground_kind(rng: Rng, text: Text, colours: Colours, shares: Shares) -> str:
    """A kind of ground. Only large bold letters, black or white, can be told from boxes in all colours."""
    kind = pick_weighted(rng, shares)
    bold = fill(text.picture) > BOLD_FILL and text.one_ink and text.size >= LARGE and not text.tight
    black_or_white = min(distance(colours.ink, (0, 0, 0)), distance(colours.ink, (255, 255, 255))) < 60
    return kind if kind != "vivid_boxes" or (bold and black_or_white) else "plain"


def _put_readable(rng: Rng, picture: Image.Image, plan: _Plan) -> Image.Image:
    """The picture with the text on it, in an effect. A ground that hides it is replaced by a plain one."""
    after = picture.copy()
    effect = "none" if plan.text.style in TWO_COLOURED else pick_weighted(rng, plan.manner.effects)
    put_text(rng, after, plan.layer, plan.colours, plan.text.size, effect)
    if stands_out(picture, after, plan.layer):
        return after
    plain = Image.new("RGB", picture.size, plan.colours.ground)
    plain.paste(plan.layer, (0, 0), plan.layer)
    return plain


def _draw_marks(rng: Rng, picture: Image.Image, plan: _Plan, count: int) -> Image.Image:
    """The picture with kinds of strokes and specks on it. What would hide the text is left out."""
    before, manner = picture, plan.manner
    for _ in range(count):
        marked = picture.copy()
        pen = draw_pen(rng, plan.colours, manner.pens)
        if rng.random() < manner.strokes_share:
            draw_strokes(rng, marked, pen, plan.text.size, pick_weighted(rng, manner.strokes))
        else:
            draw_specks(rng, marked, pen, plan.text.size, pick_weighted(rng, manner.specks))
        if leaves_readable(before, marked, plan.layer, plan.colours.distance, manner.limits):
            picture = marked
    return picture
