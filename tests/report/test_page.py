"""The page of a model: what it says, with and without misread pictures, and how a real browser shows it."""

import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.evaluation.diagnosis import Diagnosis, LabelledPrediction, LabelledReading
from cnnlib.evaluation.metrics import Accuracy
from cnnlib.report.page import TestResult, command, next_step, write_page
from cnnlib.report.training_record import TrainingRecord
from test_batch import calibration_figures
from tests.helpers import draw
from tests.model_cards import save_bytes
from tests.web.test_page import CONTRAST, browser, needs_browser, page  # noqa: F401 (fixtures)

HOSTILE = "<img src=x onerror=document.title='owned'>"
GOOD, POOR = Accuracy(1000, 1.0, 1.0), Accuracy(1000, 0.9, 0.95)
TRAINED = TrainingRecord(1, "cycle_stop 1 is reached", False, Diagnosis(GOOD, GOOD, [], []))


@pytest.fixture
def config(configure: Callable[..., SampleConfig]) -> SampleConfig:
    """A config with a model of a few bytes."""
    config = configure()
    save_bytes(config.model_save_dir)
    return config


def reading(path: Path, label: str, text: str, confidence: float = 0.9) -> LabelledReading:
    return LabelledReading(path, label, Prediction(text, confidence, ()))


def result_of(config: SampleConfig, *cases: tuple[str, str]) -> TestResult:
    """The result of a test of pictures with these labels and texts."""
    labels, texts = [label for label, _ in cases], [text for _, text in cases]
    right = sum(label == text for label, text in cases) / len(cases)
    figures: dict[str, Any] = {
        "samples": len(cases),
        "picture_accuracy": right,
        "character_accuracy": right,
        "characters": {"0": 0.5, "1": 1.0},
        "confusions": [{"label": "0", "read": "", "count": 2}] if right < 1 else [],
    }
    figures |= calibration_figures(labels, texts, [0.9] * len(cases))
    misread = [
        reading(draw("01", config.test_image_dir / f"01_{number}.png", seed=number), label, text)
        for number, (label, text) in enumerate(cases)
        if label != text
    ]
    return TestResult(figures, misread)


def html_of(config: SampleConfig, training: TrainingRecord | None, test: TestResult | None = None) -> str:
    return write_page(config, training, test).read_text(encoding="utf-8")


def wrong_pairs(html: str) -> list[tuple[str, str]]:
    """Label and text of each column of characters that is marked."""
    return re.findall(r'<span class="wrong"><bdi>(.*?)</bdi><bdi>(.*?)</bdi></span>', html)


def test_accuracy_interval_and_misread_pictures_are_shown(config: SampleConfig) -> None:
    html = html_of(config, None, result_of(config, ("0101", "0101"), ("0011", "0111")))
    assert "<strong>50.00%</strong> of 2 test pictures are read right" in html
    assert "between 9.45% and 90.55%, with 95% confidence" in html
    assert html.count('<img src="data:image/png;base64,') == 1
    assert "01_1.png" in html


@pytest.mark.parametrize(
    ("label", "text", "marked"),
    [
        ("2e8j", "2c8j", [("e", "c")]),
        ("abcd", "bcd", [("a", "∅")]),
        ("abcd", "abxcd", [("∅", "x")]),
        ("a b", "ab", [("␣", "∅")]),
        ("ab", "", [("a", "∅"), ("b", "∅")]),
    ],
)
def test_wrong_characters_alone_are_marked(
    config: SampleConfig, label: str, text: str, marked: list[tuple[str, str]]
) -> None:
    assert wrong_pairs(html_of(config, None, result_of(config, (label, text)))) == marked


def test_hostile_names_labels_and_reasons_are_text(config: SampleConfig) -> None:
    case = reading(draw("01", config.train_image_dir / "<b>01_\u202e1.png"), HOSTILE, "</style><script>")
    suspect = LabelledPrediction(case.path, case.label, case.prediction, 0.0, 9.0)
    found = Diagnosis(GOOD, POOR, [("<", "&", 3)], [suspect], misread=[case])
    html = html_of(config, TrainingRecord(1, HOSTILE, False, found, {f"{HOSTILE}.png": HOSTILE}))
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "\u202e" not in html
    assert unescape(html).count(HOSTILE) == 5, "reason, skipped name and why, label of misread and suspect"
    assert re.sub(r'style="[^"]*"', "", html).count("<b>") == 0


def test_page_without_anything_misread_says_so(config: SampleConfig) -> None:
    html = html_of(config, TRAINED, result_of(config, ("01", "01")))
    assert "<strong>100.00%</strong> of 1 test pictures" in html
    assert "None: all of them are read right." in html
    assert "None was found among the training and verification pictures." in html
    assert "None on the test pictures." in html


