"""What a user knows of the texts on his pictures, and how the answers of a model become text with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from numbers import Integral

import numpy as np

from cnnlib.codec.alphabet import Alphabet, Prediction
from cnnlib.codec.characters import escape_odd, fold_case, normalise
from cnnlib.codec.decoding import Decoding, Lengths
from cnnlib.core.errors import ConfigError
from cnnlib.core.printable import EXCERPT_LIMIT, excerpt
from cnnlib.evaluation.calibration import tempered

MARGINS = (0.03, 0.15)  # around the content of a picture, in its second and third view, as a share of its sides
VIEWS = 1 + len(MARGINS)  # of a picture, at most
SURE = 0.5  # confidence from which on a picture is not looked at again
TRACE = 1e-9  # of a probability that every class keeps before others are left out, so that a row is never all zeros


@dataclass(frozen=True)
class Hints:
    """What is known of the texts. None is for what is not known.

    `char_set` has the characters that they consist of. `min_captcha` and `max_captcha` are their fewest and most
    characters. With `ignore_case`, both cases of a letter are one, and texts come in lower case. With two `views`, a
    picture that is not read with a confidence of a half is read a second time, cut to its content; with three also
    inside a wide margin. The surest reading counts.
    """

    char_set: str | None = None
    min_captcha: int | None = None
    max_captcha: int | None = None
    ignore_case: bool | None = None
    views: int | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for values of other types. A sequence of characters is taken as a text."""
        if self.char_set is not None and not isinstance(self.char_set, str):
            object.__setattr__(self, "char_set", text_of(self.char_set))
        for name in ("min_captcha", "max_captcha", "views"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 0):
                raise ConfigError(f"{name}: expected a whole number; got {excerpt(repr(value))}")
        if not isinstance(self.ignore_case, bool | np.bool_ | None):
            raise ConfigError(f"ignore_case: expected True or False; got {excerpt(repr(self.ignore_case))}")

    def over(self, others: Hints) -> Hints:
        """These hints, and of `others` what they leave open."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(others, **{name: value for name, value in known.items() if value is not None})


NO_HINTS = Hints()


def text_of(char_set: str | Sequence[str]) -> str:
    """Characters as a text. Raises ConfigError when they are neither a text nor a sequence of texts."""
    try:
        return "".join(char_set)
    except TypeError as error:
        got = excerpt(repr(char_set))
        raise ConfigError(f"char_set: expected a text, or a list of characters; got {got}") from error


def check_hints(hints: object) -> None:
    """Raise TypeError when something else than hints was given for them."""
    if not isinstance(hints, Hints):
        raise TypeError(f'expected hints as Hints, such as Hints(char_set="0123"); got {excerpt(repr(hints))}')


@dataclass(frozen=True)
class Reading:
    """How answers become text: in which characters and lengths, and whether case counts."""

    alphabet: Alphabet
    decoding: Decoding
    characters: str  # those of the alphabet that may be read, in class order
    lengths: Lengths
    ignore_case: bool = False
    views: int = 1
    temperature: float = 1.0  # of the confidence of a text

    @property
    def written(self) -> str:
        """The characters that texts consist of."""
        return "".join(dict.fromkeys(map(self.fold, self.characters)))

    def narrowed(self, hints: Hints) -> Reading:
        """Only what fits the hints. Raises ConfigError, with a line for each fault, when nothing does."""
        ignore_case = self.ignore_case or bool(hints.ignore_case)
        characters, unknown = self._select(hints.char_set, fold_case if ignore_case else str)
        fewest, most = self.lengths
        at_least, at_most = hints.min_captcha or 0, most if hints.max_captcha is None else hints.max_captcha
        lengths = max(fewest, at_least), min(most, at_most)
        faults = []
        if unknown:
            faults.append(f"char_set: expected characters that the model reads; got {_listed(unknown)}")
        elif not characters:
            faults.append("char_set: expected 1 or more characters; got none")
        if not max(1, lengths[0]) <= lengths[1]:
            faults.append(
                f"min_captcha, max_captcha: expected some of the model's lengths, {fewest} to {most}; "
                f"got {at_least} to {at_most}"
            )
        if hints.views not in (None, *range(1, VIEWS + 1)):
            faults.append(f"views: expected 1 to {VIEWS}; got {hints.views}")
        if faults:
            raise ConfigError("\n".join(faults))
        views = hints.views or self.views
        return replace(self, characters=characters, lengths=lengths, ignore_case=ignore_case, views=views)

    def _select(self, char_set: str | None, fold: Callable[[str], str]) -> tuple[str, list[str]]:
        """Those of the characters that a set has, after `fold` of each, and what the set has besides, sorted."""
        if char_set is None:
            return self.characters, []
        wanted = set(normalise(char_set))
        folded, known = set(map(fold, wanted)), set(map(fold, self.characters))
        unknown = sorted(character for character in wanted if fold(character) not in known)
        return "".join(character for character in self.characters if fold(character) in folded), unknown

    def decode(self, probabilities: np.ndarray) -> Prediction:
        """The prediction in an answer, float32 (rows, classes), 0 to 1, where each row adds up to 1."""
        prediction = self.alphabet.decode(self._narrow(probabilities), self.decoding, self.lengths)
        confidence = self._tempered(prediction.confidence)
        return replace(prediction, text=self.fold(prediction.text), confidence=confidence)

    def confidence(self, probabilities: np.ndarray, label: str) -> float:
        """The confidence of a label, spelled as it is learned, in an answer: 0 to 1, as `decode` has it of the text."""
        return self._tempered(self.alphabet.confidence(self._narrow(probabilities), self.decoding, label))

    def fold(self, text: str) -> str:
        """A text, or a label, as it is read: in lower case if case is ignored."""
        return fold_case(text) if self.ignore_case else text

    def _tempered(self, confidence: float) -> float:
        return confidence if self.temperature == 1 else float(tempered(np.array(confidence), self.temperature))

    def _narrow(self, probabilities: np.ndarray) -> np.ndarray:
        """The answer without the characters that are left out, where two cases of a letter are one."""
        if not (self._left_out or self._folded):
            return probabilities
        probabilities = probabilities + TRACE
        for number, target in self._folded.items():
            probabilities[:, target] += probabilities[:, number]
        probabilities[:, [*self._left_out, *self._folded]] = 0
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    @cached_property
    def _left_out(self) -> list[int]:
        """Classes of the characters that may not be read; where case is ignored, in neither case."""
        readable = set(map(self.fold, self.characters))
        return [number for number, each in enumerate(self.alphabet.characters) if self.fold(each) not in readable]

    @cached_property
    def _folded(self) -> dict[int, int]:
        """Classes that count as others: where case is ignored, capitals as small letters."""
        numbers = {character: number for number, character in enumerate(self.alphabet.characters)}
        targets = {number: numbers.get(self.fold(each), number) for each, number in numbers.items()}
        left_out = {*self._left_out}
        return {one: other for one, other in targets.items() if one != other and one not in left_out}


def _listed(characters: Sequence[str]) -> str:
    """The first characters of some, for a message."""
    start = characters[:EXCERPT_LIMIT]
    return excerpt(" ".join("' '" if character == " " else escape_odd(character) for character in start))
