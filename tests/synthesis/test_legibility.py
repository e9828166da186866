import numpy as np
from captcha.image import DEFAULT_FONTS
from PIL import Image, ImageDraw, ImageFont

from cnnlib.synthesis.legibility import fill, leaves_readable, stands_out
from cnnlib.synthesis.manners import FREE, Limits


def layer(ink: tuple[int, int, int]) -> Image.Image:
    text = Image.new("RGBA", (120, 50), (0, 0, 0, 0))
    ImageDraw.Draw(text).text((10, 2), "aB3", (*ink, 255), ImageFont.truetype(DEFAULT_FONTS[0], 36))
    return text


def put(text: Image.Image, ground: Image.Image) -> Image.Image:
    picture = ground.copy()
    picture.paste(text, (0, 0), text)
    return picture


def test_a_text_near_its_ground_does_not_stand_out() -> None:
    ground = Image.new("RGB", (120, 50), (200, 200, 200))
    for ink, expected in (((20, 20, 20), True), ((170, 170, 170), False)):
        assert stands_out(ground, put(layer(ink), ground), layer(ink)) == expected


def test_a_text_does_not_stand_out_of_strong_noise() -> None:
    cells = np.random.default_rng(1).random((50, 120)) < 0.5
    bar = Image.new("RGBA", (120, 50), (0, 0, 0, 0))
    bar.paste((0, 0, 0, 255), (10, 10, 110, 40))
    for low, expected in ((190, True), (45, False)):
        noise = np.where(cells, low, 255).astype(np.uint8)
        ground = Image.fromarray(noise).convert("RGB")
        assert stands_out(ground, put(bar, ground), bar) == expected


def test_an_empty_text_does_not_stand_out() -> None:
    ground, empty = Image.new("RGB", (120, 50)), Image.new("RGBA", (120, 50), (0, 0, 0, 0))
    assert not stands_out(ground, ground, empty)
    assert not leaves_readable(ground, ground, empty, 200, FREE.limits)


def test_a_thin_line_leaves_a_text_readable_and_a_bar_or_a_thicket_does_not() -> None:
    text = layer((0, 0, 0))
    before = put(text, Image.new("RGB", (120, 50), "white"))
    for width, count, expected in ((1, 1, True), (16, 1, False), (1, 40, False)):
        after = before.copy()
        for number in range(count):
            ImageDraw.Draw(after).line((0, 25 - number, 120, 25 + number), (255, 0, 0), width)
        assert leaves_readable(before, after, text, 255, FREE.limits) == expected


def test_a_place_that_is_filled_around_the_letters_hides_them() -> None:
    text = layer((0, 0, 0))
    before = put(text, Image.new("RGB", (120, 50), "white"))
    after = before.copy()
    after.paste((200, 0, 0), (0, 0), text.getchannel("A").point(lambda value: 255 * (value == 0)))
    assert not leaves_readable(before, after, text, 255, FREE.limits)


def test_fill_is_the_share_of_ink() -> None:
    half = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    half.paste((1, 2, 3, 255), (0, 0, 5, 10))
    assert fill(half) == 0.5


def test_wider_limits_leave_more_over_a_text() -> None:
    text = layer((0, 0, 0))
    before = put(text, Image.new("RGB", (120, 50), "white"))
    after = before.copy()
    ImageDraw.Draw(after).line((0, 25, 120, 25), (255, 0, 0), 7)
    assert not leaves_readable(before, after, text, 255, FREE.limits._replace(clutter=9))
    assert not leaves_readable(before, after, text, 255, FREE.limits._replace(hidden=0.9))
    assert leaves_readable(before, after, text, 255, Limits(hidden=0.9, clutter=9))
