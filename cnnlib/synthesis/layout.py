"""Place the characters of a text: gaps, baseline, sizes and turns, each over a wide range.

The picture is made to fit the text, as a page's designer does, and not the text to fit the picture.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cnnlib.synthesis.chance import Rng, Shares, log_uniform, pick, pick_weighted
from cnnlib.synthesis.colours import Colours, draw_inks, random_colour
from cnnlib.synthesis.fonts import draw_font
from cnnlib.synthesis.glyphs import (
    DETAIL_SIZE,
    DETAILED,
    Glyph,
    Pose,
    draw_glyph,
    larger,
    mask_of,
)
from cnnlib.synthesis.labels import SHAPES, THIN
from cnnlib.synthesis.manners import LayoutShares

MOST_OVERLAP = 0.3  # of the narrower one of two characters
THIN_MEAN, LEAST_DISTANCE_OF_THIN = 34, 130
PALE = 190  # the darkest twentieth of a letter covers less of its pixels than that, of 255
LEAST_WIDTH, LEAST_HEIGHT = 50, 18  # pixels of a picture
LEAST_ASPECT, MOST_ASPECT = 1.3, 6.5  # of a picture
SIZES = {"small": (14.0, 26.0), "medium": (24.0, 54.0), "large": (54.0, 96.0)}  # pixels of a letter
MOST_WIDTH = 8.5  # of a text, in letter sizes; wider ones have narrower gaps and letters


@dataclass(frozen=True)
class Text:
    """A row of characters on a transparent RGBA picture that it fills."""

    picture: Image.Image
    size: int  # of its letters: pixels of the font
    tight: bool
    style: str
    one_ink: bool


def draw_text(rng: Rng, label: str, fonts: Sequence[str], colours: Colours, shares: LayoutShares) -> Text:
    """`label` in random fonts, places and turns, and in one style."""
    style = pick_weighted(rng, shares.styles)
    kind = _gap_kind(rng, label, shares.gaps)
    size = draw_size(rng, style, len(label), kind, shares.sizes)
    offsets, turns = draw_baseline(rng, len(label), size, shares.baselines)
    masks = _masks(rng, label, _draw_fonts(rng, label, fonts, shares.fonts), size, colours)
    second = random_colour(rng, colours.ink, 100) if rng.random() < 0.5 else colours.ground
    inks, poses = draw_inks(rng, colours, len(label), shares.inks), draw_poses(rng, turns, shares.turns)
    glyphs = [
        draw_glyph(rng, mask, style, ink, second, pose) for mask, ink, pose in zip(masks, inks, poses, strict=True)
    ]
    if rng.random() < 0.2:  # each in the middle of the line, wherever its baseline is
        glyphs = [Glyph(glyph.picture, -glyph.picture.height / 2) for glyph in glyphs]
    gaps = draw_gaps(rng, [glyph.picture.width for glyph in glyphs], size, kind)
    return Text(_arrange(glyphs, gaps, offsets, size), size, kind == "tight", style, len({*inks}) == 1)


def draw_size(rng: Rng, style: str, length: int, gaps: str, shares: Shares) -> int:
    """Pixels of the font. Few texts are large, as pages have few large pictures. What is hard to read is not small."""
    low, high = SIZES[pick_weighted(rng, shares)]
    least = DETAIL_SIZE if style in DETAILED else 22 if gaps == "tight" or length > 8 or style == "bold" else 0
    return int(max(log_uniform(rng, low, high), least, 26 if length < 3 else 0))


def _draw_fonts(rng: Rng, label: str, fonts: Sequence[str], shares: Shares) -> list[str]:
    """One font, two, or as many as characters."""
    count = {"one": 1, "two": 2, "each": len(label)}[pick_weighted(rng, shares)]
    return [draw_font(rng, fonts) for _ in range(count)]


def _masks(rng: Rng, label: str, fonts: Sequence[str], size: int, colours: Colours) -> list[Image.Image]:
    """The characters, each in one of the fonts."""
    smooth = rng.random() > 0.06
    masks = [
        mask_of(pick(rng, fonts), size, pick(rng, SHAPES.get(character, character)), smooth) for character in label
    ]
    return [larger(mask) if is_pale(mask, colours) else mask for mask in masks]


def is_pale(mask: Image.Image, colours: Colours) -> bool:
    """Whether the strokes are hairlines, so that the letter would be pale, or thin in a colour near the ground's."""
    cover = np.asarray(mask)
    thin = float(cover.mean()) < THIN_MEAN and colours.distance < LEAST_DISTANCE_OF_THIN
    return thin or float((cover >= PALE).mean()) < 0.05


