"""A config that is far too large is refused in a few lines."""

import json
from pathlib import Path
from unittest import mock

import pytest

from cnnlib import config as config_module
from cnnlib.config import load_captcha_config, load_sample_config
from cnnlib.core.errors import ConfigError
from tests.conftest import write_config


def refusal(path: Path, keys: dict[str, object]) -> str:
    path.write_text(json.dumps(keys), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_sample_config(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["key{}", "image_widt{}", "{}"])
def test_many_unknown_keys_are_counted_and_few_are_compared_with_known_ones(tmp_path: Path, name: str) -> None:
    path = write_config(tmp_path)
    keys = json.loads(path.read_text()) | {name.format(number): 1 for number in range(20_000)}
    with mock.patch.object(config_module, "get_close_matches", wraps=config_module.get_close_matches) as compared:
        message = refusal(path, keys)
    assert compared.call_count == len(message.splitlines()) - 1 == config_module.FAULT_LIMIT
    assert message.endswith(f"{path.as_posix()}: {20_000 - config_module.FAULT_LIMIT} more faults")


def test_many_unknown_keys_of_a_captcha_config_are_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps({f"key{number}": 1 for number in range(1000)}))
    with pytest.raises(ConfigError, match=r"more faults$"):
        load_captcha_config(path)


@pytest.mark.parametrize(
    "change",
    [{"x" * 100_000: 1}, {"image_width": "x" * 100_000}, {"char_set": ["x" * 100_000]}, {"remote_url": "x" * 100_000}],
    ids=["key", "number", "text", "address"],
)
def test_long_key_or_value_is_cut_in_the_message(tmp_path: Path, change: dict[str, object]) -> None:
    path = write_config(tmp_path)
    message = refusal(path, json.loads(path.read_text()) | change)
    assert len(message) < 2000
    assert "…" in message
