import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

import test_batch as batch_script
from cnnlib.codec.alphabet import Prediction
from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer

CONFIDENCES = {f"{'01'[number == 0]}_{number}.png": 0.9 if number else 0.6 for number in range(300)}


@pytest.fixture
def copied(trained: SimpleNamespace, tmp_path: Path) -> SampleConfig:
    """The config of the trained suite over a copy of its model and one test picture, whose label is too long."""
    picture = tmp_path / "test" / "000_1.png"
    picture.parent.mkdir()
    shutil.copy(list_entries(trained.config.test_image_dir)[0], picture)
    shutil.copytree(trained.config.model_save_dir, tmp_path / "model")
    changes = {"test_image_dir": picture.parent, "model_save_dir": tmp_path / "model"}
    config: SampleConfig = trained.config.model_copy(update=changes)
    return config


def test_misread_pictures_are_drawn_unless_they_are_not_wanted(copied: SampleConfig) -> None:
    batch, report = batch_script.TestBatch(copied), copied.model_save_dir / "report"
    batch.test_batch(pictures=False)
    assert [path.name for path in list_entries(report)] == ["index.html", "test.json"]
    batch.test_batch()
    assert [path.name for path in list_entries(report)] == [
        *("confusion.png", "index.html", "misread.png", "test.json")
    ]
    (picture,) = list_entries(copied.test_image_dir)
    text = Recognizer(copied.model_save_dir).recognize(picture).text
    picture.rename(picture.with_name(f"{text}_1.png"))
    batch.test_batch()
    assert [path.name for path in list_entries(report)] == ["index.html", "test.json"], "nothing is misread any more"


