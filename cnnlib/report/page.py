"""The page of a model, `report/index.html`: one file that needs no other and no server."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cnnlib.cli import command_of, shell_word
from cnnlib.config import SampleConfig
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path, short_path
from cnnlib.core.printable import printable
from cnnlib.evaluation.diagnosis import ACCURACY_GAP, JUDGE_ACCURACY, LabelledReading, advice
from cnnlib.evaluation.metrics import Accuracy, interval
from cnnlib.inference.model_card import ModelCard, load_card
from cnnlib.report.pictures import shown
from cnnlib.report.rendering import render
from cnnlib.report.training_record import RECORD, TrainingRecord

PAGE = "index.html"
CURVE = "test_acc.png"
FILES = ("test.json", RECORD, "suspects.csv", "misread.png", "confusion.png")  # beside the page
SUSPECTS_SHOWN, CONFUSIONS_SHOWN, WEAKEST_SHOWN, SKIPPED_SHOWN = 60, 12, 12, 40


@dataclass(frozen=True)
class TestResult:
    """What `report/test.json` holds, and the pictures that were misread, surest first."""

    __test__ = False  # not a test of pytest's

    figures: Mapping[str, Any]
    misread: Sequence[LabelledReading]

    @property
    def accuracy(self) -> Accuracy:
        """The accuracy on the test pictures."""
        return Accuracy(*(self.figures[key] for key in ("samples", "picture_accuracy", "character_accuracy")))


def write_page(config: SampleConfig, training: TrainingRecord | None, test: TestResult | None = None) -> Path:
    """Write the page of the model in `model_save_dir`, and return its path.

    Without a test it shows how the model reads the verification pictures. Raises ModelError when there is no model,
    and OSError when the page can't be written.
    """
    path = config.model_save_dir / "report" / PAGE
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, page_of(config, load_card(config.model_save_dir), training, test).encode())
    return path


def page_of(config: SampleConfig, card: ModelCard, training: TrainingRecord | None, test: TestResult | None) -> str:
    """The HTML of the page."""
    verified = Accuracy(
        card.verification_pictures, card.verification_picture_accuracy, card.verification_character_accuracy
    )
    accuracy, train = test.accuracy if test else verified, config.train_image_dir
    diagnosis = training.diagnosis if training else None
    suspects = diagnosis.suspects if diagnosis else []
    misread = test.misread if test else diagnosis.misread if diagnosis else []
    return render(
        "report.html",
        model=display_path(config.model_save_dir),
        saved_at=datetime.fromisoformat(card.saved_at).strftime("%d %B %Y, %H:%M %Z"),
        card=card,
        set="test" if test else "verification",
        accuracy=accuracy,
        interval=interval(accuracy.picture, accuracy.pictures),
        verified=verified,
        next_step=next_step(training, test),
        command=command("serve", "webserver_recognize_api.py", config),
        correct=command("label", "label_pictures.py", config, config.model_save_dir / "report" / "suspects.csv"),
        folders=[display_path(each) for each in (config.test_image_dir if test else train, train)],
        misread=[*map(shown, misread)],
        misread_count=round(accuracy.pictures * (1 - accuracy.picture)),
        suspects=[*map(shown, suspects[:SUSPECTS_SHOWN])],
        suspects_count=len(suspects),
        judges=bool(diagnosis and diagnosis.training.picture >= JUDGE_ACCURACY),
        confusions=_confusions(training, test)[:CONFUSIONS_SHOWN],
        weakest=_weakest(test),
        test=test and test.figures,
        training=training,
        curve=_curve(config.model_save_dir / CURVE),
        skipped=[*training.skipped.items()][:SKIPPED_SHOWN] if training else [],
        settings=_settings(config),
        files=[name for name in FILES if (config.model_save_dir / "report" / name).exists()],
    )


def next_step(training: TrainingRecord | None, test: TestResult | None) -> str:
    """The one thing to do next, from what the training found and how the test pictures are read."""
    if training and not training.diagnosis:
        return "let the training go on: it was stopped before its end"
    if training and training.diagnosis:
        diagnosis = replace(training.diagnosis, verification=test.accuracy) if test else training.diagnosis
        return advice(diagnosis, training.goal_reached, tested=bool(test))
    if test and test.accuracy.picture < 1 - ACCURACY_GAP:
        return "more labelled pictures, then a training"
    return "nothing: use it; add labelled pictures like those that it misreads"


def command(name: str, script: str, config: SampleConfig, *paths: Path) -> str:
    """A command line for paths and the config of the model; "" when the config comes from no file."""
    if not config.file:
        return ""
    words = [shell_word(Path(short_path(path))) for path in paths]
    return " ".join([command_of(name, script), *words, "--config", shell_word(Path(short_path(config.file)))])


def _confusions(training: TrainingRecord | None, test: TestResult | None) -> list[tuple[str, str, int]]:
    """Character of the label, character that was read, and how often; most frequent first."""
    if test:
        return [(each["label"], each["read"], each["count"]) for each in test.figures["confusions"]]
    return training.diagnosis.confusions if training and training.diagnosis else []


def _weakest(test: TestResult | None) -> list[tuple[str, float]]:
    """The characters of the test labels that are read right least often, below always, with the share that is."""
    shares = test.figures["characters"].items() if test else ()
    return sorted((each for each in shares if each[1] < 1), key=lambda each: each[1])[:WEAKEST_SHOWN]


def _curve(path: Path) -> str:
    """The picture of the training curve as a data: URL; "" when there is none."""
    return f"data:image/png;base64,{b64encode(path.read_bytes()).decode()}" if path.is_file() else ""


def _settings(config: SampleConfig) -> dict[str, str]:
    """The keys of the config with their values, but for the address of the captcha source: it may hold a password."""
    values = config.model_dump(exclude={"remote_url"})
    return {key: _setting(value) for key, value in values.items() if value is not None}


def _setting(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_setting, value))
    return display_path(value) if isinstance(value, Path) else printable(str(value))
