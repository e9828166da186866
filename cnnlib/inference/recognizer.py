"""Pictures to text with an exported model, on LiteRT: no TensorFlow is imported."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from cnnlib.codec.alphabet import Reading
from cnnlib.codec.images import open_picture, read_picture, to_array, upright
from cnnlib.core.errors import ModelError, SizeError, about
from cnnlib.core.parallel import on_all_cores
from cnnlib.core.paths import display_path
from cnnlib.inference.compatibility import Wanted, check_fits
from cnnlib.inference.litert import LiteRT
from cnnlib.inference.model_card import READING, load_model

Picture = bytes | Image.Image | np.ndarray  # encoded, opened, or uint8 (height, width, channels)


class Recognizer:
    """Reads pictures with one model; safe to share between threads, and to have beside others.

    `Recognizer(model_dir)` takes everything from the model's card. The original's form
    `Recognizer(image_height, image_width, max_captcha, char_set, model_save_dir)` checks its values against it.
    Characters of the model's that a config or call leaves out are not read.
    Raises ModelError when there is no model, it is broken, or the values disagree with it.
    """

    def __init__(self, *arguments: str | Path | int | Sequence[str], wanted: Wanted | None = None) -> None:
        if len(arguments) == 5:
            height, width, length, characters, model_dir = arguments
            wanted = Wanted("the call of Recognizer", height, width, length, "".join(characters))  # type: ignore[arg-type]
        elif len(arguments) == 1:
            model_dir = arguments[0]
        else:
            raise TypeError(
                "Recognizer() expects (model_dir), or "
                "(image_height, image_width, max_captcha, char_set, model_save_dir); "
                f"got {len(arguments)} arguments"
            )
        self.model_dir = Path(str(model_dir))
        self.card, content = load_model(self.model_dir, READING)
        resize = self.card.resize if wanted is None or wanted.resize is None else wanted.resize
        self._shape = replace(self.card.shape, resize=resize)
        self._alphabet = self.card.alphabet
        try:
            self._model = LiteRT(content)
            self._check_model()
        except ModelError as error:
            raise ModelError(f"{display_path(self.model_dir)}: {error}") from error
        allowed = set((wanted.char_set if wanted else None) or self.card.characters)
        kept = [character in allowed for character in self.card.characters] + [True]
        self._kept = None if all(kept) else np.array(kept, np.float32)
        if wanted:
            fewer = allowed <= set(self.card.characters)  # then the others are just never read
            check_fits(self.card, self.model_dir, replace(wanted, char_set=None) if fewer else wanted)

    @property
    def characters(self) -> str:
        """Those that are read: the model's, or as many of them as the config or call has."""
        kept = self._kept if self._kept is not None else itertools.repeat(True)
        return "".join(itertools.compress(self.card.characters, kept))

    @property
    def resizes(self) -> bool:
        """Whether pictures of another size than the model's are resized, not refused."""
        return self._shape.resize

    def recognize(self, pictures: Sequence[Picture]) -> list[Reading]:
        """Readings in the order of the pictures: encoded bytes, Pillow pictures or uint8 (height, width, channels).

        Several are read on all cores. Raises SampleError when one can't be opened, SizeError when it has another size
        than the model's and neither the config nor the model's card says `resize` (an array is never resized).
        """
        if len(pictures) == 1:
            return [self._recognize(pictures[0])]
        return [*on_all_cores(self._recognize, pictures)]

    def recognize_file(self, path: Path) -> Reading:
        """The reading of a picture file. Raises SampleError naming it when it can't be opened or used."""
        with about(display_path(path)):
            return self.recognize([read_picture(path)])[0]

    def rec_image(self, img: Picture) -> str:
        """The text of one picture (the original's method)."""
        return self.recognize([img])[0].text

    def _recognize(self, picture: Picture) -> Reading:
        return self._read(self._array(picture))

    def _check_model(self) -> None:
        """Raise ModelError where the card tells of another model than the file beside it."""
        shape, told = self._shape, (*self._model.input_shape, self._model.classes)
        expected = (shape.height, shape.width, shape.channels, self._alphabet.classes)
        if told != expected:
            raise ModelError(
                f"the card's height, width, channels and classes are {expected}, its model's {told}; export it again "
                "with train_model.py --export-only"
            )

    def _array(self, picture: Picture) -> np.ndarray:
        shape = self._shape
        if isinstance(picture, bytes | bytearray | memoryview):
            return open_picture(bytes(picture), shape)
        array = to_array(upright(picture), shape) if isinstance(picture, Image.Image) else np.asarray(picture)
        expected = (shape.height, shape.width, shape.channels)
        if array.dtype != np.uint8 or array.shape != expected:
            raise SizeError(f"expected a picture of uint8 {expected}; got {array.dtype} {array.shape}")
        return array

    def _read(self, array: np.ndarray) -> Reading:
        probabilities = self._model.probabilities(array)
        if self._kept is not None:
            probabilities = (probabilities + 1e-9) * self._kept  # so that something is left of every row
            probabilities /= probabilities.sum(axis=1, keepdims=True)
        return self._alphabet.decode(probabilities, self.card.decoding, self.card.lengths)
