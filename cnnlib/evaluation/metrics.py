"""Accuracies, intervals and confusions of predicted texts against labels."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

NO_CHARACTER = "∅"  # displayed where label or text has no character


def visible(character: str) -> str:
    """A character as something that can be seen: `NO_CHARACTER` for none, an open box for a space."""
    return {"": NO_CHARACTER, " ": "␣"}.get(character, character)


@dataclass(frozen=True)
class Accuracy:
    """Share of pictures and share of characters read right, 0 to 1, over `pictures` pictures."""

    pictures: int
    picture: float
    character: float


def accuracy(labels: Sequence[str], texts: Sequence[str]) -> Accuracy:
    """Picture and character accuracy of texts, both 0 without pictures.

    A character is right when the text has it at the same place. Missing and surplus characters are wrong, so a picture
    counts as many characters as the longer of label and text.
    """
    characters = right_characters = right_pictures = 0
    for label, text in zip(labels, texts, strict=True):
        characters += max(len(label), len(text))
        right_characters += sum(a == b for a, b in zip(label, text, strict=False))
        right_pictures += label == text
    return Accuracy(len(labels), right_pictures / max(1, len(labels)), right_characters / max(1, characters))


def interval(share: float, count: int) -> tuple[float, float]:
    """95% confidence interval, 0 to 1, of a share measured on `count` samples (Wilson 1927)."""
    if count == 0:
        return 0.0, 1.0
    z = 1.959964  # 97.5% quantile of the normal distribution
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count)) / (1 + z * z / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def character_accuracies(labels: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """For each character of the labels, the share of its occurrences that were read right, 0 to 1.

    Label and text are aligned, so that a missing character does not make those after it wrong.
    """
    occurrences: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for label, text in zip(labels, texts, strict=True):
        occurrences.update(label)
        right.update(label if label == text else (a for a, b in align(label, text) if a == b))
    return {character: right[character] / count for character, count in sorted(occurrences.items())}


def confusions(labels: Sequence[str], texts: Sequence[str]) -> list[tuple[str, str, int]]:
    """Character of the label, character of the text and how often they were confused, most frequent first.

    "" stands for a character that is missing in the label or in the text.
    """
    pairs = Counter(
        pair
        for label, text in zip(labels, texts, strict=True)
        if label != text
        for pair in align(label, text)
        if pair[0] != pair[1]
    )
    return [(a, b, count) for (a, b), count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))]


def align(label: str, text: str) -> list[tuple[str, str]]:
    """Pairs of a character of the label and one of the text, with the fewest edits (Levenshtein 1966).

    "" stands for a character that is missing in the label or in the text.
    """
    distances = _edit_distances(label, text)
    pairs, row, column = [], len(label), len(text)
    while row or column:
        distance = distances[row][column]
        if row and column and distance == distances[row - 1][column - 1] + (label[row - 1] != text[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((label[row], text[column]))
        elif row and distance == distances[row - 1][column] + 1:
            row -= 1
            pairs.append((label[row], ""))
        else:
            column -= 1
            pairs.append(("", text[column]))
    return pairs[::-1]


def _edit_distances(label: str, text: str) -> list[list[int]]:
    """The edit distance between the first characters of the label (rows) and of the text (columns)."""
    distances = [[row + column for column in range(len(text) + 1)] for row in range(len(label) + 1)]
    for row, a in enumerate(label):
        for column, b in enumerate(text):
            insert_or_delete = min(distances[row][column + 1], distances[row + 1][column]) + 1
            distances[row + 1][column + 1] = min(distances[row][column] + (a != b), insert_or_delete)
    return distances
