"""What readings of many pictures of one kind say about all of their texts."""

import math
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

from cnnlib.codec.alphabet import Prediction
from cnnlib.inference.hints import NO_HINTS, Hints

FEWEST = 20  # readings that say something about others
KIND_SHARE = 0.1  # of the characters read, from which on digits, small letters, capitals or signs count
LENGTH_SHARE = 0.05  # of the texts read, from which on a length counts
RARE_SHARE = 0.2  # of what is usual for a character, below which it does not count
NOISE_SHARE = 0.1  # of the commonest character, below which one may be misread alone: it says nothing of what is usual
ODD_SHARE = 0.5  # of the same, from which on a character of another kind counts, such as three small letters
DEVIATIONS = 3  # by which it also has to be below that, so that chance in a few readings leaves nothing out


def guess(characters: str, readings: Sequence[Prediction]) -> Hints:
    """The characters and lengths that texts have, of a model that reads `characters`; sure readings weigh more.

    `NO_HINTS` of fewer than `FEWEST` readings.
    """
    lengths: dict[int, float] = defaultdict(float)
    weights: dict[str, float] = defaultdict(float)
    texts = [reading for reading in readings if reading.text]
    if len(texts) < FEWEST:
        return NO_HINTS
    for reading in texts:
        lengths[len(reading.text)] += reading.confidence
        for character, share in zip(reading.text, reading.character_confidences, strict=True):
            weights[character] += share * reading.confidence
    usual = [length for length, weight in lengths.items() if weight >= LENGTH_SHARE * sum(lengths.values())]
    usual = usual or [*lengths]  # of very many lengths each may be rare
    return Hints(_usual_characters(characters, weights), min(usual), max(usual))


def _usual_characters(characters: str, weights: Mapping[str, float]) -> str:
    """The characters that are not much rarer than others, and of kinds that are rare only those that are not."""
    kinds: dict[str, float] = defaultdict(float)
    for character, weight in weights.items():
        kinds[_kind(character)] += weight
    is_usual = {kind: weight >= KIND_SHARE * sum(kinds.values()) for kind, weight in kinds.items()}
    usual = median(weight for weight in weights.values() if weight >= NOISE_SHARE * max(weights.values()))
    least = min(RARE_SHARE * usual, usual - DEVIATIONS * math.sqrt(usual))
    limits = {True: least, False: ODD_SHARE * usual}
    return "".join(each for each in characters if weights.get(each, 0) >= limits[is_usual.get(_kind(each), False)])


def _kind(character: str) -> str:
    """Digits, small letters, capitals and other letters by their category in Unicode; all signs are one kind."""
    category = unicodedata.category(character)
    return category if category[0] in "LN" else "sign"
