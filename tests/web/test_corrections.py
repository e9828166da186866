"""What becomes of a kept picture when a person says what it shows."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cnnlib.config import SampleConfig
from cnnlib.data.folders import list_entries, locked
from cnnlib.web import corrections
from cnnlib.web.api_errors import ApiError
from cnnlib.web.model_registry import ServedModel
from cnnlib.web.received_pictures import prune
from tests.helpers import eventually
from tests.web.clients import client_of


@pytest.fixture
def served(config: SampleConfig) -> ServedModel:
    """A model that no correction needs to be loaded."""
    return ServedModel("small", config)


@pytest.fixture
def client(served: ServedModel) -> FlaskClient:
    return client_of(served)


@pytest.fixture
def kept(served: ServedModel) -> str:
    """What the API says of a picture that it has kept."""
    return f"small/{served.received.save(b'the picture', '00')}"


def say(client: FlaskClient, kept: Any, label: Any, **options: Any) -> Any:
    return client.post("/label", json={"kept": kept, "label": label}, **options)


def files(*folders: Path) -> list[tuple[str, bytes]]:
    """Names and contents of all files in the folders."""
    return [(path.name, path.read_bytes()) for folder in folders for path in list_entries(folder)]


def test_corrected_picture_is_moved_to_the_new_pictures(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    name = f"01_{kept.removeprefix('small/')}.png"
    answer = say(client, kept, "01")
    assert (answer.status_code, answer.json) == (200, {"label": "01", "file": name})
    assert files(config.new_image_dir) == [(name, b"the picture")]
    assert files(config.api_image_dir) == []


def test_last_of_several_corrections_counts(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    for label in ("01", "01", "10"):
        assert say(client, kept, label).status_code == 200
    assert [(name[:3], data) for name, data in files(config.new_image_dir)] == [("10_", b"the picture")]
    assert files(config.api_image_dir) == []


def test_corrections_at_once_leave_one_picture(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    app = client.application
    threads = [threading.Thread(target=say, args=(app.test_client(), kept, label)) for label in ("01", "10", "11")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [data for _, data in files(config.new_image_dir, config.api_image_dir)] == [b"the picture"]


def test_picture_that_was_deleted_meanwhile_is_said_to_be_gone(
    client: FlaskClient, kept: str, config: SampleConfig
) -> None:
    prune(config.api_image_dir, 0)
    answer = say(client, kept, "01")
    assert (answer.status_code, answer.json["error_code"]) == (410, "1009")
    assert "the oldest are deleted first" in answer.json["message"]
    assert files(config.new_image_dir) == []


def test_picture_deleted_between_look_and_move_is_said_to_be_gone(
    client: FlaskClient, kept: str, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = corrections.move

    def delete_and_move(path: Path, *where: Any) -> None:
        prune(config.api_image_dir, 0)
        move(path, *where)

    monkeypatch.setattr(corrections, "move", delete_and_move)
    assert say(client, kept, "01").status_code == 410
    assert files(config.new_image_dir) == []


def test_pruning_leaves_corrected_pictures(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    say(client, kept, "01")
    prune(config.api_image_dir, 0)
    assert len(files(config.new_image_dir)) == 1


def test_picture_in_the_training_set_is_not_doubled(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    (path,) = list_entries(config.api_image_dir)
    config.train_image_dir.mkdir(parents=True)
    path.rename(config.train_image_dir / path.name)
    answer = say(client, kept, "01")
    assert (answer.status_code, answer.json["error_code"]) == (409, "1009")
    assert f"rename {config.train_image_dir / path.name}" in answer.json["message"]
    assert files(config.new_image_dir) == []


def test_other_picture_of_the_same_name_is_not_overwritten(
    client: FlaskClient, kept: str, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = corrections._find
    monkeypatch.setattr(
        corrections, "_find", lambda serial, folder: None if folder == config.new_image_dir else find(serial, folder)
    )
    config.new_image_dir.mkdir(parents=True)
    (config.new_image_dir / f"01_{kept.removeprefix('small/')}.png").write_bytes(b"another")
    answer = say(client, kept, "01")
    assert answer.status_code == 503
    assert "already exists" in answer.json["message"]
    assert [data for _, data in files(config.api_image_dir, config.new_image_dir)] == [b"the picture", b"another"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("", "not a label: expected a text; got none"),
        ("2x", "not a label: not in the alphabet: 2 x"),
        ("011", "not a label: expected at most 2 characters (max_captcha); got 3"),
        ("0\u202e", "the label has invisible characters: '\\u202e'"),
        ("../../01", "not in the alphabet: . /"),
    ],
)
def test_bad_label_is_refused_with_a_reason(
    client: FlaskClient, kept: str, config: SampleConfig, label: str, message: str
) -> None:
    answer = say(client, kept, label)
    assert (answer.status_code, answer.json["error_code"]) == (422, "1008")
    assert message in answer.json["message"]
    assert len(files(config.api_image_dir)) == 1


@pytest.mark.parametrize(
    ("kept", "label", "status", "code"),
    [
        ("small/../../etc", "01", 404, "1004"),
        ("small/*", "01", 400, "400"),
        ("small/" + "9" * 20, "01", 410, "1009"),
        ("other/" + "9" * 20, "01", 404, "1004"),
        ("", "01", 404, "1004"),
        (["small"], "01", 400, "400"),
        ("small/" + "9" * 20, None, 400, "400"),
    ],
)
def test_hostile_names_are_refused(client: FlaskClient, kept: Any, label: Any, status: int, code: str) -> None:
    answer = say(client, kept, label)
    assert (answer.status_code, answer.json["error_code"]) == (status, code)


@pytest.mark.parametrize("body", [b"", b"[]", b"[1, 2]", b'"x"', b"{", b"[" * 100_000, b"\xff"])
def test_body_that_is_no_object_is_refused(client: FlaskClient, body: bytes) -> None:
    assert client.post("/label", data=body, content_type="application/json").status_code == 400


def test_server_that_keeps_nothing_says_so(config: SampleConfig) -> None:
    client = client_of(ServedModel("small", config.model_copy(update={"api_save": False})))
    answer = say(client, "small/" + "9" * 20, "01")
    assert (answer.status_code, answer.json["error_code"]) == (409, "1009")
    assert answer.json["message"].startswith("the server keeps no pictures: api_save is 0 in ")


def test_token_is_needed_where_the_api_needs_one(served: ServedModel, kept: str, config: SampleConfig) -> None:
    client = client_of(served, token="sesame")
    assert say(client, kept, "01").status_code == 401
    assert len(files(config.api_image_dir)) == 1
    assert say(client, kept, "01", headers={"Authorization": "Bearer sesame"}).status_code == 200


def test_page_of_another_site_may_not_correct(client: FlaskClient, kept: str) -> None:
    assert say(client, kept, "01", headers={"Origin": "http://elsewhere.example"}).status_code == 403


def test_split_that_is_under_way_is_waited_for(
    client: FlaskClient, kept: str, config: SampleConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cnnlib.data.folders.LOCK_WAIT_S", 0.1)
    with locked(config.new_image_dir):
        answer = say(client, kept, "01")
    assert answer.status_code == 503
    assert "another run is writing or moving pictures here" in answer.json["message"]
    assert eventually(lambda: say(client, kept, "01").status_code == 200)


def test_folder_that_cannot_be_made_loses_no_picture(client: FlaskClient, kept: str, config: SampleConfig) -> None:
    config.new_image_dir.write_bytes(b"a file")
    answer = say(client, kept, "01")
    assert (answer.status_code, answer.json["error_code"]) == (507, "1010")
    assert len(files(config.api_image_dir)) == 1


def test_label_in_capitals_is_filed_as_it_is_learned_where_case_is_ignored(
    configure: Callable[..., SampleConfig],
) -> None:
    assert corrections.check_label("AbC", configure(char_set="abcD", max_captcha=3, ignore_case=True)) == "abc"
    assert corrections.check_label("d", configure(char_set="abcD", max_captcha=3, ignore_case=True)) == "D"
    with pytest.raises(ApiError, match="not in the alphabet"):
        corrections.check_label("AbC", configure(char_set="abcD", max_captcha=3))
