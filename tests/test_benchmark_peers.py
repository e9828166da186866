"""Ready readers beside ours: metrics, the protocol of a reader's process, and the page. Neither network nor data."""

import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnnlib.codec.images import decode_picture
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks import drawings, our_reader, pages, peer_reader, peers, peers_page, runs, zoo
from tests.benchmarks.sums import answer_in
from tests.helpers import draw, fill


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of work, results and pages in place of the project's own."""
    for module in (runs, zoo, peers, drawings, pages):
        monkeypatch.setattr(module, "WORK", tmp_path / "bench")
    for module in (runs, pages):
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(pages, "DOCS", tmp_path)
    return tmp_path


def reader(scores: np.ndarray, characters: str = "_0oOx") -> peer_reader.Reader:
    """A reader whose network always answers `scores`; its first class is the blank."""
    return peer_reader.Reader(lambda _: "Ox", lambda: scores, tuple(characters), 0, "none", Path("none"))


def opened(name: str, *labels: str) -> peers.Set:
    return peers.Set(name, tuple(Path(f"{label}_{number}.png") for number, label in enumerate(labels)))


def result(who: str, name: str, share: float, **more: Any) -> dict[str, Any]:
    shares = dict.fromkeys(peers_page.MEASURES, share)
    costs = {"cpu_ms": 2.0, "peak_mb": 100.0, "weights_mb": 1.0, "version": "1", "failed": 0}
    about = {"date": "2026-01-01", "commit": "abc", "machine": "a machine", "shown": []}
    return {"reader": who, "set": name, "samples": 400, **shares, **costs, **about, **more}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("3+8=?", "11"),
        ("9-9=", "0"),
        ("7*8=", "56"),
        ("4X0=9", "0"),
        ("2×3", "6"),
        (" 1 + 2", "3"),
        ("11z", None),
        ("", None),
    ],
)
def test_sum_is_worked_out(text: str, answer: str | None) -> None:
    assert answer_in(text) == answer


def test_shares_of_a_set_are_exact_case_ignored_and_with_the_alphabet() -> None:
    cost = {"cpu_ms": 10, "peak_mb": 50}
    answers = [
        {"text": "ab", "known": "ab", **cost},
        {"text": "Ab", "known": "ab", "cpu_ms": 30, "peak_mb": 70},
        {"text": "", "known": "ab", "error": "broken", **cost},
        {"text": "xy", "known": "xy", **cost},
    ]
    measured = peers.summary(opened("plain", "ab", "ab", "ab", "ab"), answers)
    assert {key: measured[key] for key in peers_page.MEASURES} == {
        "exact": 0.25,
        "case_ignored": 0.5,
        "alphabet_known": 0.75,
    }
    assert (measured["samples"], measured["cpu_ms"], measured["peak_mb"], measured["failed"]) == (4, 15, 70, 1)
    assert measured["shown"][1] == {"picture": "ab_1.png", "label": "ab", "text": "Ab"}
    assert "lengths_known" not in measured


def test_sum_is_right_when_its_answer_is() -> None:
    assert peers.is_right("easycaptcha_arith", "11", "3+8=?", exact=True)
    assert not peers.is_right("easycaptcha_arith", "11", "11")
    assert opened("easycaptcha_arith", "11").alphabet == "0123456789+-x×=?"


def test_spaces_are_passed_over() -> None:
    assert peers.is_right("plain", "ab1", " a b1", exact=True)


def test_alphabet_and_lengths_are_those_of_the_labels() -> None:
    plain = opened("plain", "ba", "caa")
    assert (plain.alphabet, plain.lengths) == ("abc", (2, 3))


def test_only_the_alphabet_is_read_and_both_cases_of_a_letter_count() -> None:
    scores = np.array([[0, 0.4, 0.3, 0.3, 0], [0.9, 0, 0, 0, 0.1], [0, 0, 0, 0.6, 0.4], [0, 0, 0.6, 0.3, 0.1]])
    assert peer_reader.known_text(reader(scores), scores, "0ox") == "oo"
    assert peer_reader.known_text(reader(scores), scores, "0X") == "0x"
    assert peer_reader.known_text(reader(scores), scores, "ab") == ""


def test_logits_become_probabilities_and_probabilities_stay() -> None:
    assert peer_reader.probabilities(np.array([[0.0, np.log(3)]])) == pytest.approx(np.array([[0.25, 0.75]]))
    shares = np.array([[0.2, 0.8]])
    assert peer_reader.probabilities(shares) is shares


def test_reader_that_fails_reads_nothing_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"none")

    def fail(_: bytes) -> str:
        raise OSError("no picture")

    broken = peer_reader.Reader(fail, lambda: np.zeros((1, 1)), ("_",), 0, "none", Path("none"))
    answered = peer_reader.answer(broken, {"path": str(tmp_path / "picture"), "alphabet": "ab"})
    assert (answered["text"], answered["known"], answered["error"]) == ("", "", "OSError: no picture")
    assert answered["peak_mb"] > 1


