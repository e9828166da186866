"""The scripts in sequence, as a user runs them, on real captchas in a temporary folder."""

import csv
import json
import re
from types import SimpleNamespace

import pytest

from cnnlib.data.folders import list_entries
from tests.helpers import Servers, run_script, write_config

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Real captchas of one digit, generated, split and trained on by the scripts, with what each printed in `runs`."""
    folder = tmp_path_factory.mktemp("suite")
    captcha_path = folder / "captcha_config.json"
    look = {"image_suffix": "png", "characters": "01", "count": 400, "char_count": 1, "width": 40, "height": 60}
    captcha_path.write_text(json.dumps(look | {"root_dir": str(folder / "sample" / "origin")}))
    size = {"image_width": 40, "image_height": 60, "max_captcha": 1}
    config_path = write_config(folder, **size, cycle_stop=20, cycle_save=10, acc_stop=1)
    drawn = run_script("gen_image/gen_sample_by_captcha.py", "--config", captcha_path, "--seed", "1")
    split = run_script("verify_and_split_data.py", "--config", config_path)
    trained = run_script("train_model.py", "--config", config_path)
    batch = run_script("test_batch.py", "--config", config_path)
    runs = [drawn, split, trained, batch]
    return SimpleNamespace(folder=folder, config_path=config_path, captcha_path=captcha_path, runs=runs)


def test_every_script_ends_well_and_without_warnings(suite: SimpleNamespace) -> None:
    assert [(run.returncode, run.stderr) for run in suite.runs] == [(0, "")] * 4


def test_batch_test_reports_every_test_picture_once(suite: SimpleNamespace) -> None:
    figures = json.loads((suite.folder / "model" / "report" / "test.json").read_text(encoding="utf-8"))
    assert figures["samples"] == 40
    assert figures["picture_accuracy"] >= 0.8
    out = suite.runs[3].stdout
    summary = r"It takes \d+\.\d+ seconds to identify 40 samples, with an accuracy rate of [\d.]+%"
    assert len(re.findall(summary, out)) == 1
    assert out.count("origin: ") == round(40 * (1 - figures["picture_accuracy"])), "the misread ones"
    assert figures["seconds"] > 0
    assert figures["characters"].keys() == {"0", "1"}


def test_server_clients_and_stress_work_together(suite: SimpleNamespace, serve: Servers) -> None:
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
    assert accuracy, "the source sends its labels"
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
