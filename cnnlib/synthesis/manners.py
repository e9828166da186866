"""Manners of captcha generators: which ingredients go together, and how often each is drawn.

Most generators do little at a time: they squeeze and bend a clean text, or draw lines over letters in many colours, or
scatter specks over small ones. `free` mixes everything, for generators that nobody thought of.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cnnlib.synthesis.chance import Shares
from cnnlib.synthesis.colours import PEN_SHARES
from cnnlib.synthesis.colours import SHARES as COLOUR_SHARES
from cnnlib.synthesis.degrade import SHARES as LOSS_SHARES
from cnnlib.synthesis.effects import SHARES as EFFECT_SHARES
from cnnlib.synthesis.grounds import SHARES as GROUND_SHARES
from cnnlib.synthesis.labels import LENGTH_SPREAD
from cnnlib.synthesis.layout import LayoutShares
from cnnlib.synthesis.legibility import Limits
from cnnlib.synthesis.specks import SHARES as SPECK_SHARES
from cnnlib.synthesis.strokes import SHARES as STROKE_SHARES

WARPED_SHARES: Shares = {"nothing": 0.4, "text": 0.38, "picture": 0.16, "both": 0.06}
MARK_SHARES: Mapping[int, float] = {0: 0.2, 1: 0.42, 2: 0.28, 3: 0.1}  # kinds of strokes and specks on one picture


class Manner(NamedTuple):
    """What the ingredients of a picture are drawn from."""

    length_spread: float = LENGTH_SPREAD  # of the lengths of texts about five characters
    layout: LayoutShares = LayoutShares()
    colours: Shares = COLOUR_SHARES
    grounds: Shares = GROUND_SHARES
    warped: Shares = WARPED_SHARES
    effects: Shares = EFFECT_SHARES
    marks: Mapping[int, float] = MARK_SHARES
    marks_on_hard: int = 1  # at most, where much else makes the text hard to read
    strokes_share: float = 0.7  # of the marks; the others are specks
    strokes: Shares = STROKE_SHARES
    specks: Shares = SPECK_SHARES
    pens: Shares = PEN_SHARES
    limits: Limits = Limits()
    losses: Shares = LOSS_SHARES
    bars: float = 0.04  # share of the pictures


_CLEAN_LOSSES = dict.fromkeys(LOSS_SHARES, 0.0) | {"blur": 0.1, "few_pixels": 0.08, "grey": 0.05, "compressed": 0.3}
_CLEAN_LOSSES |= {"two_colours": 0.06, "inverted": 0.02}
_FEW_STYLES = {
    "solid": 0.74,
    "bold": 0.1,
    "hollow": 0.04,
    "outlined": 0.03,
    "ragged": 0.04,
    "torn": 0.03,
    "sliced": 0.02,
}

JOINED = Manner(
    length_spread=1.2,
    layout=LayoutShares(
        styles=_FEW_STYLES,
        inks={"one": 0.88, "tones": 0.02, "mixed": 0.1},
        gaps={"tight": 0.75, "usual": 0.25},
        sizes={"small": 0.1, "medium": 0.86, "large": 0.04},
        turns={0: 0.35, 8: 0.22, 18: 0.2, 30: 0.17, 45: 0.06},
    ),
    colours={
        "dark on white": 0.4,
        "black on white": 0.26,
        "dark on light": 0.15,
        "light on dark": 0.08,
        "vivid ground": 0.06,
        "any two": 0.05,
    },
    grounds={"plain": 0.76, "gradient": 0.14, "fading": 0.04, "grain": 0.04, "bands": 0.02},
    warped={"nothing": 0.08, "text": 0.66, "picture": 0.22, "both": 0.04},
    effects={"none": 0.76, "soft_shadow": 0.12, "hard_shadow": 0.04, "twice": 0.04, "grainy": 0.04},
    marks={0: 0.38, 1: 0.45, 2: 0.17},
    marks_on_hard=2,
    strokes_share=0.85,
    strokes={"curves": 0.3, "waves": 0.24, "crossing_lines": 0.2, "lines": 0.12, "tapering": 0.1, "rings": 0.04},
    pens={"ink": 0.72, "ground": 0.1, "other": 0.1, "faint": 0.08},
    limits=Limits(hidden=0.16, clutter=0.35),
    losses=_CLEAN_LOSSES,
    bars=0.0,
)
LINED = Manner(
    length_spread=1.0,
    layout=LayoutShares(
        inks={"one": 0.38, "tones": 0.07, "mixed": 0.43, "pale": 0.12},
        gaps={"tight": 0.16, "usual": 0.52, "wide": 0.24, "any": 0.08},
    ),
    colours={
        "dark on white": 0.34,
        "black on white": 0.08,
        "dark on light": 0.3,
        "light on dark": 0.14,
        "any two": 0.14,
    },
    grounds={
        "plain": 0.7,
        "gradient": 0.06,
        "clouds": 0.05,
        "photo": 0.06,
        "grain": 0.05,
        "stripes": 0.03,
        "rays": 0.05,
    },
    warped={"nothing": 0.74, "text": 0.16, "picture": 0.08, "both": 0.02},
    marks={1: 0.3, 2: 0.42, 3: 0.28},
    marks_on_hard=2,
    strokes_share=0.82,
    pens={"ink": 0.16, "other": 0.22, "many": 0.46, "faint": 0.14, "ground": 0.02},
    limits=Limits(hidden=0.2, clutter=0.5),
    losses=_CLEAN_LOSSES,
    bars=0.0,
)
SPECKLED = Manner(
    length_spread=1.0,
    layout=LayoutShares(
        styles=_FEW_STYLES,
        gaps={"tight": 0.34, "usual": 0.5, "wide": 0.1, "any": 0.06},
        sizes={"small": 0.4, "medium": 0.58, "large": 0.02},
    ),
    grounds={"plain": 0.74, "gradient": 0.08, "grain": 0.12, "clouds": 0.06},
    warped={"nothing": 0.56, "text": 0.34, "picture": 0.1},
    marks={1: 0.25, 2: 0.45, 3: 0.3},
    marks_on_hard=2,
    strokes_share=0.42,
    pens={"ink": 0.46, "other": 0.14, "many": 0.2, "faint": 0.18, "ground": 0.02},
    limits=Limits(hidden=0.18, clutter=0.45),
    losses=_CLEAN_LOSSES | {"blur": 0.3, "few_pixels": 0.16},
    bars=0.0,
)
MANNERS = {"free": Manner(), "joined": JOINED, "lined": LINED, "speckled": SPECKLED}
SHARES: Shares = {"free": 0.3, "joined": 0.3, "lined": 0.26, "speckled": 0.14}
