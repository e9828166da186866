"""A config that is far too large is refused in a few lines."""

import json
from pathlib import Path
from unittest import mock

import pytest

from cnnlib import config as config_module
from cnnlib.config import load_captcha_config, load_sample_config
from cnnlib.core.errors import ConfigError
from tests.helpers import write_config

LONG = "x" * 100_000


def refusal(path: Path, keys: dict[str, object]) -> str:
    path.write_text(json.dumps(keys), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_sample_config(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["key{}", "image_widt{}", "{}"])
def test_thousands_of_unknown_keys_are_one_sentence_and_compared_with_no_known_one(tmp_path: Path, name: str) -> None:
    path = write_config(tmp_path)
    keys = json.loads(path.read_text()) | {name.format(number): 1 for number in range(20_000)}
    with mock.patch.object(config_module, "get_close_matches", wraps=config_module.get_close_matches) as compared:
        message = refusal(path, keys)
    assert compared.call_count == 0
    assert len(message.splitlines()) == 1
    assert "expected a config of pictures to train on and read, such as conf/sample_config.json; got a file" in message


def test_thousands_of_unknown_keys_of_a_captcha_config_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps({f"key{number}": 1 for number in range(1000)}))
    with pytest.raises(ConfigError, match=r"^[^\n]*expected a config of captchas to draw, [^\n]*; got a file[^\n]*$"):
        load_captcha_config(path)


@pytest.mark.parametrize(
    "change",
    [{LONG: 1}, {"image_width": LONG}, {"char_set": {LONG: 1}}, {"remote_url": LONG}],
    ids=["key", "number", "text", "address"],
)
def test_long_key_or_value_is_cut_in_the_message(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_config(tmp_path)
    message = refusal(path, json.loads(path.read_text()) | change)
    assert len(message) < 2000
    assert "…" in message
