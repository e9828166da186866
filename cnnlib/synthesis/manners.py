"""Manners of captcha generators: which ingredients of a look go together, and how often each is drawn.

Most generators do little at a time: they squeeze and bend a clean text, or draw lines over letters in many colours, or
scatter specks over small ones. `free` mixes everything, for generators that nobody thought of.
"""

from collections.abc import Mapping
from typing import NamedTuple

from cnnlib.synthesis.chance import Shares


class LayoutShares(NamedTuple):
    """What the layout of a text is drawn from."""

    styles: Shares
    inks: Shares
    gaps: Shares
    fonts: Shares
    sizes: Shares
    baselines: Shares
    turns: Mapping[int, float]  # by the largest turn of a character, in degrees


class Limits(NamedTuple):
    """How much strokes and specks may do to a text."""

    hidden: float  # of the text's pixels
    clutter: float  # changed pixels beside the text, for each pixel of the text


class Manner(NamedTuple):
    """What the ingredients of a picture are drawn from."""

    length_spread: float  # of the lengths of texts about five characters
    layout: LayoutShares
    colours: Shares
    grounds: Shares
    warped: Shares
    effects: Shares
    marks: Mapping[int, float]  # by the number of kinds of strokes and specks
    marks_on_hard: int  # kinds of marks, at most, where much else makes the text hard to read
    strokes_share: float  # of the marks; the others are specks
    strokes: Shares
    specks: Shares
    pens: Shares
    limits: Limits
    losses: Shares  # of the pictures
    bars: float  # share of the pictures


_LAYOUT = LayoutShares(
    styles={
        "solid": 0.66,
        "bold": 0.06,
        "hollow": 0.04,
        "outlined": 0.04,
        "halftone": 0.02,
        "dots": 0.025,
        "hatched": 0.03,
        "pixels": 0.03,
        "ragged": 0.03,
        "torn": 0.02,
        "sliced": 0.01,
        "boxed": 0.01,
        "cut_out": 0.02,
    },
    inks={"one": 0.68, "tones": 0.08, "mixed": 0.24},
    gaps={"tight": 0.26, "usual": 0.5, "wide": 0.16, "any": 0.08},
    fonts={"one": 0.72, "two": 0.1, "each": 0.18},
    sizes={"small": 0.2, "medium": 0.76, "large": 0.04},
    baselines={"straight": 0.5, "sloping": 0.08, "arc": 0.06, "sine": 0.06, "steps": 0.04, "jitter": 0.26},
    turns={0: 0.34, 8: 0.2, 18: 0.22, 30: 0.16, 45: 0.08},
)
FREE = Manner(
    length_spread=2.5,
    layout=_LAYOUT,
    colours={
        "dark on white": 0.22,
        "black on white": 0.14,
        "dark on light": 0.22,
        "light on dark": 0.1,
        "greys": 0.05,
        "one tint": 0.06,
        "vivid ground": 0.05,
        "one brightness": 0.04,
        "any two": 0.12,
    },
    grounds={
        "plain": 0.5,
        "gradient": 0.08,
        "fading": 0.05,
        "clouds": 0.06,
        "photo": 0.06,
        "boxes": 0.03,
        "vivid_boxes": 0.08,
        "grain": 0.05,
        "stripes": 0.03,
        "checks": 0.02,
        "blobs": 0.03,
        "shards": 0.02,
        "rays": 0.02,
        "bands": 0.02,
    },
    warped={"nothing": 0.4, "text": 0.38, "picture": 0.16, "both": 0.06},
    effects={
        "none": 0.64,
        "soft_shadow": 0.05,
        "hard_shadow": 0.06,
        "twice": 0.05,
        "embossed": 0.025,
        "halo": 0.04,
        "shaded": 0.06,
        "grainy": 0.04,
        "translucent": 0.035,
    },
    marks={0: 0.2, 1: 0.42, 2: 0.28, 3: 0.1},
    marks_on_hard=1,
    strokes_share=0.7,
    strokes={
        "lines": 0.17,
        "crossing_lines": 0.14,
        "many_lines": 0.06,
        "short_strokes": 0.08,
        "net": 0.07,
        "curves": 0.16,
        "waves": 0.1,
        "tapering": 0.07,
        "rings": 0.07,
        "arcs": 0.06,
        "scribble": 0.02,
    },
    specks={
        "single_pixels": 0.28,
        "coloured_pixels": 0.14,
        "dots": 0.24,
        "dots_of_sizes": 0.2,
        "squares": 0.07,
        "crosses": 0.07,
    },
    pens={"ink": 0.36, "other": 0.17, "many": 0.22, "faint": 0.2, "ground": 0.05},
    limits=Limits(hidden=0.12, clutter=0.28),
    losses={
        "inverted": 0.03,
        "edges": 0.02,
        "relief": 0.02,
        "blur": 0.16,
        "few_pixels": 0.1,
        "faded": 0.05,
        "grain": 0.1,
        "grey": 0.1,
        "two_colours": 0.12,
        "few_colours": 0.05,
        "compressed": 0.35,
    },
    bars=0.04,
)

_FEW_STYLES = {
    "solid": 0.74,
    "bold": 0.1,
    "hollow": 0.04,
    "outlined": 0.03,
    "ragged": 0.04,
    "torn": 0.03,
    "sliced": 0.02,
}
_CLEAN = dict.fromkeys(FREE.losses, 0.0) | {"blur": 0.1, "few_pixels": 0.08, "grey": 0.05, "compressed": 0.3}
_CLEAN |= {"two_colours": 0.06, "inverted": 0.02}

JOINED = FREE._replace(
    length_spread=1.2,
    layout=_LAYOUT._replace(
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
    losses=_CLEAN,
    bars=0.0,
)
LINED = FREE._replace(
    length_spread=1.5,
    layout=_LAYOUT._replace(
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
    losses=_CLEAN,
    bars=0.0,
)
SPECKLED = FREE._replace(
    length_spread=1.5,
    layout=_LAYOUT._replace(
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
    losses=_CLEAN | {"blur": 0.3, "few_pixels": 0.16},
    bars=0.0,
)
MANNERS = {"free": FREE, "joined": JOINED, "lined": LINED, "speckled": SPECKLED}
SHARES: Shares = {"free": 0.3, "joined": 0.3, "lined": 0.26, "speckled": 0.14}
