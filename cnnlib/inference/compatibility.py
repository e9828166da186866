"""Whether a model is what a config asks for."""

import json
from dataclasses import dataclass
from pathlib import Path

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.inference.model_card import CARD, ModelCard, load_card

SHOWN = 100  # characters of an alphabet that a message has, at most


@dataclass(frozen=True)
class Requirements:
    """What a config asks of a model, under the config's keys; None asks nothing."""

    source: str
    image_height: int | None = None
    image_width: int | None = None
    max_captcha: int | None = None
    char_set: str | None = None
    channels: int | None = None
    network: str | None = None
    resize: bool | None = None  # how pictures are read, which a model's card need not agree with


def requirements_of(config: SampleConfig) -> Requirements:
    """What a config asks of a model that it is used with."""
    return Requirements(
        source=config.name + (f" with {display_path(config.labels_json_file)}" if config.use_labels_json_file else ""),
        image_height=config.image_height,
        image_width=config.image_width,
        max_captcha=config.max_captcha,
        char_set=str(config.alphabet),
        channels=config.channels,
        network=config.network,
        resize=config.resize,
    )


def check_fits(card: ModelCard, model_dir: Path, wanted: Requirements) -> None:
    """Raise ModelError naming both values and the way out where a config disagrees with the model."""
    trained = {
        "image_height": card.image_height,
        "image_width": card.image_width,
        "max_captcha": card.max_captcha,
        "char_set": "".join(card.characters),
        "channels": card.channels,
        "network": card.network,
    }
    different = [(key, value) for key, value in trained.items() if getattr(wanted, key) not in (None, value)]
    if different:
        has = ", ".join(f"{key} {_shown(value, getattr(wanted, key))}" for key, value in different)
        said = ", ".join(f"{key} {_shown(getattr(wanted, key), value)}" for key, value in different)
        same_network = wanted.network in (None, card.network)
        start = f", from this one with --warm-start {display_path(model_dir)}" if same_network else ""
        raise ModelError(
            f"{display_path(model_dir / CARD)}: the model was trained with {has}, but {wanted.source} says {said}: "
            f"set the config back, or name another model_save_dir and train a new model there{start}"
        )


def _shown(value: object, other: object) -> str:
    """A key's value as JSON; of a long alphabet, its size and what tells it from the other one."""
    if isinstance(value, str) and isinstance(other, str) and max(len(value), len(other)) > SHOWN:
        lacking = "".join(character for character in value if character not in other)
        order = ", in another order" if sorted(value) == sorted(other) else ""
        return f"of {len(value)} characters" + (f", among them {lacking[:SHOWN]}" if lacking else order)
    return json.dumps(value, ensure_ascii=False)


def check_resumable(model_dir: Path, wanted: Requirements) -> bool:
    """Whether the folder holds a model to go on from. Raises ModelError when it is broken or does not fit `wanted`."""
    if not (model_dir / CARD).exists():
        return False
    card = load_card(model_dir)
    check_fits(card, model_dir, wanted)
    if "checkpoint" not in card.files:
        raise ModelError(
            f"{display_path(model_dir / CARD)}: expected a model with a checkpoint to train on from; this one is "
            f"for reading: name another model_save_dir, and start from it with --warm-start {display_path(model_dir)}"
        )
    return True
