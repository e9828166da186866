"""The benchmarks themselves, on a small set of pictures."""

import json
import random
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import decode_picture
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks import (
    __main__,
    doctor,
    doctor_page,
    drawings,
    folders,
    folders_page,
    forecast,
    forecast_page,
    general,
    pages,
    runs,
    workers_page,
    zoo,
)
from tests.benchmarks.unlabelled_page import unlabelled_text
from tests.helpers import draw, fill


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of work, results and pages, in place of the project's own, with one set of 100 pictures."""
    for module in (runs, zoo, drawings, pages):
        monkeypatch.setattr(module, "WORK", tmp_path / "bench")
    for module in (runs, pages):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    fill(tmp_path / "pictures", 100)
    with tarfile.open(tmp_path / "small.tar", "w") as archive:
        archive.add(tmp_path / "pictures", "small")
    for module in (zoo, general):
        monkeypatch.setattr(module, "HELD_BACK", 40)
    return tmp_path


@pytest.mark.slow
def test_set_is_trained_on_once_stored_and_written_to_the_page(folder: Path) -> None:
    run = zoo.run_of(folder, "small")
    steps = {"cycle_stop": 3, "cycle_save": 3}
    result = runs.perform(replace(run, prepare=lambda place: run.prepare(place) | steps))
    assert runs.perform(run) == json.loads((folder / "results" / "zoo-small.json").read_text("utf-8")) == result
    assert (result["samples"], result["step"], result["warm_start"]) == (40, 3, True)
    assert result["training_pictures"] == 52  # of the 60 that are not held back, 8 are for verification
    assert result["pictures_per_s"] > 0
    general.read_set(folder, "small")
    pages.write_pages()
    row = next(line for line in (folder / "zoo.md").read_text("utf-8").splitlines() if "| small |" in line)
    assert row.startswith(f"| small | {result['picture_accuracy']:.2%} (")
    assert "| 52 | 3 |" in row
    assert (folder / "zoo.png").exists()


def test_missing_results_are_listed_and_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo_options = ["--zoo", str(folder), "--list"]
    for what, missing in {"zoo": "1 missing: zoo-small", "labels": "6 missing: labels-small-200-warm-start-au"}.items():
        monkeypatch.setattr(sys, "argv", ["benchmarks", what, *zoo_options])
        assert __main__.main() == 0
        assert capsys.readouterr().out.startswith(missing)
    assert not (folder / "bench").exists()


