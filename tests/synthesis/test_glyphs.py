import numpy as np
import pytest
from captcha.image import DEFAULT_FONTS
from PIL import Image

from cnnlib.synthesis.glyphs import STYLES, Pose, draw_glyph, larger, mask_of

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("character", ["a", "l", "8"])
def test_every_style_draws_the_ink_and_differs_from_the_others(style: str, character: str) -> None:
    mask = mask_of(DEFAULT_FONTS[0], 40, character)
    glyphs = {
        name: np.asarray(draw_glyph(np.random.default_rng(1), mask, name, RED, BLUE, Pose()).picture) for name in STYLES
    }
    pixels = glyphs.pop(style)
    solid = pixels[pixels[..., 3] > 200]
    assert (solid[:, 0] > 200).any()
    assert (pixels[..., 3] > 200).mean() > 0.02
    assert not any(pixels.shape == other.shape and (pixels == other).all() for other in glyphs.values())


@pytest.mark.parametrize(
    "pose", [Pose(turn=30), Pose(slant=0.4), Pose(width=1.3), Pose(height=0.7), Pose(tilt=(0.3, 0.3))]
)
def test_a_pose_moves_ink_and_loses_none_at_the_edges(pose: Pose) -> None:
    mask = Image.new("L", (30, 40), 255)  # ink up to the edges
    plain = draw_glyph(np.random.default_rng(1), mask, "solid", RED, BLUE, Pose()).picture
    posed = draw_glyph(np.random.default_rng(1), mask, "solid", RED, BLUE, pose).picture
    assert posed.tobytes() != plain.tobytes()
    ratio = np.asarray(posed)[..., 3].sum() / np.asarray(plain)[..., 3].sum()
    assert ratio == pytest.approx(pose.width * pose.height, rel=0.1)


def test_a_turned_character_leans_to_the_left_for_positive_degrees() -> None:
    mask = mask_of(DEFAULT_FONTS[0], 40, "l")
    alpha = np.asarray(
        draw_glyph(np.random.default_rng(1), mask, "solid", RED, BLUE, Pose(turn=30)).picture.getchannel("A")
    )
    columns = np.arange(alpha.shape[1])
    top, bottom = (float((row * columns).sum() / row.sum()) for row in (alpha[:8].sum(0), alpha[-8:].sum(0)))
    assert top < bottom - 5


def test_hairlines_get_wider() -> None:
    mask = mask_of(DEFAULT_FONTS[0], 20, "l")
    assert np.asarray(larger(mask)).sum() > 1.3 * np.asarray(mask).sum()
