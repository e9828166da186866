import base64
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests
from flask.testing import FlaskClient

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries
from cnnlib.inference.model_card import load_card, save_model
from cnnlib.inference.recognizer import Recognizer
from tests.helpers import draw, running
from tests.web.clients import client_of, form, loaded


@pytest.fixture
def pictures(trained: SimpleNamespace) -> list[bytes]:
    return [path.read_bytes() for path in list_entries(trained.config.test_image_dir)[:3]]


@pytest.fixture
def texts(trained: SimpleNamespace, pictures: list[bytes]) -> list[str]:
    return [prediction.text for prediction in Recognizer(trained.config.model_save_dir).recognize(pictures)]


def test_picture_is_read_and_kept_under_its_prediction(
    client: FlaskClient, api_config: SampleConfig, picture: Path, text: str
) -> None:
    answer = client.post("/b", **form(picture.read_bytes()))
    assert answer.status_code == 200
    assert answer.json.keys() == {"time", "value", "speed_time(ms)", "confidence", "character_confidences"}
    assert answer.json["value"] == text
    assert float(answer.json["time"]) > 1.5e9
    assert isinstance(answer.json["time"], str)
    assert 0 < answer.json["speed_time(ms)"] < 60_000
    assert 0 < answer.json["confidence"] <= 1
    (path,) = api_config.api_image_dir.iterdir()
    assert path.read_bytes() == picture.read_bytes()
    assert (label_of(path.name), path.suffix) == (answer.json["value"], ".png")


def test_literal_client_of_the_original_works(client: FlaskClient, picture: Path, text: str) -> None:
    with running(client.application) as address, picture.open("rb") as opened:
        files = {"image_file": ("captcha.jpg", opened, "application")}
        r = requests.post(url=f"{address}/b", files=files, timeout=30)
    assert r.json()["value"] == text


def test_request_without_a_picture_has_the_error_code_of_the_original(client: FlaskClient) -> None:
    for request in ({}, form(b""), {"data": {"other": "x"}}, {"json": {}}, {"content_type": "image/png"}):
        answer = client.post("/b", **request)
        assert answer.status_code == 400
        assert answer.json["error_code"] == "1001"
        assert "image_file" in answer.json["message"]


