"""The curves on the benchmarks' pages."""

from typing import Any

import pytest
from matplotlib.figure import Figure

from tests.benchmarks import drawings


def run(network: str, steps: int, seed: int, share: float, *, warm: bool = True) -> dict[str, Any]:
    curve = [[100, 0.5], [steps, share]]
    look = "lower-100x60-0.7.0-20000"
    return {"look": look, "network": network, "steps": steps, "seed": seed, "warm_start": warm, "curve": curve}


def test_seeds_are_one_band_and_the_network_of_2019_one_line(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    found = [run("columns", 3000, seed, share) for seed, share in ((1, 0.99), (2, 0.98), (3, 0.97))]
    found += [run("columns", 3000, 1, 0.95, warm=False), run("columns", 12_000, 1, 1.0)]
    found += [run("classic", 3000, 1, 0.1), run("classic", 12_000, 1, 0.5)]
    drawings.draw_curves(tmp_path / "curves.png", found)
    (axes,) = drawn[0].axes
    assert [str(line.get_label()) for line in axes.lines] == [
        "12,000 steps: 0%",
        "3,000 steps, 3 seeds: 2%",
        "3,000 steps, from random weights: 5%",
        "network of 2019: 50%",
    ]
    assert axes.get_title() == "digits and small letters, 100×60\ncaptcha 0.7.0, 20,000 pictures"
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    band = axes.collections[1].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == (pytest.approx(1), pytest.approx(50))
