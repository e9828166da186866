import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image

from cnnlib.synthesis.colours import Colours
from cnnlib.synthesis.layout import (
    BASELINES,
    LEAST_HEIGHT,
    LEAST_WIDTH,
    MOST_OVERLAP,
    MOST_WIDTH,
    draw_false_letters,
    draw_gaps,
    draw_margins,
    draw_text,
)
from cnnlib.synthesis.manners import FREE

COLOURS = Colours((255, 255, 255), (0, 0, 0))


def test_texts_are_as_wide_as_they_need_and_never_much_too_wide() -> None:
    for number in range(150):
        rng = np.random.default_rng(number)
        label = "mW4g8QaBmWmW"[: number % 12 + 1]
        text = draw_text(rng, label, DEFAULT_FONTS, COLOURS, FREE.layout)
        assert text.picture.mode == "RGBA"
        assert text.picture.width <= MOST_WIDTH * text.size
        assert text.picture.getchannel("A").getextrema()[1] > 128


def test_gaps_differ_from_pair_to_pair_and_overlap_only_so_much() -> None:
    widths = [20, 6, 20, 20, 6, 20]
    for number in range(100):
        gaps = draw_gaps(np.random.default_rng(number), widths, 30, "tight")
        assert (gaps >= -MOST_OVERLAP * np.minimum(widths[:-1], widths[1:]) - 1e-9).all()
        assert (gaps < 0).all()
    wide = [draw_gaps(np.random.default_rng(number), widths, 30, "wide") for number in range(100)]
    assert max(gaps.max() for gaps in wide) > 30  # more than a letter's height
    assert max(np.ptp(gaps) for gaps in wide) > 10


def test_thin_letters_are_tight_more_often() -> None:
    shares = []
    for label in ("lirtf", "WMABD"):
        texts = [draw_text(np.random.default_rng(n), label, DEFAULT_FONTS, COLOURS, FREE.layout) for n in range(300)]
        shares.append(sum(text.tight for text in texts) / 300)
    assert shares[0] > shares[1] + 0.15


@pytest.mark.parametrize("kind", BASELINES)
def test_a_baseline_moves_letters_within_a_letters_height(kind: str) -> None:
    offsets = np.array([BASELINES[kind](np.random.default_rng(n), np.linspace(-1, 1, 6)) for n in range(50)])
    assert np.abs(offsets).max() <= 0.6
    assert (np.ptp(offsets, axis=1).max() > 0.05) == (kind != "straight")


def test_margins_keep_pictures_within_sizes_that_pages_have() -> None:
    cut, sizes = 0, []
    for number in range(400):
        rng = np.random.default_rng(number)
        label = "a8WmQ3rT5bX7"[: number % 12 + 1]
        text = draw_text(rng, label, DEFAULT_FONTS, COLOURS, FREE.layout)
        left, top, right, bottom = draw_margins(rng, text, len(label))
        width, height = text.picture.width + left + right, text.picture.height + top + bottom
        assert width >= LEAST_WIDTH - 1
        assert height >= LEAST_HEIGHT - 1
        assert 1.25 <= width / height <= 6.8
        cut += min(left, top, right, bottom) < 0
        sizes.append((width, height))
    assert 10 < cut < 100  # some letters are over an edge, most are not
    assert min(sizes)[0] < 75
    assert max(sizes)[0] > 350


def test_false_letters_are_drawn_and_stay_faint_or_small() -> None:
    drawn = 0
    for number in range(30):
        picture = Image.new("RGB", (200, 80), "white")
        draw_false_letters(np.random.default_rng(number), picture, "ab", DEFAULT_FONTS, COLOURS, 40)
        grey = np.asarray(picture.convert("L"))
        drawn += grey.min() < 255
        assert grey.min() > 100
    assert drawn > 25  # the others are beyond the edge
