"""The check that a model fits a config."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from cnnlib.codec.characters import normalise
from cnnlib.config import SampleConfig
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.core.paths import display_path
from cnnlib.core.printable import excerpt
from cnnlib.inference.hints import NO_HINTS, Hints, Reading
from cnnlib.inference.model_card import CARD, ModelCard, load_card

CHARACTERS_LIMIT = 100  # of an alphabet in a message


@dataclass(frozen=True)
class Requirements:
    """Values that a model must have been trained with, under the keys of a config. None accepts any value.

    `source` names the config or the call in messages.
    """

    source: str
    image_height: int | None = None
    image_width: int | None = None
    max_captcha: int | None = None
    char_set: str | None = None
    channels: int | None = None
    network: str | None = None
    resize: bool | None = None  # replaces the card's value: it only decides how pictures are read
    hints: Hints = NO_HINTS  # of the texts to read; those of `char_set` and `max_captcha` may be narrower, too


def requirements_of(config: SampleConfig) -> Requirements:
    """The requirements of a config."""
    return Requirements(
        source=config.name + (f" with {display_path(config.labels_json_file)}" if config.use_labels_json_file else ""),
        image_height=config.image_height,
        image_width=config.image_width,
        max_captcha=config.max_captcha,
        char_set=str(config.alphabet),
        channels=config.channels,
        network=config.network,
        resize=config.resize,
        hints=Hints(min_captcha=config.min_captcha, ignore_case=config.ignore_case, views=config.views),
    )


def everything(card: ModelCard) -> Reading:
    """All that a model can read."""
    return Reading(card.alphabet, card.decoding, str(card.alphabet), card.lengths, temperature=card.temperature)


def narrow(card: ModelCard, model_dir: Path, requirements: Requirements, hints: Hints = NO_HINTS) -> Reading:
    """What a model is to read: all that it can, or less where requirements or hints have fewer characters or lengths.

    Raises ModelError when they disagree with the card.
    """
    characters, most = requirements.char_set, requirements.max_captcha
    fewer = characters is not None and set(normalise(characters)) <= set(card.characters)
    shorter = most is not None and most < card.max_captcha
    strict = replace(requirements, char_set=None if fewer else characters, max_captcha=None if shorter else most)
    check_fits(card, model_dir, strict)
    required = Hints(char_set=characters, max_captcha=most).over(requirements.hints)
    try:
        return everything(card).narrowed(required).narrowed(hints)
    except ConfigError as error:
        raise ModelError(f"{display_path(model_dir / CARD)}: {requirements.source}: {error}") from error


def check_fits(card: ModelCard, model_dir: Path, requirements: Requirements) -> None:
    """Raise ModelError when the model was trained with other values than required.

    The message names both values of each key, and what to do.
    """
    trained = {
        "image_height": card.image_height,
        "image_width": card.image_width,
        "max_captcha": card.max_captcha,
        "char_set": "".join(card.characters),
        "channels": card.channels,
        "network": card.network,
    }
    required = {key: getattr(requirements, key) for key in trained}
    different = [key for key in trained if required[key] not in (None, trained[key])]
    if different:
        model_values = ", ".join(f"{key} {_describe(trained[key], required[key])}" for key in different)
        config_values = ", ".join(f"{key} {_describe(required[key], trained[key])}" for key in different)
        warm_start = f", starting from this one with --warm-start {display_path(model_dir)}"
        same_network = requirements.network in (None, card.network)
        raise ModelError(
            f"{display_path(model_dir / CARD)}: the model was trained with {model_values}, but {requirements.source} "
            f"says {config_values}; set the config back, or name another model_save_dir and train a new model there"
            f"{warm_start if same_network else ''}"
        )


def _describe(value: object, other: object) -> str:
    """A value as JSON. A long alphabet is described by its size and its difference from the `other` one."""
    if isinstance(value, str) and isinstance(other, str) and max(len(value), len(other)) > CHARACTERS_LIMIT:
        extra = "".join(character for character in value if character not in other)
        order = ", in another order" if sorted(value) == sorted(other) else ""
        return f"of {len(value)} characters" + (f", among them {extra[:CHARACTERS_LIMIT]}" if extra else order)
    return excerpt(json.dumps(value, ensure_ascii=False))


def check_resumable(model_dir: Path, requirements: Requirements) -> bool:
    """Whether the folder holds a model whose training can continue.

    Raises ModelError when the model is broken, does not fit, or has no checkpoint.
    """
    if not (model_dir / CARD).exists():
        return False
    card = load_card(model_dir)
    check_fits(card, model_dir, requirements)
    if "checkpoint" not in card.files:
        raise ModelError(
            f"{display_path(model_dir / CARD)}: expected a model with a checkpoint to continue its training; "
            "got a model for reading only; name another model_save_dir, and start from this model with "
            f"--warm-start {display_path(model_dir)}"
        )
    return True
