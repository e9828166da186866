import io
import random
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from cnnlib.data.doubles import Double, find_doubles
from cnnlib.data.samples import inspect_folder

FONT = ImageFont.load_default(30)
DIGITS = "0123456789"
COLOURS = [(120, 20, 20), (20, 90, 20), (20, 20, 120)]


def captcha(label: str, seed: int) -> Image.Image:
    """A label in three colours with some lines, all placed by `seed`."""
    chance = random.Random(seed)
    picture = Image.new("RGB", (120, 50), "white")
    pen = ImageDraw.Draw(picture)
    for place, character in enumerate(label):
        pen.text((6 + 28 * place + chance.randrange(8), chance.randrange(12)), character, chance.choice(COLOURS), FONT)
    for _ in range(3):
        pen.line([(chance.randrange(120), chance.randrange(50)) for _ in range(2)], chance.choice(COLOURS), 2)
    return picture


def save(picture: Image.Image, path: Path, **options: int) -> None:
    encoded = io.BytesIO()
    picture.save(encoded, {".png": "PNG", ".jpg": "JPEG"}[path.suffix], **options)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(encoded.getvalue())


def doubles_in(*folders: Path) -> list[Double]:
    return find_doubles([sample for folder in folders for sample in inspect_folder(folder)])


def test_same_bytes_are_found_across_folders_and_two_labels(tmp_path: Path) -> None:
    save(captcha("3k7a", 1), tmp_path / "train" / "3k7a_1.png")
    save(captcha("3k7a", 1), tmp_path / "test" / "3k7o_2.png")
    save(captcha("3k7a", 1), tmp_path / "test" / "3k7a_3.png")
    found = doubles_in(tmp_path / "train", tmp_path / "test")
    assert [(each.sample.name, each.other.name, each.exact, each.disagrees) for each in found] == [
        ("3k7a_3.png", "3k7a_1.png", True, False),
        ("3k7o_2.png", "3k7a_1.png", True, True),
    ]


@pytest.mark.parametrize("kind", ["another JPEG", "smaller", "another PNG"])
def test_picture_that_was_saved_again_is_nearly_the_same(tmp_path: Path, kind: str) -> None:
    picture = captcha("3k7a", 1)
    save(picture, tmp_path / "a_1.png")
    for seed in range(2, 30):
        save(captcha("3k7a", seed), tmp_path / f"b_{seed}.png")
    if kind == "another JPEG":
        save(picture, tmp_path / "c_1.jpg", quality=75)
    elif kind == "smaller":
        save(picture.resize((96, 40), Image.Resampling.BILINEAR), tmp_path / "c_1.png")
    else:
        picture.putpixel((0, 0), (250, 250, 250))
        save(picture, tmp_path / "c_1.png")
    found = doubles_in(tmp_path)
    assert [(each.sample.path.stem, each.other.name, each.exact) for each in found] == [("c_1", "a_1.png", False)]


def plain(label: str, seed: int, ink: str, ground: str, size: tuple[int, int]) -> Image.Image:
    """A label in the middle of a picture, moved by two pixels at most."""
    chance = random.Random(seed)
    picture = Image.new("RGB", size, ground)
    middle = (size[0] / 2 + chance.randint(-2, 2), size[1] / 2 + chance.randint(-2, 2))
    ImageDraw.Draw(picture).text(middle, label, ink, FONT, anchor="mm")
    return picture


@pytest.mark.parametrize(
    ("ink", "ground", "size"),
    [
        ("black", "white", (200, 70)),
        ("#888888", "white", (200, 70)),
        ("white", "#222222", (200, 70)),
        ("#ff0000", "white", (200, 70)),
        ("#2244aa", "#eeeeff", (160, 60)),
    ],
)
def test_plain_texts_on_a_wide_ground_are_told_apart(
    tmp_path: Path, ink: str, ground: str, size: tuple[int, int]
) -> None:
    chance = random.Random(1)
    for seed in range(200):
        label = "".join(chance.choices(DIGITS, k=4))
        save(plain(label, seed, ink, ground, size), tmp_path / f"{label}_{seed}.png")
    assert [(each.sample.name, each.other.name) for each in doubles_in(tmp_path) if each.disagrees] == []


@pytest.mark.parametrize(("ink", "ground"), [("black", "white"), ("#888888", "white"), ("#2244aa", "#eeeeff")])
def test_plain_text_that_was_saved_again_is_nearly_the_same(tmp_path: Path, ink: str, ground: str) -> None:
    for number in range(20):
        picture = plain(f"{7919 * number % 10000:04d}", number, ink, ground, (200, 70))
        save(picture, tmp_path / f"a_{number:02d}.png")
        save(picture, tmp_path / f"b_{number:02d}.jpg", quality=75)
    found = {(each.sample.path.stem, each.other.path.stem) for each in doubles_in(tmp_path)}
    assert found == {(f"b_{number:02d}", f"a_{number:02d}") for number in range(20)}


def test_captchas_of_one_text_are_no_doubles(tmp_path: Path) -> None:
    for seed in range(200):
        save(captcha("3k7a", seed), tmp_path / f"3k7a_{seed}.png")
    assert doubles_in(tmp_path) == []


def test_text_of_the_grey_of_its_ground_is_told_apart(tmp_path: Path) -> None:
    """The colours have one grey, so that the pictures are flat without colour."""
    for number, label in enumerate(("3k7a", "x2fm")):
        picture = Image.new("RGB", (120, 50), (200, 100, 100))
        ImageDraw.Draw(picture).text((10, 5), label, (100, 151, 100), FONT)
        save(picture, tmp_path / f"{label}_{number}.png")
    assert doubles_in(tmp_path) == []


def test_folder_without_pictures_has_no_doubles(tmp_path: Path) -> None:
    assert doubles_in(tmp_path) == []


def test_faint_pictures_are_not_taken_for_each_other(tmp_path: Path) -> None:
    for seed in range(10):
        save(captcha("3k7a", seed).convert("L").point(lambda level: 120 + level // 12), tmp_path / f"a_{seed}.png")
    assert doubles_in(tmp_path) == []
