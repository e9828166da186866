"""Accuracies with intervals, and confusions, from labels and readings."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NOTHING = "∅"  # what is shown for a character that was left out, or read where there is none


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
    """For each character of the labels, the share of its occurrences that was read right, by character.

    Label and text are aligned, so that one left out says nothing of those behind it.
    """
    seen: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for label, text in zip(labels, texts, strict=True):
        seen.update(label)
        right.update(label if label == text else (a for a, b in align(label, text) if a == b))
    return {character: right[character] / count for character, count in sorted(seen.items())}


def confusions(labels: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str, int]]:
    """Character, what was read in its place, and how often, the most frequent first.

    What was read is "" where a character was left out; the character is "" where one was read that is not there.
    """
    pairs = Counter(
        pair
        for label, text in zip(labels, texts, strict=True)
        if label != text
        for pair in align(label, text)
        if pair[0] != pair[1]
    )
    return [(a, b, count) for (a, b), count in sorted(pairs.items(), key=lambda one: (-one[1], one[0]))]


def align(label: str, text: str) -> list[tuple[str, str]]:
    """Characters of a label beside those read for them, by the fewest changes (Levenshtein 1966).

    "" stands for nothing: a character left out, or one read that is not there.
    """
    changes = [[row + column for column in range(len(text) + 1)] for row in range(len(label) + 1)]
    for row, a in enumerate(label):
        for column, b in enumerate(text):
            least = min(changes[row][column + 1], changes[row + 1][column]) + 1
            changes[row + 1][column + 1] = min(changes[row][column] + (a != b), least)
    pairs, row, column = [], len(label), len(text)
    while row or column:
        here = changes[row][column]
        if row and column and here == changes[row - 1][column - 1] + (label[row - 1] != text[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((label[row], text[column]))
        elif row and here == changes[row - 1][column] + 1:
            row -= 1
            pairs.append((label[row], ""))
        else:
            column -= 1
            pairs.append(("", text[column]))
    return pairs[::-1]
