"""`verify_and_split_data.py --doctor` as a user runs it."""

import csv
from pathlib import Path

import pytest

import verify_and_split_data
from cnnlib.config import SampleConfig
from cnnlib.training import cross_fitting
from tests.helpers import draw, fill, run_python, run_script, write_config


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """A config with 30 pictures, of which one is there twice, under two labels."""
    path = write_config(tmp_path)
    fill(tmp_path / "sample" / "train", 29)
    picture = draw("01", tmp_path / "sample" / "train" / "01_first.png", seed=200)
    (tmp_path / "sample" / "test").mkdir()
    (tmp_path / "sample" / "test" / "10_second.png").write_bytes(picture.read_bytes())
    return path


def test_few_pictures_are_examined_without_a_training(config_path: Path, tmp_path: Path) -> None:
    before = sorted((tmp_path / "sample").rglob("*"))
    run = run_script("verify_and_split_data.py", "--doctor", config_path)
    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    report = f"{tmp_path.as_posix()}/model/report"
    assert lines[0].startswith("[Warning] No network compares the labels: expected 60 or more pictures that fit ")
    assert lines[1] == "31 labelled pictures"
    assert "of these under two labels: 1" in lines[2]
    assert lines[-1] == (
        f"All pictures, the most suspicious first: {report}/doctor.csv; to look at: {report}/doctor.html"
    )
    with Path(report, "doctor.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == 31
    assert {Path(row["picture"]).name for row in rows[:2]} == {"01_first.png", "10_second.png"}
    assert sorted((tmp_path / "sample").rglob("*")) == before


def test_without_tensorflow_the_files_alone_are_examined(config_path: Path, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "train", 60, seed=1)
    code = (
        "import sys; sys.modules['tensorflow'] = None; import verify_and_split_data;"
        "sys.exit(verify_and_split_data.main(['--doctor', sys.argv[1]]))"
    )
    lines = run_python("-c", code, config_path).stdout.splitlines()
    assert lines[0].startswith("[Warning] No network compares the labels: tensorflow")
    assert ": the package is not installed; it comes with: pip install" in lines[0]
    assert lines[1] == "91 labelled pictures"


@pytest.mark.parametrize("other", [["--dry-run"], ["--write-config", "new.json"], ["--import", "pictures"]])
def test_what_moves_or_writes_is_refused_beside_it(other: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        verify_and_split_data.main(["--doctor", *other])
    assert "--doctor goes without --dry-run, --write-config and --import" in capsys.readouterr().err


def test_without_pictures_it_says_so(tmp_path: Path) -> None:
    run = run_script("verify_and_split_data.py", "--doctor", write_config(tmp_path))
    assert run.returncode == 2
    assert run.stderr.endswith("expected labelled pictures in its folders; got none\n")


def test_place_of_the_report_is_checked_before_the_trainings(
    config_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify_and_split_data, "read_left_out", lambda *_: pytest.fail("a training was begun"))
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "report").write_text("a file where the folder should be")
    assert verify_and_split_data.main(["--doctor", str(config_path)]) == 2
    assert "model/report: expected a folder; got a file" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["doctor.csv", "doctor.html"])
def test_findings_are_printed_although_a_report_cannot_be_written(
    config_path: Path, tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify_and_split_data, "read_left_out", lambda *_: ({}, None))
    report = tmp_path / "model" / "report"
    (report / broken).mkdir(parents=True)
    assert verify_and_split_data.main(["--doctor", str(config_path)]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "31 labelled pictures"
    assert any(line.startswith("To look at: ") and line.endswith(", such as:") for line in lines)
    assert printed.err == f"[Warning] {(report / broken).as_posix()} is not written: Is a directory\n"
    table, page = f"{report.as_posix()}/doctor.csv", f"{report.as_posix()}/doctor.html"
    others = {"doctor.csv": f"To look at: {page}", "doctor.html": f"All pictures, the most suspicious first: {table}"}
    assert lines[-1] == others[broken]


@pytest.mark.slow
def test_networks_contradict_a_wrong_label(
    short: SampleConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cross_fitting, "FEWEST_STEPS", 60)
    fill(short.test_image_dir, 120, seed=1)
    path = draw("00", short.train_image_dir / "drawn.png", seed=300)
    path.rename(path.with_name("11_wrong.png"))
    assert verify_and_split_data.examine(short) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("Labels that a network contradicts which did not learn them: ") for line in lines)
    page = (short.model_save_dir / "report" / "doctor.html").read_text(encoding="utf-8")
    assert "11_wrong.png" in page
