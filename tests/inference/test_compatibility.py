import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.inference.compatibility import Requirements, check_fits, check_resumable, narrow, requirements_of
from cnnlib.inference.hints import Hints
from cnnlib.inference.model_card import save_model
from tests.model_cards import card_of


def test_disagreement_names_both_values_and_the_way_out(tmp_path: Path) -> None:
    requirements = Requirements("conf/my.json", image_width=120, image_height=16, char_set="01a")
    with pytest.raises(ModelError) as caught:
        check_fits(card_of(), tmp_path, requirements)
    message = str(caught.value)
    assert (
        'trained with image_width 32, char_set "01", but conf/my.json says image_width 120, char_set "01a"' in message
    )
    assert "set the config back, or name another model_save_dir" in message
    assert f"--warm-start {tmp_path.as_posix()}/" in message
    assert "\n" not in message
    check_fits(card_of(), tmp_path, Requirements("conf/my.json", image_width=32, max_captcha=2))


@pytest.mark.parametrize("network", ["classic", "positions"])
def test_start_from_another_network_is_not_proposed(tmp_path: Path, network: str) -> None:
    with pytest.raises(ModelError) as caught:
        check_fits(card_of(), tmp_path, Requirements("conf/my.json", network=network))
    assert "train a new model there" in str(caught.value)
    assert "--warm-start" not in str(caught.value)


def test_config_may_say_less_than_the_model_reads(configure: Callable[..., SampleConfig], tmp_path: Path) -> None:
    card = card_of(characters=tuple("01aA"), max_captcha=4, min_captcha=1)
    config = configure(char_set="01", max_captcha=3, min_captcha=2, ignore_case=True, views=2)
    reading = narrow(card, tmp_path, requirements_of(config))
    assert (reading.characters, reading.lengths, reading.ignore_case, reading.views) == ("01", (2, 3), True, 2)
    with pytest.raises(
        ModelError, match=r"my\.json: min_captcha, max_captcha: expected some of the model's lengths, 1 to"
    ):
        narrow(card, tmp_path, Requirements("my.json", hints=Hints(min_captcha=5)))
    with pytest.raises(ModelError, match=r"trained with max_captcha 4, but my\.json says max_captcha 5"):
        narrow(card, tmp_path, Requirements("my.json", max_captcha=5))


@pytest.mark.parametrize(("key", "value"), [("char_set", "01"), ("max_captcha", 3)])
def test_training_does_not_resume_with_a_config_that_says_less(tmp_path: Path, key: str, value: object) -> None:
    save_model(tmp_path, card_of(characters=tuple("01aA"), max_captcha=4), {"checkpoint": (".npz", b"weights")})
    with pytest.raises(
        ModelError, match=rf"was trained with {key} .*, but my\.json says {key} .*; set the config back"
    ):
        check_resumable(tmp_path, replace(Requirements("my.json"), **{key: value}))
    assert check_resumable(tmp_path, Requirements("my.json", hints=Hints(min_captcha=2, ignore_case=True, views=2)))


def test_characters_of_a_call_are_composed(tmp_path: Path) -> None:
    card = card_of(characters=("e", "\u00e9", "x"))
    assert narrow(card, tmp_path, Requirements("the call", char_set="e\u0301x")).characters == "\u00e9x"


def test_alphabet_of_a_labels_file_is_named_with_it(configure: Callable[..., SampleConfig], tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["0", "1", "2"]')
    config = configure(use_labels_json_file=True)
    message = f'but {config.name} with {tmp_path.as_posix()}/labels.json says char_set "012"'
    with pytest.raises(ModelError, match=re.escape(message)):
        check_fits(card_of(), tmp_path, requirements_of(config))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("z", "of 3755 characters, but my.json says char_set of 3756 characters, among them z; set"),
        (
            "",
            "of 3755 characters, in another order, but my.json says char_set of 3755 characters, in another order; set",
        ),
    ],
)
def test_long_alphabets_are_described_by_what_differs(tmp_path: Path, added: str, message: str) -> None:
    characters = [chr(0x4E00 + number) for number in range(3755)]
    trained = card_of(characters=tuple(characters))
    with pytest.raises(ModelError, match=f"char_set {message}"):
        check_fits(trained, tmp_path, Requirements("my.json", char_set="".join(reversed(characters)) + added))