def test_training_alone_shows_the_verification_pictures(config: SampleConfig) -> None:
    path = draw("01", config.train_image_dir / "01_1.png")
    found = Diagnosis(GOOD, POOR, [("0", "1", 3)], [], misread=[reading(path, "01", "11")])
    html = html_of(config, replace(TRAINED, diagnosis=found, skipped={"bad_1.png": "truncated"}))
    assert "of 1 verification pictures are read right" in html
    assert "<code>test_batch.py</code> measures it on others" in html
    assert wrong_pairs(html) == [("0", "1")]
    assert "<code>bad_1.png</code>: truncated" in html


def test_picture_that_is_gone_or_broken_is_said_to_be_missing(config: SampleConfig, tmp_path: Path) -> None:
    (tmp_path / "broken_1.png").write_bytes(b"no picture")
    cases = [reading(tmp_path / name, "01", "11") for name in ("gone_1.png", "broken_1.png")]
    result = replace(result_of(config, ("01", "11"), ("01", "11")), misread=cases)
    html = html_of(config, None, result)
    assert html.count("The picture is not there any more") == 2


def test_large_picture_is_shown_small(config: SampleConfig) -> None:
    path = draw("01", config.test_image_dir / "01_9.png", size=(3000, 2000))
    case = reading(path, "01", "11")
    html = html_of(config, None, replace(result_of(config, ("01", "11")), misread=[case]))
    assert len(html) < 60_000


def test_every_file_that_the_page_names_is_there(config: SampleConfig) -> None:
    folder = config.model_save_dir / "report"
    folder.mkdir()
    for name in ("test.json", "suspects.csv"):
        (folder / name).write_text("{}")
    html = html_of(config, TRAINED, result_of(config, ("01", "11")))
    assert re.findall(r'href="(?!data:)([^"]*)"', html) == ["test.json", "suspects.csv"]
    assert not re.findall(r'(?:src|href)="(?!data:image/png;|data:,)[^"]*[:/]', html), "an outside resource"


def test_password_of_the_captcha_source_is_not_shown(configure: Callable[..., SampleConfig]) -> None:
    config = configure(remote_url="http://ann:sesame@127.0.0.1/")
    save_bytes(config.model_save_dir)
    assert "sesame" not in html_of(config, None)


def test_command_names_the_config(config: SampleConfig, tmp_path: Path) -> None:
    named = f"--config {tmp_path}/sample_config.json"
    assert command("serve", "webserver_recognize_api.py", config) == f"python webserver_recognize_api.py {named}"
    table = config.model_save_dir / "report" / "suspects.csv"
    assert command("label", "label_pictures.py", config, table) == f"python label_pictures.py {table} {named}"
    assert command("label", "label_pictures.py", SampleConfig.model_validate(config.model_dump(by_alias=True))) == ""


@pytest.mark.parametrize(
    ("training", "accuracy", "words"),
    [
        (TRAINED, None, "nothing: measure it with test_batch.py, then use it"),
        (TRAINED, GOOD, "nothing: use it"),
        (TRAINED, POOR, "more labelled pictures: the network reads its training pictures much better"),
        (replace(TRAINED, diagnosis=None), POOR, "let the training go on"),
        (None, POOR, "more labelled pictures, then a training"),
        (None, GOOD, "nothing: use it"),
    ],
)
def test_next_step_follows_from_training_and_test(
    training: TrainingRecord | None, accuracy: Accuracy | None, words: str
) -> None:
    keys = ("samples", "picture_accuracy", "character_accuracy")
    result = TestResult(dict(zip(keys, vars(accuracy).values(), strict=True)), []) if accuracy else None
    assert next_step(training, result).startswith(words)


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_browser_shows_the_page_from_the_disk(page: Page, config: SampleConfig, scheme: Any) -> None:  # noqa: F811
    test = result_of(config, *[("0" * 40, "1" * 40), (HOSTILE, "01")] * 4)
    path = write_page(config, TRAINED, test)
    (path.parent / "test.json").write_text("{}")
    write_page(config, TRAINED, test)
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    page.goto(path.as_uri())
    assert page.title().startswith("0.00% read right")
    expect(page.get_by_role("listitem").filter(has=page.locator("img"))).to_have_count(8)
    assert page.eval_on_selector_all("img", "pictures => pictures.every(each => each.naturalWidth === 32)")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for selector in ("body", ".faint", ".pairs .wrong", "a", "dt", "pre"):
        assert page.eval_on_selector(selector, CONTRAST) >= 4.5, selector
