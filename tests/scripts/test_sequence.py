"""The scripts in sequence, as a user runs them, on real captchas in a temporary folder."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import test_batch as batch_script
import train_model
from cnnlib.config import load_sample_config
from cnnlib.core.errors import CaptchaError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data.folders import list_entries
from cnnlib.inference.recognizer import Recognizer
from tests.conftest import fill, free_port, run_script, write_config

SCRIPTS = sorted(
    path.relative_to(PROJECT_ROOT).as_posix()
    for pattern in ("*.py", "gen_image/*.py", "tools/*.py")
    for path in PROJECT_ROOT.glob(pattern)
    if path.name != "__init__.py"
)


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Real captchas of one digit, generated, split and trained on by the scripts."""
    folder = tmp_path_factory.mktemp("suite")
    captcha_path = folder / "captcha_config.json"
    look = {"image_suffix": "png", "characters": "01", "count": 400, "char_count": 1, "width": 40, "height": 60}
    captcha_path.write_text(json.dumps(look | {"root_dir": str(folder / "sample" / "origin")}))
    size = {"image_width": 40, "image_height": 60, "max_captcha": 1}
    config_path = write_config(folder, **size, cycle_stop=120, cycle_save=60, acc_stop=1)
    drawn = run_script("gen_image/gen_sample_by_captcha.py", "--config", captcha_path, "--seed", "1")
    split = run_script("verify_and_split_data.py", "--config", config_path)
    trained = run_script("train_model.py", "--config", config_path, "--warm-start", "none")
    batch = run_script("test_batch.py", "--config", config_path)
    runs = [drawn, split, trained, batch]
    return SimpleNamespace(folder=folder, config_path=config_path, captcha_path=captcha_path, runs=runs)


def test_every_step_ends_well_and_quietly(suite: SimpleNamespace) -> None:
    assert [(run.returncode, run.stderr) for run in suite.runs] == [(0, "")] * 4


def test_batch_test_reports_every_test_picture_once(suite: SimpleNamespace) -> None:
    figures = json.loads((suite.folder / "model" / "report" / "test.json").read_text(encoding="utf-8"))
    assert figures["samples"] == 20
    assert figures["picture_accuracy"] >= 0.8
    out = suite.runs[3].stdout
    summary = r"It takes \d+\.\d+ seconds to identify 20 samples, with an accuracy rate of [\d.]+%"
    assert len(re.findall(summary, out)) == 1
    wrong = round(20 * (1 - figures["picture_accuracy"]))
    assert out.count("origin: ") == wrong
    assert figures["seconds"] > 0
    assert figures["characters"].keys() == {"0", "1"}


def test_batch_test_draws_what_it_misread_unless_told(suite: SimpleNamespace, tmp_path: Path) -> None:
    keys = json.loads(suite.config_path.read_text())
    report = tmp_path / "model" / "report"
    shutil.copytree(suite.folder / "model", tmp_path / "model", ignore=shutil.ignore_patterns("report"))
    wrong = tmp_path / "test" / "00_1.png"  # a label of two characters on a picture of one
    wrong.parent.mkdir()
    shutil.copy(list_entries(suite.folder / "sample" / "test")[0], wrong)
    path = tmp_path / "config.json"
    changed = {"test_image_dir": str(wrong.parent), "model_save_dir": str(tmp_path / "model")}
    path.write_text(json.dumps(keys | changed))
    assert batch_script.main(["--config", str(path), "--no-pictures"]) == 0
    assert [one.name for one in list_entries(report)] == ["test.json"]
    assert batch_script.main(["--config", str(path)]) == 0
    assert [one.name for one in list_entries(report)] == ["confusion.png", "misread.png", "test.json"]
    text = Recognizer(tmp_path / "model").recognize([wrong.read_bytes()])[0].text
    wrong.rename(wrong.with_name(f"{text}_1.png"))
    assert batch_script.main(["--config", str(path)]) == 0
    assert [one.name for one in list_entries(report)] == ["test.json"], "nothing is misread any more"