def test_bad_pictures_are_client_errors_in_json(
    client: FlaskClient, api_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    whole = picture.read_bytes()
    other = draw("01", tmp_path / "01_1.png", size=(40, 16)).read_bytes()
    for data, status, code in ((b"text", 400, "1002"), (whole[:-40], 400, "1002"), (other, 422, "1003")):
        answer = client.post("/b", **form(data))
        assert (answer.status_code, answer.json["error_code"]) == (status, code)
    assert "expected 32x16 pixels; got 40x16" in answer.json["message"]
    assert not api_config.api_image_dir.exists()


def test_request_is_answered_although_its_picture_cannot_be_kept(
    api_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    client = client_of(loaded("small", api_config.model_copy(update={"api_image_dir": blocked})))
    assert client.post("/b", **form(picture.read_bytes())).status_code == 200


def test_hints_of_a_request_narrow_the_reading(client: FlaskClient, picture: Path, text: str) -> None:
    assert set(text) <= {"0", "1"}
    for request in (
        form(picture.read_bytes(), char_set="1"),
        {"json": {"image": base64.b64encode(picture.read_bytes()).decode(), "char_set": "1", "views": 2}},
        form(picture.read_bytes()) | {"query_string": {"char_set": "1", "ignore_case": "true"}},
    ):
        assert set(client.post("/b", **request).json["value"]) == {"1"}
    one = client.post("/b", **form(picture.read_bytes(), min_captcha="2", max_captcha="2")).json
    assert len(one["value"]) == 2
    assert "answer" not in one


def test_hints_that_do_not_fit_the_model_are_client_errors(client: FlaskClient, picture: Path) -> None:
    for options, message in (({"char_set": "0x"}, "got x"), ({"min_captcha": "3"}, "lengths, ")):
        refused = client.post("/b", **form(picture.read_bytes(), **options))
        assert (refused.status_code, refused.json["error_code"]) == (400, "1005")
        assert message in refused.json["message"]


def test_answer_to_a_sum_is_given_on_request(
    client: FlaskClient, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post("/b", **form(picture.read_bytes(), answer="1")).json["answer"] is None, "it is no sum"
    read = Prediction("3+11=?", 0.75, (1.0,) * 6)
    monkeypatch.setattr(Recognizer, "recognize", lambda *_: [read])
    assert client.post("/b", **form(picture.read_bytes(), answer="true")).json["answer"] == "14"
    unsure = client.post("/b", **form(picture.read_bytes(), answer="true", min_confidence="0.9")).json
    assert (unsure["answer"], unsure["candidate"]) == (None, "3+11=?")


def test_kept_pictures_are_named_on_request(client: FlaskClient, api_config: SampleConfig, picture: Path) -> None:
    assert "kept" not in client.post("/b", **form(picture.read_bytes())).json
    answers = client.post("/b", **form(picture.read_bytes(), picture.read_bytes(), kept="true")).json
    names = [path.name for path in api_config.api_image_dir.iterdir()]
    serials = [answer["kept"].removeprefix("small/") for answer in answers]
    assert len({*serials}) == 2
    assert all(any(f"_{serial}." in name for name in names) for serial in serials)


def test_picture_that_is_not_kept_has_no_name(api_config: SampleConfig, picture: Path) -> None:
    client = client_of(loaded("small", api_config.model_copy(update={"api_save": False})))
    assert client.post("/b", **form(picture.read_bytes(), kept="true")).json["kept"] is None


def test_share_of_right_texts_stands_for_a_confidence(
    trained: SimpleNamespace, api_config: SampleConfig, picture: Path, tmp_path: Path
) -> None:
    card = load_card(trained.config.model_save_dir)
    content = (trained.config.model_save_dir / card.files[card.reads].name).read_bytes()
    promising = card.model_copy(update={"min_confidence": {"99%": 1.0}})
    save_model(tmp_path / "promising", promising, {card.reads: (".tflite", content)})
    client = client_of(loaded("small", api_config.model_copy(update={"model_save_dir": tmp_path / "promising"})))
    assert client.post("/b?min_confidence=99%25", **form(picture.read_bytes())).json["value"] is None
    assert client.get("/models").json[0]["min_confidence"] == {"99%": 1.0}
    received = [*api_config.api_image_dir.iterdir()]
    refused = client.post("/b", **form(picture.read_bytes(), min_confidence="99.9%"))
    assert (refused.status_code, refused.json["error_code"]) == (400, "1005")
    assert "the model small: min_confidence: expected a number" in refused.json["message"]
    assert "that the model's card promises, 99%; got 99.9%" in refused.json["message"]
    assert [*api_config.api_image_dir.iterdir()] == received, "the picture of a refused request is not kept"


def test_several_pictures_are_answered_in_their_order(
    client: FlaskClient, pictures: list[bytes], texts: list[str], api_config: SampleConfig
) -> None:
    encoded = [base64.b64encode(data).decode() for data in pictures]
    for request in (form(*pictures), {"json": {"image": encoded}}):
        assert [answer["value"] for answer in client.post("/b", **request).json] == texts
    assert [answer["value"] for answer in client.post("/b", json={"image": encoded[:1]}).json] == texts[:1]
    assert len([*api_config.api_image_dir.iterdir()]) == 7


def test_bad_picture_refuses_all_by_its_number_and_keeps_none(
    client: FlaskClient, pictures: list[bytes], api_config: SampleConfig
) -> None:
    answer = client.post("/b", **form(pictures[0], b"no picture", pictures[1]))
    assert (answer.status_code, answer.json["error_code"]) == (400, "1002")
    assert answer.json["message"].startswith("picture 2: ")
    assert not api_config.api_image_dir.exists()


def test_prediction_below_min_confidence_is_a_candidate(
    client: FlaskClient, pictures: list[bytes], texts: list[str]
) -> None:
    for request in (
        form(pictures[0], min_confidence="1"),
        {"data": pictures[0], "content_type": "image/png", "query_string": {"min_confidence": 1}},
        {"json": {"image": base64.b64encode(pictures[0]).decode(), "min_confidence": 1}},
    ):
        answer = client.post("/b", **request).json
        assert (answer["value"], answer["candidate"]) == (None, texts[0])
    certain = client.post("/b", **form(pictures[0], min_confidence="0")).json
    assert (certain["value"], "candidate" in certain) == (texts[0], False)
