"""The card of a model, `model_card.json`, and the files that it names.

The name of each file contains the hash of its content. Replacing the card replaces the model, so a reader sees the
whole old model or the whole new one. A killed save changes nothing.
"""

import hashlib
import json
import os
import platform
import re
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import Timeout
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.decoding import Decoding, Lengths
from cnnlib.codec.images import Shape
from cnnlib.config_fields import Channels, Length, Pixels, Share
from cnnlib.core.errors import ConfigError, ModelError, naming_file
from cnnlib.core.files import check_place, make_folder, optional_removal, take_lock, write_atomically
from cnnlib.core.paths import display_path
from cnnlib.core.printable import excerpt, printable

CARD = "model_card.json"
FORMAT: Literal[1] = 1  # of a card; a change that older versions would misread makes it 2
KINDS = ("checkpoint", "weights", "float32", "quantised")  # of the files beside the card
_MODEL_FILE = re.compile(rf"\.?({'|'.join(KINDS)})-\d+-[0-9a-f]{{8}}\.(npz|tflite)(\.part)?")
_TENSORFLOW_FILE = re.compile(r"checkpoint|.*\.meta|.*\.index|.*\.data-\d{5}-of-\d{5}", re.DOTALL)
READING = "reading"  # stands for the kind that the card's `reads` names
READ_TRIES = 10  # a training that saves can delete a file between the reading of the card and of the file
RETRY_PAUSE_S = 0.01
REMEDY = "restore the file from a copy, or train anew: name another model_save_dir, or delete this folder"
CARD_LIMIT_BYTES = 2**22
FILE_LIMIT_BYTES = 2**32  # a LiteRT file has at most half of it
_NAME = re.compile(r"(?![.])[A-Za-z0-9._-]{1,200}")  # of a file beside the card


def _plain_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(f"expected the name of a file beside the card; got {text[:100]!a}")
    return text


class ModelFile(BaseModel):
    """A file beside the card, with the SHA-256 of its content in hexadecimal."""

    model_config = ConfigDict(frozen=True)
    name: Annotated[str, AfterValidator(_plain_name)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _iso_time(text: str) -> str:
    try:
        datetime.fromisoformat(text).timestamp()
    except OverflowError as error:
        raise ValueError(str(error)) from error
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"expected a text of one line; got {text[:100]!a}")
    return text


Kind = Literal["checkpoint", "weights", "float32", "quantised"]
Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Whole = Annotated[int, Field(ge=0, lt=2**53)]  # what JSON and the metrics hold exactly


class ModelCard(BaseModel):
    """What reading with a model needs, and how the model was trained."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)
    format: Literal[1] = FORMAT
    network: Line
    decoding: Decoding
    image_height: Pixels
    image_width: Pixels
    channels: Channels
    resize: bool = False
    characters: tuple[str, ...]
    min_captcha: int = Field(default=0, ge=0)  # length of the shortest training label
    max_captcha: Length
    step: Whole
    training_seconds: float = Field(default=0.0, ge=0)
    training_pictures: Whole
    verification_pictures: Whole
    verification_picture_accuracy: Share
    verification_character_accuracy: Share
    best_picture_accuracy: Share
    best_step: Whole
    split_seed: int | None = None  # of the split into training and verification pictures
    saved_at: Annotated[str, Field(max_length=40), AfterValidator(_iso_time)]  # ISO 8601
    versions: dict[Line, Line]
    reads: Literal["float32", "quantised"] = "float32"  # the file for reading
    exported_picture_accuracy: dict[str, Share] = {}  # on the verification set, by the kind of file
    temperature: float = Field(default=1.0, ge=0.1, le=100)  # by which the log-odds of a confidence are divided
    min_confidence: dict[Line, Share] = {}  # from which on a share of the texts is right, by that share, such as 99%
    files: dict[Kind, ModelFile] = {}

    @model_validator(mode="after")
    def _check_as_a_whole(self) -> "ModelCard":
        if self.min_captcha > self.max_captcha:
            raise ValueError(f"min_captcha {self.min_captcha} is more than max_captcha {self.max_captcha}")
        names = [file.name for file in self.files.values()]
        if len({*names}) < len(names):
            raise ValueError("files: two kinds have the same name")
        return self

    @property
    def shape(self) -> Shape:
        """Size of the pictures that the model reads."""
        return Shape(self.image_height, self.image_width, self.channels, self.resize)

    @property
    def lengths(self) -> Lengths:
        """Smallest and largest number of characters in a text."""
        return self.min_captcha, self.max_captcha

    @property
    def alphabet(self) -> Alphabet:
        """The characters that the model can read."""
        return Alphabet(self.characters)


@contextmanager
def held(model_dir: Path) -> Iterator[None]:
    """Hold a model folder for one training, or for one copy of a model into it; it is made if missing.

    Raises ModelError when another training holds it, OSError when it can't be written.
    """
    make_folder(model_dir)
    try:
        with take_lock(model_dir / ".lock", 0):
            yield
    except Timeout as error:
        raise ModelError(f"{display_path(model_dir)}: another training is using this folder") from error


def has_file(model_dir: Path, kind: str) -> bool:
    """Whether the folder holds a model with a file of this kind."""
    try:
        card = load_card(model_dir)
    except ModelError:
        return False
    return kind in card.files and (model_dir / card.files[kind].name).exists()


def load_card(model_dir: Path) -> ModelCard:
    """The card in a model folder. Raises ModelError when it is missing, can't be read, is newer or broken."""
    path = model_dir / CARD
    try:
        content = json.loads(_read_inside(path, CARD_LIMIT_BYTES).decode("utf-8"))
        _check_format(path, content)
        card = ModelCard.model_validate(content)
        _ = card.alphabet
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ModelError(_instead_of_model(model_dir)) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except (ValidationError, ValueError, RecursionError, ConfigError) as error:
        raise ModelError(
            f"{display_path(path)}: expected a model card; got a broken one ({_first_fault(error)}); {REMEDY}"
        ) from error
    return card


