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
DEVIATIONS = 3  # by which it also has to be below that, so that chance in a few readings leaves nothing out


def guess(characters: str, readings: Sequence[Prediction]) -> Hints:
    """The characters and lengths that texts have, of a model that reads `characters`; sure readings weigh more.

    `NO_HINTS` of fewer than `FEWEST` readings. Kinds of characters are told apart first, such as digits and capitals,
    then those that are rare beside others.
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
    return Hints(_without_rare(_of_usual_kinds(characters, weights), weights), min(usual), max(usual))


def _of_usual_kinds(characters: str, weights: Mapping[str, float]) -> str:
    """The characters of those kinds that make up more than a few of what was read."""
    kinds: dict[str, float] = defaultdict(float)
    for character, weight in weights.items():
        kinds[_kind(character)] += weight
    return "".join(each for each in characters if kinds[_kind(each)] >= KIND_SHARE * sum(kinds.values()))


def _kind(character: str) -> str:
    """Digits, small letters, capitals and other letters by their category in Unicode; all signs are one kind."""
    category = unicodedata.category(character)
    return category if category[0] in "LN" else "sign"


def _without_rare(characters: str, weights: Mapping[str, float]) -> str:
    """The characters that are not much rarer than the others."""
    usual = median(weights.get(each, 0) for each in characters)
    least = min(RARE_SHARE * usual, usual - DEVIATIONS * math.sqrt(usual))
    return "".join(each for each in characters if weights.get(each, 0) >= least)
