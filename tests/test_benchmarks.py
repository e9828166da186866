"""The benchmarks themselves, on a small set of pictures."""

import json
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks import __main__, drawings, general, pages, runs, zoo
from tests.helpers import fill


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
    assert result["training_pictures"] == 56  # of the 60 that are not held back, 4 are for verification
    assert result["pictures_per_s"] > 0
    general.read_set(folder, "small")
    pages.write_pages()
    row = next(line for line in (folder / "zoo.md").read_text("utf-8").splitlines() if "| small |" in line)
    assert f"| 56 | 3 | {result['picture_accuracy']:.2%} (" in row
    assert (folder / "zoo.png").exists()


def test_missing_results_are_listed_and_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    zoo_options = ["--zoo", str(folder), "--list"]
    for what, missing in {"zoo": "1 missing: zoo-small", "labels": "6 missing: labels-small-200-warm-start-mo"}.items():
        monkeypatch.setattr(sys, "argv", ["benchmarks", what, *zoo_options])
        assert __main__.main() == 0
        assert capsys.readouterr().out.startswith(missing)
    assert not (folder / "bench").exists()


def test_pages_are_those_of_the_stored_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    pages.write_pages()
    written = sorted(tmp_path.glob("*.md"))
    assert [path.name for path in written] == [
        "few_labels.md",
        "folders.md",
        "hostile_requests.md",
        "service.md",
        "statistics.md",
        "zoo.md",
    ]
    for path in written:
        assert path.read_text("utf-8") == (PROJECT_ROOT / "docs" / "benchmarks" / path.name).read_text("utf-8")