def _check_format(path: Path, content: Any) -> None:
    """Raise ModelError when a card is of a newer version, which may mean anything by its keys."""
    number = content.get("format") if isinstance(content, dict) else None
    if isinstance(number, int) and number > FORMAT:
        raise ModelError(
            f"{display_path(path)}: expected a model of format {FORMAT}; got one of format {number}, which a newer "
            "version of this program has written; update the program, or name another model_save_dir"
        )


def _unreadable(path: Path, error: OSError) -> ModelError:
    """The error for a file of a model that is there, or should be, and can't be read."""
    denied = "give the user that runs this the right to read it"
    remedy = denied if isinstance(error, PermissionError) else REMEDY
    return ModelError(f"{display_path(path)}: a file of the model can't be read: {error.strerror}; {remedy}")


def older_checkpoint(model_dir: Path) -> str:
    """The name of a file of a TensorFlow checkpoint in a folder, as the original suite saved them, or nothing."""
    with suppress(OSError):  # such as a missing folder
        names = sorted(path.name for path in model_dir.iterdir())
        return next((name for name in names if _TENSORFLOW_FILE.fullmatch(name)), "")
    return ""


def _instead_of_model(model_dir: Path) -> str:
    """What is in the place of a model's folder, or what a folder without a card holds, and how to get a model."""
    expected = f"{display_path(model_dir)}: expected a trained model"
    try:
        check_place(model_dir)
    except NotADirectoryError as error:
        return f"{display_path(Path(error.filename))}: {error.strerror}; a model is a folder with {CARD} in it"
    older = older_checkpoint(model_dir)
    if older:
        return (
            f"{expected}; got a checkpoint of the original suite ({printable(older)}), which can't be read; "
            "train_model.py trains on the pictures in train_image_dir anew, in minutes"
        )
    remedy = "train one with train_model.py, or use the general one: conf/general_config.json"
    return f"{expected}; there is no {CARD}; {remedy}"


def _first_fault(error: Exception) -> str:
    """The first fault of a card in one line, with the key of a faulty value."""
    if not isinstance(error, ValidationError):
        return excerpt((str(error).splitlines() or [type(error).__name__])[0])
    first = error.errors()[0]
    return excerpt(": ".join([*map(str, first["loc"]), first["msg"]]))


def load_model(model_dir: Path, kind: str) -> tuple[ModelCard, bytes]:
    """The card and the content of its file of this kind, one of `KINDS` or READING, both from one save.

    Raises ModelError when either is missing or broken.
    """
    for _ in range(READ_TRIES - 1):
        with suppress(OSError):
            return _read_model(model_dir, kind)
        time.sleep(RETRY_PAUSE_S)
    try:
        return _read_model(model_dir, kind)
    except OSError as error:
        raise _unreadable(Path(error.filename), error) from error


def _read_model(model_dir: Path, kind: str) -> tuple[ModelCard, bytes]:
    """As `load_model`, in one try. Raises OSError when the file can't be read."""
    card = load_card(model_dir)
    file_kind = card.reads if kind == READING else kind
    if file_kind not in card.files:
        raise ModelError(
            f"{display_path(model_dir / CARD)}: expected a file of the kind '{file_kind}'; "
            f"got {printable(', '.join(card.files)) or 'none'}"
        )
    file = card.files[file_kind]
    path = model_dir / file.name
    with naming_file(path):
        content = _read_inside(path, FILE_LIMIT_BYTES)
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ModelError(
            f"{display_path(path)}: expected the SHA-256 in the model card; got another one, so the file is damaged; "
            f"{REMEDY}"
        )
    return card, content


def _read_inside(path: Path, limit_bytes: int) -> bytes:
    """The content of a file of a model folder. A link inside the folder is followed, one that leaves it is not.

    Raises OSError when it can't be read, and ModelError when it is no file of the folder, or larger than the limit.
    """
    folder, target = (
        Path(os.path.realpath(one)) for one in (path.parent, path)
    )  # Path.resolve raises for a link to itself
    if not target.is_relative_to(folder):
        raise ModelError(
            f"{display_path(path)}: expected a file of this folder; got a link out of it; copy the file in"
        )
    with open(target, "rb", opener=_open_without_waiting) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device may never end
            raise ModelError(f"{display_path(path)}: expected a file; got a folder, a pipe or a device")
        if status.st_size > limit_bytes:
            raise ModelError(f"{display_path(path)}: expected at most {limit_bytes} bytes; got {status.st_size}")
        return file.read()


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def save_model(model_dir: Path, card: ModelCard, contents: Mapping[str, tuple[str, bytes]]) -> ModelCard:
    """Replace the model in a folder, and return its card as written. The old model's files are deleted.

    `contents` maps each kind of file to its suffix and its bytes.
    Raises OSError, for example when the disk is full. Then the old model stays as it was.
    """
    make_folder(model_dir)
    _remove_unnamed(model_dir)  # files of a killed save
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
    """Delete the model files that the card does not name. A broken card leaves all files in place."""
    try:
        names = {file.name for file in load_card(model_dir).files.values()} if (model_dir / CARD).exists() else set()
    except ModelError:
        return
    for path in model_dir.iterdir():
        if _MODEL_FILE.fullmatch(path.name) and path.name not in names:
            with optional_removal(path):  # the next save tries again
                path.unlink()


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python and of these packages, for the card."""
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
