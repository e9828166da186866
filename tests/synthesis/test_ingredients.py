"""Grounds, strokes, specks, warps, effects, losses and colours, each drawn alone."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

from cnnlib.synthesis.colours import KINDS, LEAST_DISTANCE, Colours, draw_colours, draw_inks, draw_pen, luma
from cnnlib.synthesis.degrade import CHANGES, degrade
from cnnlib.synthesis.effects import EFFECTS, frame, invert_bars, put_text
from cnnlib.synthesis.grounds import GROUNDS, draw_ground
from cnnlib.synthesis.manners import FREE
from cnnlib.synthesis.specks import SPECKS, draw_specks
from cnnlib.synthesis.strokes import STROKES, draw_strokes
from cnnlib.synthesis.warps import FIELDS, tear_rows, warp

SIZE, UNIT = (150, 60), 36
COLOURS = Colours((230, 240, 255), (20, 30, 90))
Rng = np.random.Generator


def text_layer() -> Image.Image:
    layer = Image.new("RGBA", SIZE, (0, 0, 0, 0))
    font = ImageFont.truetype(DEFAULT_FONTS[0], UNIT)
    ImageDraw.Draw(layer).text((20, 6), "aB3k", (*COLOURS.ink, 255), font)
    return layer


def text_picture() -> Image.Image:
    picture = Image.new("RGB", SIZE, COLOURS.ground)
    layer = text_layer()
    picture.paste(layer, (0, 0), layer)
    return picture


def drawn_in_place(draw: Callable[..., None], rng: Rng, *arguments: object) -> Image.Image:
    picture = text_picture()
    draw(rng, picture, *arguments)
    return picture


def with_strokes(kind: str, rng: Rng) -> Image.Image:
    return drawn_in_place(draw_strokes, rng, lambda: (200, 0, 0), UNIT, kind)


def with_specks(kind: str, rng: Rng) -> Image.Image:
    return drawn_in_place(draw_specks, rng, lambda: (200, 0, 0), UNIT, kind)


def with_effect(kind: str, rng: Rng) -> Image.Image:
    picture = Image.new("RGB", SIZE, COLOURS.ground)
    put_text(rng, picture, text_layer(), COLOURS, UNIT, kind)
    return picture


def with_ground(kind: str, rng: Rng) -> Image.Image:
    picture = draw_ground(rng, COLOURS, SIZE, kind)
    layer = text_layer()
    picture.paste(layer, (0, 0), layer)
    return picture


def warped(kind: str, rng: Rng) -> Image.Image:
    return warp(rng, text_picture(), UNIT, kinds=[kind])


def degraded(kind: str, rng: Rng) -> Image.Image:
    return CHANGES[kind](rng, text_picture(), UNIT)


INGREDIENTS: dict[str, Callable[[Rng], Image.Image]] = {
    **{f"ground {kind}": partial(with_ground, kind) for kind in GROUNDS if kind != "plain"},
    **{f"strokes {kind}": partial(with_strokes, kind) for kind in STROKES},
    **{f"specks {kind}": partial(with_specks, kind) for kind in SPECKS},
    **{f"effect {kind}": partial(with_effect, kind) for kind in EFFECTS if kind != "none"},
    **{f"warp {kind}": partial(warped, kind) for kind in FIELDS},
    **{f"loss {kind}": partial(degraded, kind) for kind in CHANGES},
    "torn rows": lambda rng: tear_rows(rng, text_picture(), UNIT),
    "bars": lambda rng: invert_bars(rng, text_picture(), UNIT),
    "frame": lambda rng: frame(rng, text_picture(), COLOURS),
}


@pytest.mark.parametrize("name", INGREDIENTS)
def test_an_ingredient_alone_changes_the_picture_and_keeps_size_and_mode(name: str) -> None:
    plain, changed = text_picture(), 0
    for number in range(20):
        picture = INGREDIENTS[name](np.random.default_rng(number))
        assert (picture.size, picture.mode) == (SIZE, "RGB")
        assert picture.tobytes() == INGREDIENTS[name](np.random.default_rng(number)).tobytes()
        changed += picture.tobytes() != plain.tobytes()
    assert changed >= 18


def test_plain_ground_and_no_effect_change_nothing() -> None:
    rng = np.random.default_rng(1)
    assert with_ground("plain", rng).tobytes() == text_picture().tobytes()
    assert with_effect("none", rng).tobytes() == text_picture().tobytes()


@pytest.mark.parametrize("kind", GROUNDS)
def test_a_ground_leaves_the_ink_readable(kind: str) -> None:
    shares = []
    for number in range(20):
        ground = np.asarray(draw_ground(np.random.default_rng(number), COLOURS, SIZE, kind), float)
        to_ink, to_ground = (np.linalg.norm(ground - colour, axis=-1) for colour in (COLOURS.ink, COLOURS.ground))
        shares.append((to_ink < (0.5 if kind == "vivid_boxes" else 1) * to_ground).mean())
    assert np.mean(shares) < (0.35 if kind in ("bands", "vivid_boxes") else 0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_ink_and_ground_are_colours_that_can_be_told_apart(kind: str) -> None:
    rng = np.random.default_rng(1)
    drawn = [KINDS[kind](rng) for _ in range(100)]
    assert all(0 <= value <= 255 for colours in drawn for value in (*colours.ground, *colours.ink))
    assert np.mean([colours.distance >= LEAST_DISTANCE for colours in drawn]) > 0.4
    if kind == "one brightness":
        assert all(abs(luma(colours.ground) - luma(colours.ink)) < 8 for colours in drawn)


def test_drawn_colours_are_never_too_near() -> None:
    rng = np.random.default_rng(2)
    assert min(draw_colours(rng, FREE.colours).distance for _ in range(500)) >= LEAST_DISTANCE


def test_inks_are_one_or_many() -> None:
    rng = np.random.default_rng(3)
    numbers = [len({*draw_inks(rng, COLOURS, 5, FREE.layout.inks)}) for _ in range(200)]
    assert 0.55 < numbers.count(1) / 200 < 0.8
    assert numbers.count(5) > 40


def test_a_pen_keeps_its_colour_or_changes_it() -> None:
    pens = [draw_pen(np.random.default_rng(number), COLOURS, FREE.pens) for number in range(100)]
    numbers = [len({pen() for _ in range(8)}) for pen in pens]
    assert {1, 8} == {*numbers}
    assert sum(pen() == COLOURS.ink for pen in pens) > 20


def test_texts_of_many_inks_are_never_turned_into_black_and_white() -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        picture = np.asarray(degrade(rng, text_picture(), COLOURS, UNIT, False, FREE.losses), int)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 2
    blacks = 0
    for _ in range(200):
        picture = np.asarray(degrade(rng, text_picture(), COLOURS, UNIT, True, FREE.losses), int)
        blacks += len(np.unique(picture.reshape(-1, 3), axis=0)) == 2
    assert blacks > 5
