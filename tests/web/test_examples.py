"""Pictures that the page offers to try."""

import json
import shutil
from pathlib import Path
from urllib.parse import unquote

import pytest
from werkzeug.test import TestResponse

from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries
from cnnlib.web import examples
from cnnlib.web.examples import EXAMPLES, examples_of
from tests.helpers import draw
from tests.web.clients import client_of, loaded


def with_training(config: SampleConfig, folder: Path) -> SampleConfig:
    return config.model_copy(update={"train_image_dir": folder})


def test_examples_are_training_pictures_with_their_labels(api_config: SampleConfig) -> None:
    client = client_of(loaded("some", api_config))
    trained = {path.read_bytes(): label_of(path.name) for path in list_entries(api_config.train_image_dir)}
    (described,) = client.get("/models").json
    assert described["examples"] == EXAMPLES
    answers = [client.get(f"/examples/some/{number}") for number in range(EXAMPLES)]
    for answer in answers:
        assert answer.mimetype == "image/png"
        assert trained[answer.data] == unquote(answer.headers["X-Captcha-Label"])
    assert len({answer.data for answer in answers}) == EXAMPLES


def test_files_that_are_no_pictures_are_no_examples(api_config: SampleConfig, tmp_path: Path) -> None:
    (tmp_path / "ab_1.png").write_text("no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    draw("01", tmp_path / "nolabel.png")
    draw("+×", tmp_path / "%2B×_2.png")
    client = client_of(loaded("some", with_training(api_config, tmp_path)))
    assert client.get("/models").json[0]["examples"] == 1
    assert unquote(client.get("/examples/some/0").headers["X-Captcha-Label"]) == label_of("%2B×_2.png")


def test_received_and_large_pictures_are_no_examples(api_config: SampleConfig, tmp_path: Path) -> None:
    draw("01", tmp_path / "01_1797000000000000000.png")
    draw("01", tmp_path / "01_1.png").write_bytes((tmp_path / "01_1.png").read_bytes() + bytes(2**20))
    draw("10", tmp_path / "10_2.png")
    client = client_of(loaded("some", with_training(api_config, tmp_path)))
    assert client.get("/models").json[0]["examples"] == 1
    assert client.get("/examples/some/0").data == (tmp_path / "10_2.png").read_bytes()
    none = api_config.model_copy(update={"train_image_dir": tmp_path, "api_examples": False})
    assert client_of(loaded("some", none)).get("/models").json[0]["examples"] == 0


def test_without_training_pictures_there_are_no_examples(api_config: SampleConfig, tmp_path: Path) -> None:
    client = client_of(loaded("some", with_training(api_config, tmp_path / "missing")))
    assert client.get("/models").json[0]["examples"] == 0
    answer = client.get("/examples/some/0")
    assert (answer.status_code, answer.json["message"]) == (404, "expected one of 0 examples, numbered from 0; got 0")
    other = client.get("/examples/other/0")
    assert (other.status_code, other.json["error_code"]) == (404, "1004")


def test_picture_is_not_kept_where_the_request_says_so(api_config: SampleConfig, picture: Path) -> None:
    client = client_of(loaded("some", api_config))
    for save, kept in (("false", 0), ("true", 1)):
        answer = client.post(f"/b?save={save}&kept=true", data=picture.read_bytes(), content_type="image/png")
        assert (answer.json["kept"] is not None) == bool(kept)
        assert len(list_entries(api_config.api_image_dir)) == kept
    refused = client.post("/b", data=json.dumps({"image": "", "save": "no"}), content_type="application/json")
    assert refused.status_code == 400


def label_in(answer: TestResponse) -> str:
    return unquote(answer.headers["X-Captcha-Label"])


def test_examples_are_those_of_the_folder_at_the_time_of_the_request(api_config: SampleConfig, tmp_path: Path) -> None:
    client = client_of(loaded("some", with_training(api_config, tmp_path / "train")))
    assert client.get("/models").json[0]["examples"] == 0
    path = draw("01", tmp_path / "train" / "01_1.png")
    assert client.get("/models").json[0]["examples"] == 1
    relabelled = path.rename(path.with_name("10_1.png"))
    assert label_in(client.get("/examples/some/0")) == "10"
    redrawn = draw("11", tmp_path / "new.png").replace(relabelled)
    assert client.get("/examples/some/0").data == redrawn.read_bytes()
    relabelled.write_bytes(relabelled.read_bytes()[:-40])
    assert client.get("/models").json[0]["examples"] == 0, "it can't be opened any more"
    relabelled.unlink()
    draw("00", tmp_path / "train" / "00_2.png")
    assert label_in(client.get("/examples/some/0")) == "00"
    shutil.rmtree(tmp_path / "train")
    assert client.get("/examples/some/0").status_code == 404


def test_folder_that_stays_is_not_listed_again(
    api_config: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw("01", tmp_path / "01_1.png")
    client = client_of(loaded("some", with_training(api_config, tmp_path)))
    client.get("/models")
    monkeypatch.setattr(examples, "scan_pictures", lambda *_: pytest.fail("it was listed again"))
    assert label_in(client.get("/examples/some/0")) == "01"
    assert client.get("/models").json[0]["examples"] == 1


def test_only_some_files_of_a_large_folder_are_looked_at(
    api_config: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Entry:
        path = str(draw("01", tmp_path / "01_1797000000000000000.png"))

    seen: list[int] = []
    monkeypatch.setattr(examples, "scan_pictures", lambda *_: (seen.append(number) or Entry for number in range(10**7)))
    assert examples_of(with_training(api_config, tmp_path)) == []
    assert len(seen) <= 10_000
