from pathlib import Path

from PIL import Image

from cnnlib.report import draw_boxes, draw_curve


def test_curve_and_boxes_are_pictures_with_ink(tmp_path: Path) -> None:
    draw_curve(tmp_path / "curve.png", "Curve", [(10, 0.1), (20, 0.9)])
    draw_curve(tmp_path / "empty.png", "Nothing yet", [])
    draw_boxes(tmp_path / "boxes.png", "Boxes", {"total": [3.0, 4, 5], "request": [1.0, 1, 2]})
    for name in ("curve", "empty", "boxes"):
        picture = Image.open(tmp_path / f"{name}.png").convert("L")
        assert picture.size == (800, 450)
        assert picture.getextrema()[0] < 80
    assert (tmp_path / "curve.png").read_bytes() != (tmp_path / "empty.png").read_bytes()
