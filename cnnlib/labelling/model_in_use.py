"""The model that types in beforehand: that of the config, or the general one. A newly trained one is taken at once."""

from pathlib import Path

from cnnlib.codec.alphabet import Prediction
from cnnlib.core.errors import ModelError, SizeError
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.inference.model_card import load_card
from cnnlib.inference.recognizer import Picture, Recognizer

GENERAL = "general"


class ModelInUse:
    """The model in a folder, or the general one while there is none that can be used; a `Reader` of a labelling."""

    def __init__(self, model_dir: Path, hints: Hints = NO_HINTS) -> None:
        """`hints` are what the config says of all texts, of which any model can make use."""
        self._model_dir, self._hints, self.version = model_dir, hints, GENERAL
        self._recognizer = self._general = Recognizer.general(hints=hints)
        self.refresh()

    @property
    def trained(self) -> bool:
        """Whether it is a model of its own for these pictures, not the general one."""
        return self.version != GENERAL

    @property
    def characters(self) -> str:
        """Those that it reads, in lower case where case is ignored."""
        return self._recognizer.characters

    @property
    def lengths(self) -> tuple[int, int]:
        """The fewest and the most characters that it reads."""
        return self._recognizer.lengths

    def refresh(self) -> None:
        """Take the model that a training has put into the folder, if it is another one. A broken one is passed over."""
        try:
            card = load_card(self._model_dir)
            version = f"{card.step} {card.saved_at}"
            if version != self.version:
                self._recognizer, self.version = Recognizer(self._model_dir, hints=self._hints), version
        except ModelError:
            return

    def recognize(self, picture: Picture, hints: Hints) -> Prediction:
        """Read a picture, with the general model where it has another size than the own one takes.

        Raises SampleError.
        """
        try:
            return self._recognizer.recognize(picture, hints)
        except SizeError:
            return self._general.recognize(picture)
