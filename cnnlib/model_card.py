"""What a model says of itself: `model_card.json`, beside the files that it names.

Files are written under names that carry their content's hash; replacing the card is what swaps a model in,
so a reader sees the old model or the new one, whole, and a killed save changes nothing.
"""

import hashlib
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cnnlib.alphabet import Alphabet
from cnnlib.config import SampleConfig, display_path
from cnnlib.decoding import Decoding, Lengths
from cnnlib.errors import ConfigError, ModelError
from cnnlib.files import write_whole
from cnnlib.pictures import Shape

CARD = "model_card.json"
KINDS = ("checkpoint", "weights", "float32", "quantised")  # of files beside the card
_OURS = re.compile(rf"\.?({'|'.join(KINDS)})-\d+-[0-9a-f]{{8}}\.(npz|tflite)(\.part)?")
READING = "reading"  # the kind of file that pictures are read with: the one that the card says
SHOWN = 100  # characters of an alphabet that a message has, at most
READ_TRIES = 10  # a file can go between reading the card and opening it when a training saves just then


class ModelFile(BaseModel):
    """A file beside the card, with the SHA-256 of its content."""

    model_config = ConfigDict(frozen=True)
    name: str
    sha256: str


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class ModelCard(BaseModel):
    """Everything that reading with a model needs, and where the model comes from."""

    model_config = ConfigDict(frozen=True)
    format: Literal[1] = 1
    network: str
    decoding: Decoding
    image_height: int = Field(gt=0)
    image_width: int = Field(gt=0)
    channels: Literal[1, 3]
    resize: bool = False
    characters: tuple[str, ...]
    min_captcha: int = Field(default=0, ge=0)  # characters of the shortest label that was trained on
    max_captcha: int = Field(gt=0)
    step: int
    training_seconds: float = 0.0
    training_pictures: int
    verification_pictures: int
    verification_picture_accuracy: float
    verification_character_accuracy: float
    best_picture_accuracy: float
    best_step: int
    split_seed: int | None = None  # that told training from verification pictures
    saved_at: Annotated[str, AfterValidator(_moment)]  # in ISO 8601
    versions: dict[str, str]
    reads: Literal["float32", "quantised"] = "float32"  # the exported file that pictures are read with
    exported_picture_accuracy: dict[str, float] = {}  # of the verification set, by exported file
    files: dict[str, ModelFile] = {}

    @property
    def shape(self) -> Shape:
        """Size of the pictures that the model reads."""
        return Shape(self.image_height, self.image_width, self.channels, self.resize)

    @property
    def lengths(self) -> Lengths:
        """Fewest and most characters of a text."""
        return self.min_captcha, self.max_captcha

    @property
    def alphabet(self) -> Alphabet:
        """The characters that the model tells apart."""
        return Alphabet(self.characters)


@dataclass(frozen=True)
class Wanted:
    """What a config asks of a model, under the config's keys; None asks nothing."""

    source: str
    image_height: int | None = None
    image_width: int | None = None
    max_captcha: int | None = None
    char_set: str | None = None
    channels: int | None = None
    network: str | None = None
    resize: bool | None = None  # how pictures are read, which a model's card need not agree with


def wanted_of(config: SampleConfig) -> Wanted:
    """What a config asks of a model that it is used with."""
    return Wanted(
        source=config.name,
        image_height=config.image_height,
        image_width=config.image_width,
        max_captcha=config.max_captcha,
        char_set=str(config.alphabet),
        channels=config.channels,
        network=config.network,
        resize=config.resize,
    )


def check_fits(card: ModelCard, model_dir: Path, wanted: Wanted) -> None:
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
        raise ModelError(
            f"{display_path(model_dir / CARD)}: the model was trained with {has}, but {wanted.source} says {said}: "
            "set the config back, or name another model_save_dir and train a new model there, from this one with "
            f"--warm-start {display_path(model_dir)}"
        )


