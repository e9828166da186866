"""Pictures to text with an exported model, on LiteRT: no TensorFlow is imported."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any, overload

import numpy as np
from PIL import Image

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.decoding import Lengths
from cnnlib.codec.images import copy_upright, decode_picture, frame_content, is_address, read_picture, to_array
from cnnlib.core.errors import ModelError, SampleError, SizeError, prefix_errors
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import GENERAL_MODEL, display_path
from cnnlib.core.printable import excerpt
from cnnlib.evaluation.calibration import PROMISES, texts_needed
from cnnlib.inference.compatibility import Requirements, everything, narrow
from cnnlib.inference.guessed_hints import guess
from cnnlib.inference.hints import MARGINS, NO_HINTS, SURE, VIEWS, Hints, Reading, check_hints, text_of
from cnnlib.inference.litert import LiteRT
from cnnlib.inference.model_card import READING, ModelCard, load_model

Picture = str | Path | bytes | bytearray | memoryview | IO[bytes] | Image.Image | np.ndarray
ONE = (str, Path, bytes, bytearray, memoryview, io.IOBase, Image.Image)  # types of one picture, arrays apart
ORIGINAL = ("image_height", "image_width", "max_captcha", "char_set", "model_save_dir")  # the original's arguments
TOLERANCE = 0.01  # of the sum of probabilities
CHANNELS = (1, 3, 4)  # of an array: grey, RGB, RGBA
BASE64 = re.compile(r"\s*(data:|(iVBORw0KGgo|/9j/|R0lGOD|Qk|UklGR)[A-Za-z0-9+/_=\s-]{60})")  # of a picture, its start


class Recognizer:
    """Reads pictures with one model. Threads may share it, and several may live side by side.

    `Recognizer(model_dir)` takes everything from the model's card. The original's form
    `Recognizer(image_height, image_width, max_captcha, char_set, model_save_dir)` checks its values against the card.
    Characters and lengths that the config, the call or the `hints` leave out are not read.
    Raises ModelError when there is no model, it is broken, or the values or hints disagree with it, and TypeError for
    arguments of other types.
    """

    @overload
    def __init__(
        self, model_dir: str | Path, *, requirements: Requirements | None = None, hints: Hints = NO_HINTS
    ) -> None: ...

    @overload
    def __init__(
        self,
        image_height: int,
        image_width: int,
        max_captcha: int,
        char_set: str | Sequence[str],
        model_save_dir: str | Path,
    ) -> None: ...

    def __init__(
        self, *arguments: Any, requirements: Requirements | None = None, hints: Hints = NO_HINTS, **named: Any
    ) -> None:
        values = _named_arguments(arguments, named)
        check_hints(hints)
        self.model_dir = _model_folder(values.pop("model_dir" if "model_dir" in values else "model_save_dir"))
        if values:
            values["char_set"] = text_of(values["char_set"])
            requirements = Requirements("the call of Recognizer", **values)
        self.card, content = load_model(self.model_dir, READING)
        resize = self.card.resize if requirements is None or requirements.resize is None else requirements.resize
        self._shape = replace(self.card.shape, resize=resize)
        try:
            self._model = LiteRT(content)
            self._check_model()
            self._try_out()
        except ModelError as error:
            raise ModelError(f"{display_path(self.model_dir)}: {error}") from error
        self._reading = narrow(self.card, self.model_dir, requirements or Requirements("the call of Recognizer"), hints)

    @classmethod
    def general(cls, char_set: str | Sequence[str] | None = None, hints: Hints = NO_HINTS) -> Recognizer:
        """The general model that comes with the suite; with `char_set` or `hints`, it reads only what fits them.

        It looks at what it can't read surely in three views, unless the hints say otherwise.
        Raises ModelError when the model reads nothing that does.
        """
        check_hints(hints)
        known = NO_HINTS if char_set is None else Hints(char_set=text_of(char_set))
        wanted = Requirements("Recognizer.general", hints=known)
        return cls(GENERAL_MODEL, requirements=wanted, hints=hints.over(Hints(views=VIEWS)))

    @property
    def characters(self) -> str:
        """The characters of texts: the model's, or those of them that the config or call has.

        Where case is ignored, letters are in lower case.
        """
        return self._reading.written

    @property
    def lengths(self) -> Lengths:
        """Fewest and most characters of the texts that are read."""
        return self._reading.lengths

    def threshold(self, min_confidence: float | str) -> float:
        """The least confidence, 0 to 1, that is meant by a number, or by a share of right texts such as "99%".

        Raises ModelError when the card does not have that share, because the model was verified on too few pictures or
        is an older one.
        """
        if not isinstance(min_confidence, str):
            return min_confidence
        if min_confidence not in self.card.min_confidence:
            known, got = excerpt(", ".join(self.card.min_confidence)) or "none", excerpt(min_confidence)
            raise ModelError(
                f"min_confidence: expected a number from 0 to 1, or a share that the model's card promises, {known}; "
                f"got {got}; {_instead_of_promise(self.card, min_confidence)}"
            )
        return self.card.min_confidence[min_confidence]

    @property
    def resizes(self) -> bool:
        """Whether pictures of another size than the model's are resized; else they are refused."""
        return self._shape.resize

    @overload
    def recognize(self, pictures: Picture, hints: Hints = NO_HINTS) -> Prediction: ...  # type: ignore[overload-overlap]  # a text is iterable

    @overload
    def recognize(self, pictures: Iterable[Picture], hints: Hints = NO_HINTS) -> list[Prediction]: ...

    def recognize(self, pictures: Any, hints: Hints = NO_HINTS) -> Prediction | list[Prediction]:
        """Read one picture, or several on all cores; several give a list in their order.

        The `hints` narrow further what the recognizer reads.

        A picture is a path, its encoded bytes, an open binary file, a Pillow picture, or an array: uint8
        (height, width) or (height, width, channels), 0 to 255, with 1 (grey), 3 (RGB) or 4 (RGBA) channels.
        An array of four axes is several pictures: grey ones need a last axis of 1.
        Raises SampleError when a picture can't be opened, and SizeError, one of its kinds, when its size is not the
        model's and neither the config nor the model's card says `resize`. Raises ConfigError when it reads nothing that
        fits the hints, and TypeError for what is no picture or no hints.
        """
        check_hints(hints)
        read = partial(self._recognize, reading=self._reading if hints == NO_HINTS else self._reading.narrowed(hints))
        if _is_one(pictures):
            return read(pictures)
        if not isinstance(pictures, Iterable):
            raise TypeError(
                f"expected a picture, as a path, bytes, a file, Pillow's or an array; got {_shown(pictures)}"
            )
        several = list(pictures)
        return [read(several[0])] if len(several) == 1 else [*on_all_cores(read, several)]

    def guess_hints(self, pictures: Iterable[Picture]) -> Hints:
        """What readings of pictures of one kind say about all of their texts: their characters and lengths.

        Some hundred pictures do, and `NO_HINTS` comes back for fewer than 20. Those that can't be opened are passed
        over. Given to `recognize`, the hints read more of such pictures right.
        Raises TypeError for one picture, and for what can't be gone through.
        """
        if _is_one(pictures) or not isinstance(pictures, Iterable):
            raise TypeError(f"expected several pictures, such as a list of paths; got {_shown(pictures)}")

        def read(picture: Picture) -> Prediction | None:
            try:
                return self._recognize(picture, self._reading)
            except SampleError:
                return None

        return guess(self.characters, [*filter(None, on_all_cores(read, list(pictures)))])

    def recognize_file(self, path: Path | str) -> Prediction:
        """The prediction for a picture file. Raises SampleError naming it when it can't be opened or used."""
        return self.recognize(path)

    def rec_image(self, img: Picture) -> str:
        """The text of one picture (the original's method)."""
        return self.recognize(img).text

    def _recognize(self, picture: Picture, reading: Reading) -> Prediction:
        if isinstance(picture, str | Path):
            data = _read_file(picture)
            with prefix_errors(display_path(Path(picture))):
                return self._read(decode_picture(data), reading)
        return self._read(_open(picture), reading)

    def _read(self, picture: Image.Image | np.ndarray, reading: Reading) -> Prediction:
        """The prediction, the surest of the views that the reading takes. There are no more once one is sure."""
        best = self._predict(self._array(picture), reading)
        if best.confidence >= SURE or reading.views == 1:
            return best
        for view in frame_content(_as_pillow(picture), self._shape, MARGINS[: reading.views - 1]):
            best = max(best, self._predict(view, reading), key=lambda each: each.confidence)
            if best.confidence >= SURE:
                break
        return best

    def _array(self, picture: Image.Image | np.ndarray) -> np.ndarray:
        """The picture as uint8 (height, width, channels), as the model takes it."""
        expected = (self._shape.height, self._shape.width, self._shape.channels)
        if isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.shape == expected:
            return picture
        return to_array(_as_pillow(picture), self._shape)

    def _predict(self, array: np.ndarray, reading: Reading) -> Prediction:
        return reading.decode(self._model.probabilities(array))

    def _check_model(self) -> None:
        """Raise ModelError when the card describes another model than the file beside it."""
        shape, found = self._shape, (*self._model.input_shape, self._model.classes)
        expected = (shape.height, shape.width, shape.channels, self.card.alphabet.classes)
        if found != expected:
            raise ModelError(
                f"the card's height, width, channels and classes are {expected}, its model's {found}; export it again "
                "with train_model.py --export-only"
            )

        if self._model.rows < self.card.max_captcha:
            raise ModelError(
                f"the card's max_captcha is {self.card.max_captcha}, its model has {self._model.rows} rows"
            )

    def _try_out(self) -> None:
        """Read a picture of greys. Raises ModelError when the answer is none, so that such a model is never used."""
        shape = self._shape
        greys = np.linspace(0, 255, shape.height * shape.width * shape.channels, dtype=np.uint8)
        try:
            probabilities = self._model.probabilities(greys.reshape(shape.height, shape.width, shape.channels))
            if not (
                probabilities.min() >= 0 and np.abs(probabilities.sum(axis=1) - 1).max() < TOLERANCE
            ):  # NaN is neither
                raise ModelError("expected probabilities that add up to 1 in each row of an answer; got others")
            everything(self.card).decode(probabilities)
        except (ArithmeticError, LookupError, RuntimeError, ValueError) as error:
            raise ModelError(f"the model can't read a picture: {error}") from error