def test_training_starts_from_another_model_and_ends_with_advice(suite: SimpleNamespace, tmp_path: Path) -> None:
    fill(tmp_path / "sample" / "train", 40)
    path = write_config(tmp_path, cycle_stop=3, cycle_save=3, acc_stop=1)
    run = run_script("train_model.py", "--config", path, "--warm-start", suite.folder / "model")
    assert (run.returncode, run.stderr) == (0, "")
    shown = re.escape((suite.folder / "model").as_posix())
    assert re.search(rf"^Warm start from {shown}/: \d+% of the weights, 2 of 2 characters$", run.stdout, re.MULTILINE)
    assert re.search(r"^To try next: .+$", run.stdout, re.MULTILINE)
    missing = run_script("train_model.py", "--config", path, "--warm-start", tmp_path / "nothing")
    assert "nothing/: expected a trained model; there is no model_card.json" in missing.stderr
    assert missing.returncode == 2


def test_batch_test_shows_all_when_asked_and_works_from_python(
    suite: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = batch_script.TestBatch(load_sample_config(suite.config_path)).test_batch(show_all=True)
    assert capsys.readouterr().out.count("origin: ") == figures["samples"] == 20


def test_recognition_demonstration_reads_one_picture(suite: SimpleNamespace) -> None:
    run = run_script(
        "train_model.py", "--config", suite.config_path, "--recognize", list_entries(suite.folder / "sample/test")[0]
    )
    assert run.returncode == 0
    assert re.search(r"label: [01], prediction: [01]?, picture: .*\.png\n", run.stdout)
    text = train_model.TrainModel(load_sample_config(suite.config_path)).recognize_captcha()
    assert f"prediction: {text}, picture: " in run.stdout


def test_server_clients_and_stress_work_together(suite: SimpleNamespace, serve: Callable[..., str]) -> None:
    api = serve("webserver_recognize_api.py", "--config", suite.config_path)
    source = serve("webserver_captcha_image.py", "--config", suite.captcha_path, "--with-label")
    local = run_script("recognize_local.py", "--config", suite.config_path, "--url", api)
    assert local.returncode == 0, local.stderr
    assert re.search(r"label: [01], prediction: [01]?, total time: [\d.]+ms, identification: [\d.]+ms", local.stdout)
    assert len(list_entries(suite.folder / "sample" / "local")) == 1

    folder = run_script(
        "recognize_local.py",
        "--config",
        suite.config_path,
        "--url",
        api,
        "--image",
        suite.folder / "sample/test",
        "--count",
        "5",
    )
    assert folder.stdout.count("prediction: ") == 5

    keys = json.loads(suite.config_path.read_text())
    online_config = suite.folder / "online.json"
    online_config.write_text(json.dumps(keys | {"remote_url": source}))
    online = run_script("recognize_online.py", "--config", online_config, "--url", api, "--count", "10")
    assert online.returncode == 0, online.stderr
    assert len(list_entries(suite.folder / "sample" / "online")) == 10
    accuracy = re.search(r"Picture accuracy of 10 captchas: ([\d.]+)%", online.stdout)
    assert accuracy, "the source tells its labels"
    assert float(accuracy[1]) >= 50

    check_stress(suite, api)
    assert len(list_entries(suite.folder / "sample" / "api")) == 1 + 5 + 10 + 30 + 3


def check_stress(suite: SimpleNamespace, api: str) -> None:
    common = ("--config", suite.config_path, "--url", api, "--output", suite.folder)
    run = run_script("recognize_time_test.py", *common, "--count", "30", "--concurrency", "3")
    assert run.returncode == 0, run.stderr
    line = r"^30, [01]?, \d\d:\d\d:\d\d, total time: \d+ms, identification: \d+ms, request: -?\d+ms$"
    assert re.search(line, run.stdout, re.MULTILINE)
    with (suite.folder / "test.csv").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert sorted(int(row["index"]) for row in rows) == list(range(1, 31))
    for row in rows:
        assert float(row["total_ms"]) == pytest.approx(
            float(row["recognition_ms"]) + float(row["request_ms"]), abs=0.01
        )
    assert (suite.folder / "test.png").stat().st_size > 5000
    assert re.search(r"^total: average [\d.]+ms, 50%: ", run.stdout, re.MULTILINE)
    older = (suite.folder / "test.csv").read_bytes()
    assert run_script("recognize_time_test.py", *common, "--count", "3").returncode == 0
    assert [path.read_bytes() for path in suite.folder.glob("test-*.csv")] == [older]


@pytest.mark.parametrize("script", ["recognize_local.py", "recognize_online.py", "recognize_time_test.py"])
def test_client_without_server_is_status_one_with_a_clear_message(
    suite: SimpleNamespace, tmp_path: Path, script: str
) -> None:
    keys = json.loads(suite.config_path.read_text())
    config = tmp_path / "config.json"
    config.write_text(json.dumps(keys | {"remote_url": f"http://127.0.0.1:{free_port()}/captcha/"}))
    extra = ("--count", "3", "--output", tmp_path) if script == "recognize_time_test.py" else ("--count", "3")
    run = run_script(script, "--config", config, "--url", f"http://127.0.0.1:{free_port()}/b", *extra)
    assert run.returncode == 1
    assert "the server can't be reached; is it running?" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
    if script == "recognize_time_test.py":
        assert "1 of 1 requests failed, the first ones: [1]" in run.stdout


@pytest.mark.parametrize("script", ["webserver_recognize_api.py", "test_batch.py"])
def test_without_a_model_it_is_one_line_and_status_two(tmp_path: Path, script: str) -> None:
    path = write_config(tmp_path)
    fill(tmp_path / "sample" / "test", 2)
    run = run_script(script, "--config", path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "expected a trained model; there is no model_card.json; train one with train_model.py" in run.stderr


@pytest.mark.parametrize("script", ["train_model.py", "test_batch.py", "webserver_recognize_api.py"])
def test_changed_config_is_one_line_and_status_two(suite: SimpleNamespace, tmp_path: Path, script: str) -> None:
    keys = json.loads(suite.config_path.read_text())
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(keys | {"image_width": 50, "char_set": "012"}))
    run = run_script(script, "--config", path)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert 'trained with image_width 40, char_set "01", but' in run.stderr
    assert 'says image_width 50, char_set "012"; set the config back, or name another model_save_dir' in run.stderr


@pytest.mark.parametrize("script", [name for name in SCRIPTS if name not in ("tools/demo.py", "tools/ship_model.py")])
def test_help_shows_examples_and_a_wrong_config_is_status_two(tmp_path: Path, script: str) -> None:
    shown = run_script(script, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "examples:\n  python " in shown.stdout
    assert "--config PATH" in shown.stdout
    path = tmp_path / "broken.json"
    path.write_text('{"count": 1,}')
    run = run_script(script, "--config", path)
    assert run.returncode == 2
    assert re.fullmatch(r".*broken\.json: line 1, column 1[23]: not JSON: .*\n", run.stderr)


@pytest.mark.parametrize(
    ("script", "arguments", "key"),
    [
        ("train_model.py", [], "model_save_dir"),
        ("train_model.py", [], "log_dir"),
        ("train_model.py", ["--recognize", "/nope_1.png"], ""),
        ("verify_and_split_data.py", [], "train_image_dir"),
        ("recognize_time_test.py", ["--output", "LICENSE"], ""),
    ],
)
def test_path_that_cannot_be_used_is_one_line_and_status_two(
    suite: SimpleNamespace, tmp_path: Path, script: str, arguments: list[str], key: str
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    keys = json.loads(suite.config_path.read_text())
    path = tmp_path / "config.json"
    path.write_text(json.dumps(keys | ({key: str(blocked / "in")} if key else {})))
    run = run_script(script, "--config", path, *arguments, folder=PROJECT_ROOT)
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert re.search(r": (No such file or directory|Not a directory|File exists)\n$", run.stderr)


@pytest.mark.parametrize("port", ["70000", "-1", "x"])
def test_port_out_of_range_is_refused(suite: SimpleNamespace, port: str) -> None:
    run = run_script("webserver_recognize_api.py", "--config", suite.config_path, f"--port={port}")
    assert run.returncode == 2
    assert f"expected a port, 0 to 65535; got {port}" in run.stderr


def test_wsgi_application_is_what_servers_load(suite: SimpleNamespace) -> None:
    import webserver_recognize_api

    client = webserver_recognize_api.create_app(suite.config_path).test_client()
    picture = list_entries(suite.folder / "sample" / "test")[0]
    with picture.open("rb") as opened:
        answer = client.post("/b", data={"image_file": (opened, "x.png")})
    assert answer.json["value"] == Recognizer(suite.folder / "model").recognize([picture.read_bytes()])[0].text
    with pytest.raises(CaptchaError):
        webserver_recognize_api.create_app(suite.folder / "missing.json")