def _shown(value: object, other: object) -> str:
    """A key's value as JSON; of a long alphabet, its size and what tells it from the other one."""
    if isinstance(value, str) and isinstance(other, str) and max(len(value), len(other)) > SHOWN:
        lacking = "".join(character for character in value if character not in other)
        order = ", in another order" if sorted(value) == sorted(other) else ""
        return f"of {len(value)} characters" + (f", among them {lacking[:SHOWN]}" if lacking else order)
    return json.dumps(value, ensure_ascii=False)


def check_resumable(model_dir: Path, wanted: Wanted) -> bool:
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


def has_file(model_dir: Path, kind: str) -> bool:
    """Whether a folder holds a model whose card names a file `kind` that is there."""
    try:
        card = load_card(model_dir)
    except ModelError:
        return False
    return kind in card.files and (model_dir / card.files[kind].name).exists()


def load_card(model_dir: Path) -> ModelCard:
    """The card in a model folder. Raises ModelError when there is none or it is broken."""
    path = model_dir / CARD
    try:
        card = ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
        _ = card.alphabet
    except FileNotFoundError as error:
        raise ModelError(
            f"{display_path(model_dir)}: expected a trained model; there is no {CARD}; train one with train_model.py"
        ) from error
    except (ValidationError, ValueError, OSError, ConfigError) as error:
        raise ModelError(
            f"{display_path(path)}: expected a model card; it is broken ({_first_fault(error)}); "
            "train the model again or restore it"
        ) from error
    return card


def _first_fault(error: Exception) -> str:
    """What is wrong with a card, in a line; of a value, with its key."""
    if not isinstance(error, ValidationError):
        return str(error).splitlines()[0]
    first = error.errors()[0]
    return ": ".join([*map(str, first["loc"]), first["msg"]])


def load_model(model_dir: Path, kind: str) -> tuple[ModelCard, bytes]:
    """The card and the content of its file `kind` ("float32", "checkpoint", READING), of one and the same save.

    Raises ModelError when either is missing or broken.
    """
    for left in reversed(range(READ_TRIES)):
        card = load_card(model_dir)
        named = card.reads if kind == READING else kind
        if named not in card.files:
            raise ModelError(
                f"{display_path(model_dir / CARD)}: expected a file '{named}'; the card names {[*card.files]}"
            )
        path = model_dir / card.files[named].name
        try:
            content = path.read_bytes()
        except OSError as error:
            if left:
                continue
            raise ModelError(
                f"{display_path(path)}: the card names it, but it can't be read: {error.strerror}"
            ) from error
        if hashlib.sha256(content).hexdigest() != card.files[named].sha256:
            raise ModelError(
                f"{display_path(path)}: the content is not what the card says (SHA-256 differs); "
                "train the model again or restore it"
            )
        return card, content
    raise AssertionError("unreachable: the last try returns or raises")


def save_model(model_dir: Path, card: ModelCard, contents: Mapping[str, tuple[str, bytes]]) -> ModelCard:
    """Swap a model in: `contents` maps a kind to the suffix and the bytes of its file. Returns the card as written."""
    model_dir.mkdir(parents=True, exist_ok=True)
    files = {}
    for kind, (suffix, content) in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        files[kind] = ModelFile(name=f"{kind}-{card.step}-{digest[:8]}{suffix}", sha256=digest)
        write_whole(model_dir / files[kind].name, content)
    card = card.model_copy(update={"files": files})
    text = json.dumps(card.model_dump(), indent=2, ensure_ascii=False) + "\n"
    write_whole(model_dir / CARD, text.encode())
    _remove_others(model_dir, card)
    return card


def _remove_others(model_dir: Path, card: ModelCard) -> None:
    """Delete the files of earlier saves, and what a killed one left."""
    named = {file.name for file in card.files.values()}
    for path in model_dir.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in named:
            path.unlink(missing_ok=True)


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and the named packages, for the card."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