def draw_poses(rng: Rng, turns: np.ndarray, shares: Mapping[int, float]) -> list[Pose]:
    """How each character is turned and stretched, besides the turns of the baseline in degrees."""
    count = len(turns)
    largest = pick_weighted(rng, shares)
    own = turns + rng.uniform(-largest, largest, count)
    slants: np.ndarray = np.full(count, rng.uniform(-0.35, 0.35) if rng.random() < 0.25 else 0.0)
    if rng.random() < 0.08:
        slants = rng.uniform(-0.5, 0.5, count)
    stretch = rng.uniform(0.75, 1.3) if rng.random() < 0.3 else 1.0
    scales = rng.uniform(*pick(rng, ((0.7, 1.15), (0.85, 1.1))), count) if rng.random() < 0.32 else np.ones(count)
    tilts = rng.uniform(-0.35, 0.35, (count, 2)) if rng.random() < 0.1 else np.zeros((count, 2))
    return [
        Pose(float(turn), float(slant), float(scale * stretch), float(scale), (float(tilt[0]), float(tilt[1])))
        for turn, slant, scale, tilt in zip(own, slants, scales, tilts, strict=True)
    ]


def _gap_kind(rng: Rng, label: str, shares: Shares) -> str:
    """Tight, usual or wide. Words with thin letters are tight more often."""
    thin = sum(character in THIN for character in label) / len(label)
    return pick_weighted(rng, {**shares, "tight": shares["tight"] + 0.6 * thin})


def draw_gaps(rng: Rng, widths: Sequence[int], size: int, kind: str) -> np.ndarray:
    """Pixels between each character and the next, below 0 where they overlap."""
    low, high = {"tight": (-0.35, -0.02), "usual": (-0.04, 0.22), "wide": (0.2, 1.2), "any": (-0.2, 0.6)}[kind]
    middle, spread = rng.uniform(low, high), (high - low) * pick(rng, (0.0, 0.15, 0.5))
    gaps = size * (middle + rng.uniform(-spread, spread, len(widths) - 1)).clip(low, high)
    narrower = np.minimum(widths[:-1], widths[1:])
    gaps = np.maximum(gaps, -MOST_OVERLAP * narrower)
    room = MOST_WIDTH * size - sum(widths)
    total = gaps[gaps > 0].sum()
    if total > max(room, 0):
        gaps = np.where(gaps > 0, gaps * max(room, 0) / total, gaps)
    return gaps


def draw_baseline(rng: Rng, count: int, size: int, shares: Shares) -> tuple[np.ndarray, np.ndarray]:
    """How far each character is below the line, in pixels, and how far the baseline turns it, in degrees."""
    place: np.ndarray = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    kind = pick_weighted(rng, shares)
    offsets = BASELINES[kind](rng, place)
    turns: np.ndarray = np.zeros(count)
    if count > 2 and rng.random() < 0.5 and kind != "jitter":
        turns = -np.rad2deg(np.arctan2(np.gradient(offsets), np.gradient(place) * count * 0.35))
    return offsets * size, turns.clip(-40, 40)


def _straight(_rng: Rng, place: np.ndarray) -> np.ndarray:
    return np.zeros(len(place))


def _sloping(rng: Rng, place: np.ndarray) -> np.ndarray:
    return place * rng.uniform(-0.5, 0.5)


def _arc(rng: Rng, place: np.ndarray) -> np.ndarray:
    return (place**2 - 0.5) * rng.choice((-1, 1)) * rng.uniform(0.1, 0.7)


def _sine(rng: Rng, place: np.ndarray) -> np.ndarray:
    return rng.uniform(0.08, 0.4) * np.sin(place * rng.uniform(1.5, 6) + rng.uniform(0, 2 * np.pi))