def test_transparent_picture_is_on_white_for_the_ready_readers(folder: Path) -> None:
    plain = draw("ab", folder / "set" / "ab_1.png")
    assert peers.opaque(plain) == plain
    clear = folder / "set" / "ab_2.png"
    Image.new("RGBA", (4, 3), (0, 0, 0, 0)).save(clear)
    copy = peers.opaque(clear)
    assert copy == folder / "bench" / "peers" / "pictures" / "set" / "ab_2.png"
    assert decode_picture(copy.read_bytes()).getcolors() == [(12, (255, 255, 255))]


def test_set_is_read_by_a_process_once_and_stored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder / "pictures", 5)
    with tarfile.open(folder / "small.tar", "w") as archive:
        archive.add(folder / "pictures", "small")
    asked = io.StringIO()
    monkeypatch.setattr(asked, "close", lambda: None)
    told = '{"text": "0", "known": "0", "cpu_ms": 1, "peak_mb": 2}\n' * 5
    process = SimpleNamespace(stdin=asked, stdout=io.StringIO(told))
    monkeypatch.setattr(peers, "start", lambda _: ({"version": "1", "weights_mb": 3}, process))
    measured = peers.read_set("ddddocr", lambda: peers.open_set(None, folder, "small"))
    stored = json.loads((folder / "results" / "peers-ddddocr-small.json").read_text("utf-8"))
    assert peers.read_set("ddddocr", lambda: peers.open_set(None, folder, "small")) == stored == measured
    questions = [json.loads(line) for line in asked.getvalue().splitlines()]
    assert len(questions) == measured["samples"] == 5
    assert all(Path(question["path"]).exists() for question in questions)


def test_our_model_reads_with_what_is_known(tmp_path: Path) -> None:
    question = {"path": str(draw("42", tmp_path / "42_1.png")), "alphabet": "XY", "lengths": [5, 6]}
    answered = our_reader.answer(question)
    assert set(answered["known"]) <= set("xy")
    assert set(answered["lengths_known"]) <= set("xy")
    assert len(answered["lengths_known"]) in (5, 6)
    assert answered["cpu_ms"] > 0


def test_process_answers_line_by_line_whatever_a_library_prints() -> None:
    code = (
        "from tests.benchmarks.peer_reader import converse\n"
        "converse({'version': '1'}, lambda question: (print('loud'), {'twice': 2 * question['number']})[1])\n"
    )
    asked, command = '{"number": 1}\n{"number": 2}\n', [sys.executable, "-c", code]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=PROJECT_ROOT)
    assert done.stdout.splitlines() == ['{"version": "1"}', '{"twice": 2}', '{"twice": 4}']
    assert "loud" in done.stderr


def test_page_says_who_is_ahead_and_shows_losses() -> None:
    found = [result("ours", "easy", 0.75, lengths_known=0.8), result("ours", "hard", 0.25, lengths_known=0.3)]
    found += [result("ddddocr", "easy", 0.5, cpu_ms=12), result("ddddocr", "hard", 0.5, peak_mb=120.0)]
    found += [result("ours", "only ours", 1.0), *(result(who, "easycaptcha_arith", 0.1) for who in ("ours", "ddddocr"))]
    text = peers_page.peers_text("", found, ["hard"])
    assert "|  | ours | ddddocr |\n" in text
    assert "| as it is, mean of 2 sets | **50.0%** | **50.0%** |\n" in text
    assert "| as it is, mean of 1 sets beside the eleven | **75.0%** | 50.0% |\n" in text
    assert "| alphabet and lengths known, case ignored, mean of 2 sets | 55.0% |  |\n" in text, (
        "the best of one is not marked"
    )
    assert "| processor milliseconds a picture | 2.0 | 7.0 |\n| memory of a process, MB | 100 | 120 |\n" in text
    assert "| all 2 | as it is | 1 | 0 | 1 | 50.0% | 50.0% |\n" in text
    assert "| easy | 400 | **75.0%** | 50.0% | +25.0 |\n| hard | 400 | 25.0% | **50.0%** | −25.0 |\n" in text
    assert "| hard | 400 | 25.0% | **50.0%** | 30.0% | −25.0 |\n" in text
    assert "| easycaptcha_arith | 400 | **10.0%** | **10.0%** | +0.0 |\n" in text
    assert "only ours" not in text
    assert [*peers_page.bold_best([0.0, None, 0.0])] == ["0.0%", "", "0.0%"]
    assert [*peers_page.bold_best([0.5, None, 0.25])] == ["**50.0%**", "", "25.0%"]


def test_page_and_picture_are_written_from_results(folder: Path) -> None:
    pictures = folder / "bench" / "zoo" / "small"
    draw("ab", pictures / "ab_1.png")
    (folder / "results").mkdir()
    shown = [{"picture": "ab_1.png", "label": "ab", "text": ""}]
    for who in peers.READERS:
        path = folder / "results" / f"peers-{who}-small.json"
        path.write_text(json.dumps(result(who, "small", 0.5, shown=shown)), encoding="utf-8")
    pages.write_pages()
    assert "![Three pictures of each set" in (folder / "peers.md").read_text("utf-8")
    with Image.open(folder / "peers.png") as sheet:
        assert sheet.size == (2 * (150 + 3 * 190), 76)
