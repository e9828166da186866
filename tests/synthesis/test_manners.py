from typing import Any

import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image

from cnnlib.config import load_captcha_config
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.synthesis import random_looks
from cnnlib.synthesis.colours import KINDS, Colours
from cnnlib.synthesis.degrade import CHANGES
from cnnlib.synthesis.effects import EFFECTS
from cnnlib.synthesis.glyphs import STYLES
from cnnlib.synthesis.grounds import GROUNDS
from cnnlib.synthesis.layout import BASELINES, SIZES, draw_text
from cnnlib.synthesis.manners import JOINED, LINED, MANNERS, SHARES, SPECKLED, Manner
from cnnlib.synthesis.random_looks import draw_picture, draw_random_look
from cnnlib.synthesis.specks import SPECKS
from cnnlib.synthesis.strokes import STROKES

COLOURS = Colours((255, 255, 255), (0, 0, 0))
LOOKS = load_captcha_config(PROJECT_ROOT / "conf/general_captcha_config.json")
KNOWN = {
    "colours": {*KINDS},
    "grounds": {*GROUNDS},
    "warped": {"nothing", "text", "picture", "both"},
    "effects": {*EFFECTS},
    "strokes": {*STROKES},
    "specks": {*SPECKS},
    "pens": {"ink", "other", "many", "faint", "ground"},
    "losses": {*CHANGES},
}
KNOWN_OF_LAYOUT = {
    "styles": {*STYLES},
    "inks": {"one", "tones", "mixed", "pale"},
    "gaps": {"tight", "usual", "wide", "any"},
    "fonts": {"one", "two", "each"},
    "sizes": {*SIZES},
    "baselines": {*BASELINES},
}


@pytest.mark.parametrize("name", MANNERS)
def test_a_manner_names_ingredients_that_there_are(name: str) -> None:
    manner = MANNERS[name]
    for owner, known in ((manner, KNOWN), (manner.layout, KNOWN_OF_LAYOUT)):
        for field, kinds in known.items():
            shares = getattr(owner, field)
            assert {*shares} <= kinds, field
            assert sum(shares.values()) == pytest.approx(1, abs=0.06) or field == "losses", field
    assert {*SHARES} == {*MANNERS}


def tight_share(manner: Manner) -> float:
    texts = [
        draw_text(np.random.default_rng(number), "WMABD", DEFAULT_FONTS, COLOURS, manner.layout)
        for number in range(150)
    ]
    return sum(text.tight and text.one_ink for text in texts) / 150


def test_joined_letters_touch_and_the_others_mostly_do_not() -> None:
    assert tight_share(JOINED) > 0.5
    assert max(tight_share(manner) for manner in (LINED, SPECKLED, MANNERS["free"])) < 0.4


def test_a_look_has_the_manner_that_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    draw = draw_picture

    def watched(rng: np.random.Generator, *arguments: Any) -> Image.Image:
        seen.append(arguments[-1])
        return draw(rng, *arguments)

    monkeypatch.setattr(random_looks, "draw_picture", watched)
    for number in range(200):
        draw_random_look(LOOKS, f"7-{number}", DEFAULT_FONTS)
    for name, share in SHARES.items():
        assert sum(manner is MANNERS[name] for manner in seen) / 200 == pytest.approx(share, abs=0.1)
