import json
from pathlib import Path

from captcha.image import DEFAULT_FONTS

from cnnlib.data.folders import list_entries
from tests.helpers import run_script


def test_many_looks_are_drawn_and_a_missing_font_is_refused(tmp_path: Path) -> None:
    look = {"image_suffix": "png", "characters": "ab", "count": 6, "char_count": 4, "least_char_count": 2}
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps(look | {"width": 80, "height": 40, "root_dir": str(tmp_path / "origin")}))
    script = ("gen_image/gen_sample_of_many_looks.py", "--config", path, "--seed", "5", "--fonts")
    run = run_script(*script, *DEFAULT_FONTS)
    assert (run.returncode, run.stderr) == (0, "")
    assert len(list_entries(tmp_path / "origin")) == 6
    wrong = run_script(*script, "missing.ttf")
    assert wrong.returncode == 2
    assert "missing.ttf: expected a TrueType or OpenType font; there is no such file" in wrong.stderr
