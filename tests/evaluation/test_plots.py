import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure
from PIL import Image

from cnnlib.evaluation import plots
from cnnlib.evaluation.metrics import NO_CHARACTER
from cnnlib.evaluation.plots import draw_errors, draw_sheet, draw_times
from tests.helpers import draw


def test_curve_and_boxes_are_pictures_with_ink(tmp_path: Path) -> None:
    draw_errors(tmp_path / "curve.png", "Curve", {"training": [(10, 0.1), (20, 0.9)]})
    draw_errors(tmp_path / "empty.png", "Nothing yet", {"training": [], "verification": []})
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
    draw_errors(tmp_path / "curve.png", "Curve", {"training": [(10, 0.1)]})
    before = (tmp_path / "curve.png").read_bytes()

    def fail(_figure: Figure, target: io.BytesIO, **_: object) -> None:
        target.write(b"half")
        raise MemoryError

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(MemoryError):
        draw_errors(tmp_path / "curve.png", "Curve", {"training": [(10, 0.9)]})
    assert (tmp_path / "curve.png").read_bytes() == before


def test_confusions_are_bars_both_ways_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    counts = [("a", "b", 3), (" ", "", 4), ("b", "a", 2), ("c", "d", 1), ("d", "c", 1)]
    plots.draw_confusions(tmp_path / "confusion.png", counts)
    axes = drawn[0].axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["a → b", f"␣ → {NO_CHARACTER}", "c → d"]
    assert [text.get_text() for text in axes.texts] == ["3×  and b → a 2×", "4×", "1×  and d → c 1×"]
    assert [bar.get_width() for bar in axes.patches] == [3, 2, 4, 0, 1, 1]


def test_errors_are_shares_on_a_logarithmic_axis_with_goal_and_last_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    verified, batches = [(10, 0.5), (20, 0.996)], [(step, 0.75) for step in range(1, 21)]
    curves = {"verification set": verified, "training batches": batches}
    plots.draw_errors(tmp_path / "errors.png", "Misread", curves, smoothed="training batches", goal=0.99)
    axes = drawn[0].axes[0]
    assert axes.get_yscale() == "log"
    lines = {str(line.get_label()): line for line in axes.lines}
    assert lines["verification set"].get_ydata() == pytest.approx([50, 0.4])
    assert lines["training batches"].get_ydata() == pytest.approx([25] * 20)
    assert [text.get_text() for text in axes.texts] == [
        "goal: 1% (acc_stop 0.99)",
        "verification set\n0.4%",
        "training batches\n25%, mean of 10",
    ]
    assert any(list(line.get_ydata()) == pytest.approx([1, 1]) for line in axes.lines), "the goal is a line"
    assert "1%" in [text.get_text() for text in axes.get_yticklabels()]


def test_no_error_has_a_place_on_the_axis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    for curve in ([(10, 0.9), (20, 1.0)], [(10, 1.0)]):
        plots.draw_errors(tmp_path / "errors.png", "Misread", {"set": curve})
        axes = drawn.pop().axes[0]
        place = axes.get_yticks()[-1]
        assert [text.get_text() for text in axes.get_yticklabels()][-1] == "none"
        assert axes.get_ylim()[0] < place == axes.lines[0].get_ydata()[-1]


def test_box_plot_says_its_figures_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(plots, "_save", lambda figure, _: drawn.append(figure))
    times = {"total": [float(n) for n in range(101)], "recognition": [0.5] * 101}
    draw_times(tmp_path / "boxes.png", "Times", times, [n / 10 for n in range(101)])
    boxes = drawn[0].axes[0]
    assert [text.get_text() for text in boxes.get_yticklabels()] == ["total", "recognition"]
    assert [text.get_text() for text in boxes.texts] == [
        "half below 50 ms, 99% below 99 ms",
        "half below 0.5 ms, 99% below 0.5 ms",
    ]
    assert boxes.yaxis_inverted(), "the first is on top"