def _is_one(pictures: Any) -> bool:
    """Whether this is one picture, and not several."""
    is_one_array = isinstance(pictures, np.ndarray) and pictures.ndim < 4
    return is_one_array or isinstance(pictures, ONE) or hasattr(pictures, "read")


def _named_arguments(arguments: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `Recognizer` by name. Raises TypeError when they are of neither form."""
    names = ORIGINAL if len(arguments) + len(named) > 1 else ("model_dir",)
    if [*named] == ["model_save_dir"]:
        named = {"model_dir": named["model_save_dir"]}
    values = {**dict(zip(names, arguments, strict=False)), **named}
    if len(values) != len(arguments) + len(named) or set(values) != set(names):
        given = ", ".join([*map(repr, arguments), *(f"{name}=..." for name in named)])
        raise TypeError(f"Recognizer() expects (model_dir), or ({', '.join(ORIGINAL)}); got ({given})")
    return values


def _instead_of_promise(card: ModelCard, share: str) -> str:
    """Why a card does not promise a share of right texts, and what to do."""
    if "min_confidence" not in card.model_fields_set:
        return "the card is an older one; train_model.py --export-only adds the shares; or give a number from 0 to 1"
    if share not in PROMISES:
        return "give a number from 0 to 1"
    verified, needed = card.verification_pictures, texts_needed(PROMISES[share])
    if verified < needed:
        return f"the model was verified on {verified} pictures, and {share} takes {needed}; give a number from 0 to 1"
    return f"on its {verified} verification pictures the model was never that sure; give a number from 0 to 1"


def _model_folder(folder: Any) -> Path:
    """The folder of a model. Raises TypeError for what is no path, and ModelError for a file."""
    if not isinstance(folder, str | os.PathLike) or not str(folder):
        raise TypeError(f"expected the folder of a model, as a text or a Path; got {_shown(folder)}")
    path = Path(folder)
    if path.is_file():
        way_out = "; a config names the folder in model_save_dir" if path.suffix == ".json" else ""
        raise ModelError(f"{display_path(path)}: expected the folder of a model; got a file{way_out}")
    return path


def _read_file(place: str | Path) -> bytes:
    """The bytes of a picture file. Raises SampleError that names it, also for a text that is no path."""
    if is_address(str(place).encode(errors="replace")):
        raise _no_path(place, "an address; fetch it first, such as with requests.get(address).content")
    if isinstance(place, str) and BASE64.match(place):
        raise _no_path(place, "base64; decode it first with base64.b64decode(text)")
    try:
        with prefix_errors(display_path(Path(place))):
            return read_picture(Path(place))
    except (OSError, ValueError) as error:  # too long a text, or one with a NUL
        raise _no_path(place, "another text") from error


def _no_path(place: str | Path, got: str) -> SampleError:
    return SampleError(f"{excerpt(place, 40)}: expected the path of a picture, or its bytes; got {got}")


def _open(picture: Any) -> Image.Image | np.ndarray:
    """A Pillow picture, or an array. Raises SampleError when it can't be opened, TypeError for other things."""
    if isinstance(picture, io.TextIOBase):
        raise SampleError("expected a file that is opened in binary mode; got one in text mode")
    if hasattr(picture, "read"):
        picture = picture.read()
    if isinstance(picture, bytes | bytearray | memoryview):
        return decode_picture(bytes(picture))
    if isinstance(picture, Image.Image):
        return copy_upright(picture)
    if not isinstance(picture, np.ndarray):
        raise TypeError(f"expected a path, bytes, an open file, a Pillow picture or an array; got {_shown(picture)}")
    return picture


def _shown(value: object) -> str:
    return excerpt(repr(value))


def _as_pillow(picture: Image.Image | np.ndarray) -> Image.Image:
    return picture if isinstance(picture, Image.Image) else _from_array(picture)


def _from_array(array: np.ndarray) -> Image.Image:
    """A Pillow picture of an array. Raises SizeError when it is none that `recognize` takes."""
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in CHANNELS or 0 in pixels.shape:
        raise SizeError(
            "expected an array of uint8 (height, width) or (height, width, channels) with 1, 3 or 4 channels; "
            f"got {array.dtype} {array.shape}"
        )
    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else np.ascontiguousarray(pixels))
