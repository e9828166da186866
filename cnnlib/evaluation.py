"""Accuracies with intervals, and confusions, from labels and readings."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Accuracy:
    """Shares of pictures and of characters read right, 0 to 1, over `pictures` pictures."""

    pictures: int
    picture: float
    character: float


def accuracy(labels: Sequence[str], texts: Sequence[str]) -> Accuracy:
    """Picture and character accuracy of readings.

    A character counts as right when it stands at its place, and too many or too few count as wrong: the
    divisor of a picture is the longer of label and text. Without pictures both are 0.
    """
    pairs = list(zip(labels, texts, strict=True))
    characters = sum(max(len(label), len(text)) for label, text in pairs)
    right = sum(a == b for label, text in pairs for a, b in zip(label, text, strict=False))
    whole = sum(label == text for label, text in pairs)
    return Accuracy(len(pairs), whole / max(1, len(pairs)), right / max(1, characters))


def interval(share: float, count: int) -> tuple[float, float]:
    """95% confidence interval of a share seen in `count` tries (Wilson 1927), 0 to 1."""
    if count == 0:
        return 0.0, 1.0
    z = 1.959964
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def character_accuracies(labels: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """For each character of the labels, the share of its occurrences that was read right, by character."""
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for label, text in zip(labels, texts, strict=True):
        seen.update(label)
        right.update(a for a, b in zip(label, text, strict=False) if a == b)
    return {character: right[character] / count for character, count in sorted(seen.items())}


def confusions(labels: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str, int]]:
    """Character, what was read in its place, and how often, the most frequent first.

    Texts of another length than their label are left out: there no place answers to another.
    """
    pairs = Counter(
        (a, b)
        for label, text in zip(labels, texts, strict=True)
        if len(label) == len(text)
        for a, b in zip(label, text, strict=True)
        if a != b
    )
    return [(a, b, count) for (a, b), count in sorted(pairs.items(), key=lambda one: (-one[1], one[0]))]