@pytest.mark.parametrize("what", __main__.WHAT)
def test_every_benchmark_says_what_it_lacks(folder: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", what, "--zoo", str(folder), "--list"])
    assert __main__.main() == 0


def test_repeated_pictures_have_the_same_pixels_and_other_bytes(tmp_path: Path) -> None:
    drawn = [(label, draw(label, tmp_path / f"{label}.png").read_bytes()) for label in ("00", "01")]
    folders.repeat(drawn, 5, tmp_path / "repeated")
    paths = sorted((tmp_path / "repeated").iterdir())
    assert [label_of(path.name) for path in paths] == ["00", "00", "00", "01", "01"]
    assert len({path.read_bytes() for path in paths}) == 5
    assert len({decode_picture(path.read_bytes()).tobytes() for path in paths}) == 2


def test_page_of_large_folders_says_what_a_picture_more_takes() -> None:
    few = {"pictures": 1000, "seconds": 2, "cpu_s": 3, "peak_mib": 60, "own_mib": 40}
    many = few | {"pictures": 5000, "seconds": 8, "own_mib": 42}
    text = folders_page.folders_text("", {"scripts": {"split": [few, many]}, "machine": "", "commit": ""})
    assert "| 1,000 | 2.0 | 2.000 | 3.000 | 1.5 | 60 | 40 |  |\n" in text
    assert "| 5,000 | 8.0 | 1.600 | 0.600 | 0.4 | 60 | 42 | 524 |\n" in text


def test_pages_are_those_of_the_stored_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    pages.write_pages()
    written = sorted(tmp_path.glob("*.md"))
    assert [path.name for path in written] == [
        "doctor.md",
        "faults.md",
        "few_labels.md",
        "folders.md",
        "hostile_requests.md",
        "keystrokes.md",
        "memory.md",
        "peers.md",
        "replay.md",
        "service.md",
        "statistics.md",
        "workers.md",
        "zoo.md",
    ]
    for path in written:
        assert path.read_text("utf-8") == (PROJECT_ROOT / "docs" / "benchmarks" / path.name).read_text("utf-8")


def test_table_of_workers_is_computed_from_what_two_of_them_took() -> None:
    result = {"gradient_bytes": 4e6, "collectives": 10, "collective_ms": 0.5, "step_ms": {"one": 100.0}}
    shared = result["collectives"]
    assert workers_page.efficiency(result, 1, 1, shared) == 1
    assert workers_page.efficiency(result, 2, 1, shared) == pytest.approx(100 / (100 + 5 + 32))
    assert workers_page.efficiency(result, 16, 100, shared) == pytest.approx(100 / (100 + 75 + 0.6))
    assert workers_page.efficiency(result, 2, 1, 1) == pytest.approx(100 / (100 + 0.5 + 32))


def test_labels_are_spoiled_as_people_mistype() -> None:
    assert set(doctor.cases("aB1")) == {"AB1", "ab1"}
    assert set(doctor.swapped("aab")) == {"aba"}
    assert {"0b", "Ob"} <= set(doctor.look_alikes("ob"))
    assert "ob" not in set(doctor.look_alikes("ob"))
    assert set(doctor.neighbours("aQ")) == {"sQ", "aW"}
    chance, kinds = random.Random(0), set()
    for _ in range(100):
        kind, text = doctor.spoil("aB1k", chance)
        assert text != "aB1k"
        kinds.add(kind)
    assert kinds == set(doctor.MISTAKES)


def test_spoiled_labels_are_counted_by_their_places_in_the_list() -> None:
    spoiled = {"aB_1.png": "case", "x_2.png": "key beside"}
    measured = doctor.places_of(spoiled, ["aB_1.png", *(f"y_{n}.png" for n in range(10, 108)), "x_2.png"])
    assert measured["found"] == {"0.02": 1, "0.03": 1, "0.04": 1, "0.1": 1}
    assert measured["kinds"] == {"case": [1, 1], "look-alike": [0, 0], "key beside": [0, 1], "two swapped": [0, 0]}
    assert measured["missed"] == [["x", "key beside", 100]]
    text = doctor_page.doctor_text("", [{"set": "small", "machine": "", "commit": "abc", **measured}])
    assert "| small | 100 | 2 | 1 | 1 | 1 | 1 | 1 of 1 | 0 of 0 | 0 of 1 | 0 of 0 | abc |\n" in text
    assert "1 of 2 are in the first 4%." in text


def test_forecast_is_compared_with_what_was_read_then() -> None:
    measured = [{"labels": 100, "pictures": 300, "misread": 30}, {"labels": 200, "pictures": 200, "misread": 10}]
    truth = {"training_pictures": 1425, "picture_accuracy": 0.99, "samples": 400}
    compared = forecast.compared(measured, truth)
    low, high = compared["range"]
    assert low < 0.99 < high < 1
    text = forecast_page.forecast_text("", [{"set": "small", "machine": "", "commit": "abc", **compared}])
    assert f"| small | 1,425 | {compared['forecast']:.1%} | {low:.1%} to {high:.1%} | 99.0% | " in text
    assert "holds what was read right in 1 of 1 sets" in text
    missed = {"set": "small", "machine": "", "commit": "abc", **compared, "picture_accuracy": 0.5}
    assert "| 50.0% | " in forecast_page.forecast_text("", [missed])
    assert "in 0 of 1 sets" in forecast_page.forecast_text("", [missed])


def test_page_on_pictures_without_labels_compares_with_the_same_labels_alone() -> None:
    about = {"set": "cage", "labels": 300, "interval": [0.6, 0.8], "step": 360, "seconds": 60, "commit": "abc"}
    alone = about | {"picture_accuracy": 0.7, "samples": 400, "options": ["--warm-start", "auto"], "machine": "one"}
    other = alone | {"picture_accuracy": 0.0, "options": ["--warm-start", "none"]}
    taught = alone | {"picture_accuracy": 0.85, "options": [], "unlabelled": 1400}
    row = next(line for line in unlabelled_text("", [taught], [alone, other]).splitlines() if line.startswith("| cage"))
    assert row.startswith("| cage | 300 | 70.00% (60.0% to 80.0%), 360 steps, 1.0 min, abc | 1,400 | 85.00% ")
    assert row.endswith("| 0.50 |")
    perfect = [alone | {"picture_accuracy": 1.0}]
    assert "| 0.00 |" in unlabelled_text("", [taught | {"picture_accuracy": 1.0}], perfect), "no division by none"
