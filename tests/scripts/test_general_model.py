"""The shipped general model."""

import json

from PIL import Image, ImageDraw, ImageFont

from cnnlib.config import load_sample_config
from cnnlib.core.paths import GENERAL_MODEL, PROJECT_ROOT
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.recognizer import Recognizer


def test_general_model_is_small_and_reads_plain_letters_of_any_size() -> None:
    assert sum(path.stat().st_size for path in GENERAL_MODEL.iterdir() if path.is_file()) <= 6_000_000
    reader = Recognizer(GENERAL_MODEL)
    predictions = {}
    for text, size in (("hk4R7", (190, 56)), ("B2me", (120, 60)), ("73915", (300, 80))):
        picture = Image.new("RGB", size, "white")
        ImageDraw.Draw(picture).text((size[0] // 8, size[1] // 6), text, "navy", ImageFont.load_default(size[1] * 0.55))
        predictions[text] = reader.recognize([picture])[0].text
    assert predictions == {text: text for text in predictions}


def test_general_config_is_that_of_the_shipped_model() -> None:
    config = load_sample_config(PROJECT_ROOT / "conf/general_config.json")
    Recognizer(GENERAL_MODEL, requirements=requirements_of(config))
    keys = [json.loads((PROJECT_ROOT / f"conf/general{part}_config.json").read_text()) for part in ("", "_training")]
    different = {key for key in keys[1] if keys[0].get(key) != keys[1][key]}
    assert different == {"model_save_dir", "log_dir", "generator", "generator_config"}
