"""What a model says of itself: `model_card.json`, beside the files that it names.

Files are written under names that carry their content's hash; replacing the card is what swaps a model in,
so a reader sees the old model or the new one, whole, and a killed save changes nothing.
"""

import hashlib
import json
import platform
import re
import time
from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.decoding import Decoding, Lengths
from cnnlib.codec.images import Shape
from cnnlib.config_fields import Channels
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path

CARD = "model_card.json"
KINDS = ("checkpoint", "weights", "float32", "quantised")  # of files beside the card
_OURS = re.compile(rf"\.?({'|'.join(KINDS)})-\d+-[0-9a-f]{{8}}\.(npz|tflite)(\.part)?")
READING = "reading"  # the kind of file that pictures are read with: the one that the card says
RETRY_S = 0.01  # from one try to the next
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
    channels: Channels
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
                time.sleep(RETRY_S)
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
    """Swap a model in: `contents` maps a kind to the suffix and the bytes of its file. Returns the card as written.

    Raises OSError when there is no room; the older model then stays, alone.
    """
    model_dir.mkdir(parents=True, exist_ok=True)
    _remove_unnamed(model_dir)  # what a save left that was killed
    digests = {kind: hashlib.sha256(content).hexdigest() for kind, (_, content) in contents.items()}
    files = {
        kind: ModelFile(name=f"{kind}-{card.step}-{digests[kind][:8]}{suffix}", sha256=digests[kind])
        for kind, (suffix, _) in contents.items()
    }
    card = card.model_copy(update={"files": files})
    text = json.dumps(card.model_dump(), indent=2, ensure_ascii=False) + "\n"
    try:
        for kind, (_, content) in contents.items():
            write_atomically(model_dir / files[kind].name, content)
        write_atomically(model_dir / CARD, text.encode())
    finally:
        _remove_unnamed(model_dir)
    return card


def _remove_unnamed(model_dir: Path) -> None:
    """Delete the files of other saves than the one that the card, if there is one, tells of; none if it is broken."""
    try:
        named = {file.name for file in load_card(model_dir).files.values()} if (model_dir / CARD).exists() else set()
    except ModelError:
        return
    for path in model_dir.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in named:
            path.unlink(missing_ok=True)


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and the named packages, for the card."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