def _steps(rng: Rng, place: np.ndarray) -> np.ndarray:
    return rng.uniform(0.05, 0.5) * (np.arange(len(place)) // int(rng.integers(1, 3)) % 2 - 0.5)


def _jitter(rng: Rng, place: np.ndarray) -> np.ndarray:
    return rng.uniform(-1, 1, len(place)) * pick(rng, (0.06, 0.15, 0.35, 0.6))


BASELINES: dict[str, Callable[[Rng, np.ndarray], np.ndarray]] = {  # offsets in letter sizes
    "straight": _straight,
    "sloping": _sloping,
    "arc": _arc,
    "sine": _sine,
    "steps": _steps,
    "jitter": _jitter,
}


def _arrange(glyphs: Sequence[Glyph], gaps: np.ndarray, offsets: np.ndarray, size: int) -> Image.Image:
    """A transparent picture with the glyphs in a row. It is narrowed when it is much too wide."""
    widths = [glyph.picture.width for glyph in glyphs]
    lefts = np.concatenate([[0], np.cumsum(widths[:-1] + gaps)]).round().astype(int)
    tops = np.array([glyph.top for glyph in glyphs]) + offsets
    lefts, tops = lefts - lefts.min(), (tops - tops.min()).round().astype(int)
    width = int((lefts + widths).max())
    height = int((tops + [glyph.picture.height for glyph in glyphs]).max())
    row = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    for glyph, left, top in zip(glyphs, lefts, tops, strict=True):
        row.alpha_composite(glyph.picture, (int(left), int(top)))
    if width > MOST_WIDTH * size:
        row = row.resize((int(MOST_WIDTH * size), height), Image.Resampling.BILINEAR)
    return row


def draw_margins(rng: Rng, text: Text, length: int) -> tuple[int, int, int, int]:
    """Pixels left of, above, right of and below a text. Below 0 they cut a little off at the edge."""
    width, height = text.picture.size
    kind = pick_weighted(rng, {"edge": 0.12, "close": 0.5, "roomy": 0.32, "lost": 0.06 if length < 7 else 0.0})
    low, high = {"edge": (-0.05, 0.06), "close": (0.02, 0.35), "roomy": (0.2, 0.9), "lost": (0.7, 1.5)}[kind]
    left, top, right, bottom = text.size * rng.uniform(low, high, 4)
    if length > 7:
        left, right = min(left, 0.08 * width), min(right, 0.08 * width)
    if rng.random() < 0.12:  # one side alone is at the edge
        left, top = pick(rng, ((0.0, top), (left, 0.0)))
    if rng.random() < 0.1 and length < 7:
        right += width * rng.uniform(0.2, 0.8)
    wide, tall = width + left + right, height + top + bottom
    missing_width = max(0.0, LEAST_ASPECT * tall - wide, LEAST_WIDTH - wide)
    missing_height = max(0.0, (wide + missing_width) / MOST_ASPECT - tall, LEAST_HEIGHT - tall)
    share = rng.random(2)
    return (
        round(left + missing_width * share[0]),
        round(top + missing_height * share[1]),
        round(right + missing_width * (1 - share[0])),
        round(bottom + missing_height * (1 - share[1])),
    )


def draw_false_letters(
    rng: Rng, picture: Image.Image, alphabet: str, fonts: Sequence[str], colours: Colours, size: int
) -> None:
    """Letters that are no part of the label: faint ones behind the text, or small ones."""
    small = rng.random() < 0.5
    ink = colours.ink if rng.random() < 0.6 else random_colour(rng, colours.ground)
    for _ in range(int(rng.integers(2, 25)) if small else int(rng.integers(1, 5))):
        scale, strength = (rng.uniform(0.25, 0.4), 0.55) if small else (rng.uniform(0.5, 1.2), 0.28)
        mask = mask_of(draw_font(rng, fonts), max(6, int(size * scale)), pick(rng, alphabet))
        mask = mask.rotate(rng.uniform(-40, 40), Image.Resampling.BILINEAR, expand=True)
        strength *= rng.uniform(0.3, 1)
        faint = Image.blend(Image.new("L", mask.size), mask, strength)
        place = rng.uniform(-0.2, 1, 2) * picture.size
        picture.paste(ink, (int(place[0]), int(place[1])), faint)