def test_case_is_ignored_where_the_config_says_so(copied: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    (picture,) = list_entries(copied.test_image_dir)
    picture.rename(picture.with_name("aB_1.png"))
    monkeypatch.setattr(Recognizer, "recognize_file", lambda *_: Prediction("ab", 0.9, (1.0, 1.0)))
    assert batch_script.TestBatch(copied).test_batch(pictures=False)["picture_accuracy"] == 0
    ignoring = copied.model_copy(update={"ignore_case": True})
    assert batch_script.TestBatch(ignoring).test_batch(pictures=False)["picture_accuracy"] == 1


def test_confidences_are_measured(
    copied: SampleConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (picture,) = list_entries(copied.test_image_dir)
    for number in range(300):
        shutil.copy(picture, picture.with_name(f"{'01'[number == 0]}_{number}.png"))
    picture.unlink()
    monkeypatch.setattr(Recognizer, "recognize_file", lambda _, path: Prediction("0", CONFIDENCES[path.name], (1.0,)))
    figures = batch_script.TestBatch(copied).test_batch(pictures=False)
    assert figures["calibration_error"] == pytest.approx((0.6 + 299 * 0.1) / 300)
    assert figures["promises"] == {"99%": {"threshold": 0.9, "answered": pytest.approx(299 / 300), "right": 1.0}}
    assert figures["answered"][1] == {"threshold": 0.5, "answered": 1.0, "right": pytest.approx(299 / 300)}
    printed = capsys.readouterr().out
    assert "99% are right from confidence 0.9000 on, which 99.67% have" in printed
    assert "99.9% can't be promised from any confidence on: that takes 2995 right readings, or more" in printed


def test_option_leaves_out_the_pictures(copied: SampleConfig, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(copied.model_dump_json())
    assert batch_script.main(["--config", str(path), "--no-pictures"]) == 0
    assert [path.name for path in list_entries(copied.model_save_dir / "report")] == ["index.html", "test.json"]


def test_all_pictures_are_listed_when_asked_from_python(
    copied: SampleConfig, trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    config = copied.model_copy(update={"test_image_dir": trained.config.test_image_dir})
    figures = batch_script.TestBatch(config).test_batch(show_all=True)
    assert capsys.readouterr().out.count("origin: ") == figures["samples"] == 40


def test_of_misread_pictures_only_those_to_be_drawn_are_kept(
    copied: SampleConfig, trained: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_script, "DRAWN", 3)
    for number, path in enumerate(list_entries(trained.config.test_image_dir)[:9]):
        shutil.copy(path, copied.test_image_dir / f"000_{number}.png")
    recognizer = Recognizer(copied.model_save_dir)
    predictions = recognizer.recognize(list_entries(copied.test_image_dir))
    samples = [(f"000_{number}.png", "000") for number in range(9)]
    result = batch_script.TestBatch(copied).read(recognizer, samples)
    assert [*result.confidences] == [prediction.confidence for prediction in predictions]
    assert result.texts == [prediction.text for prediction in predictions]
    ordered = sorted(predictions, key=lambda prediction: -prediction.confidence)
    assert [each.prediction for each in result.worst] == ordered[:3]


def copy_tests(trained: SimpleNamespace, copied: SampleConfig) -> list[Path]:
    """The 40 test pictures of the trained suite in place of the copied one."""
    shutil.rmtree(copied.test_image_dir)
    shutil.copytree(trained.config.test_image_dir, copied.test_image_dir)
    return list_entries(copied.test_image_dir)


def test_picture_that_can_not_be_used_is_named_and_does_not_count(
    copied: SampleConfig, trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = copy_tests(trained, copied)
    whole = batch_script.TestBatch(copied).test_batch(pictures=False)
    broken = first.with_name("00_broken.png")
    broken.write_bytes(first.read_bytes()[:40])
    capsys.readouterr()
    figures = batch_script.TestBatch(copied).test_batch(pictures=False)
    assert (figures["samples"], figures["picture_accuracy"]) == (40, whole["picture_accuracy"])
    assert [*figures["skipped"]] == ["00_broken.png"]
    printed = capsys.readouterr().out
    assert "Skipped 00_broken.png: " in printed
    assert "1 picture can't be used and does not count: move it out of " in printed


def test_more_pictures_that_can_not_be_used_end_the_test(copied: SampleConfig, trained: SimpleNamespace) -> None:
    first, *_ = copy_tests(trained, copied)
    for number in range(2):
        first.with_name(f"00_broken{number}.png").write_bytes(b"cut")
    reasons = r"Skipped 00_broken0.png(.|\n)*: 2 of 42 pictures can't be used, more than 1%"
    with pytest.raises(SampleError, match=reasons):
        batch_script.TestBatch(copied).test_batch()


def test_only_picture_that_can_not_be_used_ends_the_test(copied: SampleConfig) -> None:
    (picture,) = list_entries(copied.test_image_dir)
    picture.write_bytes(b"cut")
    with pytest.raises(SampleError, match="1 of 1 pictures can't be used"):
        batch_script.TestBatch(copied).test_batch()


def test_labels_that_the_config_does_not_read_are_counted(
    copied: SampleConfig, trained: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = copy_tests(trained, copied)
    right = batch_script.TestBatch(copied).test_batch(pictures=False)
    assert (right["unreadable_labels"], right["readable_picture_accuracy"]) == (0, right["picture_accuracy"])
    assert "does not read" not in capsys.readouterr().out
    for label in ("2x", "000"):
        shutil.copy(paths[0], copied.test_image_dir / f"{label}_x.png")
    figures = batch_script.TestBatch(copied).test_batch(pictures=False)
    assert figures["picture_accuracy"] == pytest.approx(right["picture_accuracy"] * 40 / 42)
    assert figures["readable_picture_accuracy"] == right["picture_accuracy"]
    share = round(100 * right["picture_accuracy"], 2)
    assert (
        "2 of 42 labels have characters or lengths that this config does not read, and count as misread; "
        f"without them the accuracy rate is {share}%"
    ) in capsys.readouterr().out


def test_where_no_label_can_be_read_there_is_no_accuracy_without_them(
    copied: SampleConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch_script.TestBatch(copied).test_batch(pictures=False)["readable_picture_accuracy"] is None
    assert "1 of 1 labels have characters or lengths that this config does not read, and count as misread\n" in (
        capsys.readouterr().out
    )
