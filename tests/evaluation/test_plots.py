import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnlib.evaluation import plots
from cnnlib.evaluation.metrics import NO_CHARACTER
from cnnlib.evaluation.plots import draw_curve, draw_sheet, draw_times
from tests.helpers import draw


def test_curve_and_boxes_are_pictures_with_ink(tmp_path: Path) -> None:
    draw_curve(tmp_path / "curve.png", "Curve", [(10, 0.1), (20, 0.9)])
    draw_curve(tmp_path / "empty.png", "Nothing yet", [])
    draw_times(tmp_path / "boxes.png", "Times", {"total": [3.0, 4, 5], "request": [1.0, 1, 2]}, [0.0, 0.5, 1.0])
    for name in ("curve", "empty", "boxes"):
        picture = Image.open(tmp_path / f"{name}.png").convert("L")
        assert picture.size == ((1100, 450) if name == "boxes" else (800, 450))
        assert picture.getextrema()[0] < 80
    assert (tmp_path / "curve.png").read_bytes() != (tmp_path / "empty.png").read_bytes()


def test_sheet_marks_the_misread_in_red(tmp_path: Path) -> None:
    pictures = [draw("01", tmp_path / f"01_{n}.png").read_bytes() for n in range(5)]
    draw_sheet(tmp_path / "right.png", pictures, ["01"] * 5, [True] * 5)
    draw_sheet(tmp_path / "wrong.png", pictures, ["01"] * 5, [True] * 4 + [False])
    right, wrong = (Image.open(tmp_path / f"{name}.png").convert("RGB") for name in ("right", "wrong"))
    assert right.size == wrong.size == (800, 260)
    assert not any(red > green + 100 for red, green, _ in right.get_flattened_data())
    assert any(red > green + 100 for red, green, _ in wrong.get_flattened_data())


def test_rows_are_shorter_when_captions_are_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    picture = draw("01", tmp_path / "01_1.png").read_bytes()
    for length in (20, 24, 64):
        draw_sheet(tmp_path / "sheet.png", [picture] * 12, [f"01\n{'0' * length}"] * 12)
    assert [figure.axes[0].get_gridspec().ncols for figure in drawn] == [4, 3, 1]


def test_characters_that_the_default_font_lacks_get_another_font(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(name="Other", fname="other.ttf")
    monkeypatch.setattr(plots.font_manager.fontManager, "ttflist", [SimpleNamespace(name="No", fname="no.ttf"), other])
    monkeypatch.setattr(plots, "_characters", lambda path: {"other.ttf": {0x5929: 1}}.get(path, {ord("a"): 1}))
    assert plots._fonts("a") == [plots.DEFAULT_FONT]
    assert plots._fonts("a\u5929") == [plots.DEFAULT_FONT, "Other"]


def test_deleted_font_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = SimpleNamespace(name="Gone", fname="/nowhere/gone.ttf")
    monkeypatch.setattr(plots.font_manager.fontManager, "ttflist", [gone])
    assert plots._fonts("a\u5929") == [plots.DEFAULT_FONT]


def test_picture_that_cannot_be_drawn_leaves_the_older_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_curve(tmp_path / "curve.png", "Curve", [(10, 0.1)])
    before = (tmp_path / "curve.png").read_bytes()

    def fail(_figure: Figure, target: io.BytesIO, **_: object) -> None:
        target.write(b"half")
        raise MemoryError

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(MemoryError):
        draw_curve(tmp_path / "curve.png", "Curve", [(10, 0.9)])
    assert (tmp_path / "curve.png").read_bytes() == before


def test_confusions_have_a_row_for_each_label_and_a_column_for_each_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    plots.draw_confusions(tmp_path / "confusion.png", [("a", "b", 3), (" ", "", 1)])
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["␣", "a"]
    assert [text.get_text() for text in axes.get_xticklabels()] == [NO_CHARACTER, "b"]
    assert axes.images[0].get_array().tolist() == [[1, 0], [0, 3]]
