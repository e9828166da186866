"""Convert characters to class numbers and back, and a network's answers to text.

Class `i` is character `i` of the alphabet. The last class is the blank: a position without a character,
or a column between two characters in a CTC head (Graves et al. 2006).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cnnlib.codec.characters import alphabet_faults, escape_odd
from cnnlib.codec.decoding import DECODERS, Decoding, Lengths
from cnnlib.core.errors import ConfigError, SampleError


@dataclass(frozen=True)
class Prediction:
    """The text that was read, with the confidence of the text and of each character, 0 to 1."""

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
        """Class number of the blank, the last class."""
        return len(self.characters)

    @property
    def classes(self) -> int:
        """Number of classes, including the blank."""
        return len(self.characters) + 1

    @cached_property
    def _class_of(self) -> dict[str, int]:
        return {character: number for number, character in enumerate(self.characters)}

    def unknown_in(self, label: str) -> list[str]:
        """The characters of `label` that the alphabet lacks, in order, each once."""
        return [character for character in dict.fromkeys(label) if character not in self._class_of]

    def faults_in(self, label: str, length: int) -> Iterator[str]:
        """Why `encode` refuses a label, one sentence for each reason."""
        unknown = self.unknown_in(label)
        if unknown:
            shown = (repr(character) if character == " " else escape_odd(character) for character in unknown)
            yield f"not in the alphabet: {' '.join(shown)}"
        if len(label) > length:
            yield f"expected at most {length} characters (max_captcha); got {len(label)}"

    def encode(self, label: str, length: int) -> np.ndarray:
        """Class numbers of a label, int32 (length,), padded with the blank.

        Raises SampleError when the label is longer than `length` or has an unknown character.
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
        """The prediction in one answer, float32 (positions or columns, classes), 0 to 1, where each row adds up to 1.

        Only texts with one of the `lengths` are considered. A character's confidence is its highest probability in
        any of its rows. The confidence of the text compares it with texts of all lengths.
        """
        decoder = DECODERS[decoding]
        path = decoder.path(probabilities, lengths)
        groups = decoder.rows(path, self.blank)
        numbers = [path[rows[0]] for rows in groups]
        return Prediction(
            "".join([self.characters[number] for number in numbers]),
            decoder.confidence(probabilities, numbers, self.blank),
            tuple([max([probabilities.item(row, path[row]) for row in rows]) for rows in groups]),  # faster than NumPy
        )

    def confidence(self, probabilities: np.ndarray, decoding: Decoding, label: str) -> float:
        """The confidence of `label` in one answer, 0 to 1, computed as `decode` does for the text."""
        numbers = [self._class_of[character] for character in label]
        return DECODERS[decoding].confidence(probabilities, numbers, self.blank)
