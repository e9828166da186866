import csv
import re
from pathlib import Path

import pytest

from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.data.doctor import Examination, Finding, examine, findings
from cnnlib.data.samples import Sample
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.report.doctor import CARDS, first_lines, summary_lines, write_page, write_table
from tests.helpers import draw


def finding(path: Path, label: str, text: str, *causes: str) -> Finding:
    reading = LabelledPrediction(path, label, Prediction(text, 0.875, ()), 0.001, 0.0)
    return Finding(Sample(path.parent, path.name, label, (32, 16)), causes, False, reading)


@pytest.fixture
def wrong(tmp_path: Path) -> Finding:
    return finding(draw("01", tmp_path / "<b>_1.png"), "<b>", "<i>", "the same file as train/<script>_1.png")


def test_table_has_every_picture_with_label_reading_and_score(tmp_path: Path, wrong: Finding) -> None:
    right = finding(draw("11", tmp_path / "11_1.png"), "11", "11")
    write_table([wrong, right], tmp_path / "report" / "doctor.csv")
    with (tmp_path / "report" / "doctor.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [(row["label"], row["reading"], row["score"], row["confidence"]) for row in rows] == [
        ("<b>", "<i>", "6.774", "0.875000"),
        ("11", "11", "0.000", "0.875000"),
    ]
    assert rows[0]["findings"] == "the same file as train/<script>_1.png"


def test_page_shows_the_picture_itself_and_escapes_every_text(tmp_path: Path, wrong: Finding) -> None:
    write_page(["<u>summary</u>"], [wrong, finding(tmp_path / "11_1.png", "11", "11")], tmp_path / "doctor.html")
    page = (tmp_path / "doctor.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,iVBOR') == page.count("<img") == 1
    assert page.count('<span class="wrong"><bdi>b</bdi><bdi>i</bdi></span>') == 1
    assert "Label <bdi>&lt;b&gt;</bdi>, read as <bdi>&lt;i&gt;</bdi>" in page
    assert "&lt;u&gt;summary&lt;/u&gt;" in page
    assert not re.search("<(b|i|u|script)>", page)


def test_page_needs_no_other_file_and_has_a_dark_mode(tmp_path: Path, wrong: Finding) -> None:
    write_page([], [wrong], tmp_path / "doctor.html")
    page = (tmp_path / "doctor.html").read_text(encoding="utf-8")
    assert all(source.startswith("data:") for source in re.findall(r'(?:src|href)="([^"]*)"', page))
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page


def test_page_has_a_limit_and_says_so(tmp_path: Path, wrong: Finding) -> None:
    write_page([], [wrong] * (CARDS + 5), tmp_path / "doctor.html")
    page = (tmp_path / "doctor.html").read_text(encoding="utf-8")
    assert page.count('class="pairs"') == CARDS
    assert f"The first {CARDS} of {CARDS + 5} are shown; the table has all" in page


def test_deleted_picture_is_listed_without_it(tmp_path: Path, wrong: Finding) -> None:
    wrong.sample.path.unlink()
    write_page([], [wrong], tmp_path / "doctor.html")
    page = (tmp_path / "doctor.html").read_text(encoding="utf-8")
    assert "<img" not in page
    assert "The picture is not there any more" in page
    assert "<bdi>b</bdi><bdi>i</bdi>" in page


def test_picture_that_no_network_read_has_its_label_alone(tmp_path: Path) -> None:
    path = draw("01", tmp_path / "01_1.png")
    unread = Finding(Sample(path.parent, path.name, "01", (32, 16)), ("twice",), False)
    write_page([], [unread], tmp_path / "doctor.html")
    page = (tmp_path / "doctor.html").read_text(encoding="utf-8")
    assert "<span><bdi>0</bdi></span>" in page
    assert "read as" not in page.replace("how a network reads", "")
    assert "% sure" not in page


def test_summary_counts_each_kind(config: SampleConfig) -> None:
    for number in range(12):
        draw("01", config.train_image_dir / f"01_{number}.png", size=(32, 16 + number))
    first = draw("11", config.train_image_dir / "11_1.png")
    (config.train_image_dir / "10_1.png").write_bytes(first.read_bytes())
    examination = examine(config)
    lines = summary_lines(examination, findings(examination, {}))
    assert lines[0] == "14 labelled pictures"
    assert lines[1].startswith("The same file twice: 1; nearly the same picture: ")
    assert lines[1].endswith("of these under two labels: 1")
    assert not any("network" in line for line in lines)


def test_summary_names_rare_characters_and_slips_of_case(tmp_path: Path) -> None:
    slip = finding(tmp_path / "aB_1.png", "aB", "ab")
    lines = summary_lines(Examination([slip.sample], [], {"\u3000": 1, "q": 9}, "said of the case"), [slip])
    assert lines[3:] == [
        "Characters that are seen fewer than ten times: \\u3000 1x, q 9x; label more pictures that show them",
        "said of the case",
        "Labels and readings that differ in case alone: b 1x",
        "Labels that a network contradicts which did not learn them: 1 of 1",
    ]


def test_console_lists_the_first_or_says_that_there_is_none(tmp_path: Path, wrong: Finding) -> None:
    lines = first_lines([wrong] * 12)
    assert lines[0] == "To look at: 12, such as:"
    assert len(lines) == 11
    assert lines[1].endswith("<b>_1.png label: <b> reading: <i> [the same file as train/<script>_1.png]")
    assert first_lines([finding(tmp_path / "11_1.png", "11", "11")]) == ["Nothing to look at"]
