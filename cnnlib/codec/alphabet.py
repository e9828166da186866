"""Characters to class numbers and back; answers of a network to text.

Class `i` is the alphabet's character `i`; one class more, the last, is the blank: a position
without a character, or a column of a CTC head (Graves et al. 2006) between two characters.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnlib.codec.characters import alphabet_faults
from cnnlib.codec.decoding import DECODERS, Decoding, Lengths
from cnnlib.core.errors import ConfigError, SampleError


@dataclass(frozen=True)
class Prediction:
    """What was read: one confidence, 0 to 1, a character, and one for the whole text."""

    text: str
    confidence: float
    character_confidences: tuple[float, ...]


@dataclass(frozen=True)
class Alphabet:
    """The characters that a model tells apart, in class order, each once."""

    characters: tuple[str, ...]

    def __post_init__(self) -> None:
        faults = alphabet_faults(self.characters)
        if faults:
            raise ConfigError("; ".join(faults))

    def __str__(self) -> str:
        return "".join(self.characters)

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def blank(self) -> int:
        """Class number of the blank, the last one."""
        return len(self.characters)

    @property
    def classes(self) -> int:
        """Number of classes, the blank among them."""
        return len(self.characters) + 1

    @cached_property
    def _class_of(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.characters)}

    def unknown_in(self, label: str) -> list[str]:
        """The characters of `label` that the alphabet lacks, in order, each once."""
        return [character for character in dict.fromkeys(label) if character not in self._class_of]

    def faults_in(self, label: str, length: int) -> Iterator[str]:
        """Why `encode` refuses a label, a sentence each."""
        unknown = self.unknown_in(label)
        if unknown:
            yield f"not in the alphabet: {' '.join(unknown)}"
        if len(label) > length:
            yield f"expected at most {length} characters (max_captcha); got {len(label)}"

    def encode(self, label: str, length: int) -> np.ndarray:
        """Class numbers of a label, int32 (length,), filled up with the blank.

        Raises SampleError when the label is longer than `length` or holds an unknown character.
        """
        fault = next(self.faults_in(label, length), None)
        if fault:
            raise SampleError(f"label '{label}': {fault}")
        numbers = np.full(length, self.blank, np.int32)
        numbers[: len(label)] = [self._class_of[character] for character in label]
        return numbers

    def text(self, numbers: np.ndarray) -> str:
        """The label that `encode` turned into `numbers`."""
        return "".join(self.characters[number] for number in numbers if number != self.blank)

    def decode(self, probabilities: np.ndarray, decoding: Decoding, lengths: Lengths) -> Prediction:
        """Text of one answer, float32 (positions or columns, classes), each row adding up to 1.

        `lengths` are the fewest and most characters that it can have. A character's confidence is the highest
        probability among its rows; that of the text is not raised by knowing how long it must be.
        """
        decoder = DECODERS[decoding]
        path = decoder.path(probabilities, lengths)
        rows = decoder.rows(path, self.blank)
        numbers = [path[row[0]] for row in rows]
        return Prediction(
            "".join([self.characters[number] for number in numbers]),
            decoder.confidence(probabilities, numbers, self.blank),
            tuple([max([probabilities.item(at, path[at]) for at in row]) for row in rows]),  # faster than an array's
        )

    def confidence(self, probabilities: np.ndarray, decoding: Decoding, label: str) -> float:
        """How probable `label` is by one answer, as `decode` tells it of the text that is read."""
        return DECODERS[decoding].confidence(probabilities, [self._class_of[one] for one in label], self.blank)
