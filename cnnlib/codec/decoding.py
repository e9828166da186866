"""Decode the rows of an answer: the classes on the best path, the rows of each character, the confidence of a text.

A row is a position or a column. A position holds one character, and blanks follow the last one. In the columns of a CTC
head (Graves et al. 2006) repeats are one character, and a blank separates equal characters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Decoding = Literal["positions", "columns"]  # what the rows of an answer are
Lengths = tuple[int, int]  # fewest and most characters of a text

CERTAIN = 1 - 1e-6  # a blank of this probability counts as certain
EPSILON = 1e-12  # added to probabilities, so that each has a logarithm


@dataclass(frozen=True)
class Decoder:
    """How to decode float32 (rows, classes) probabilities, 0 to 1, whose last class is the blank."""

    rows: Callable[[list[int], int], list[list[int]]]  # path, blank -> the rows of each character
    path: Callable[[np.ndarray, Lengths], list[int]]  # probabilities, lengths -> the class of each row on the best path
    confidence: Callable[[np.ndarray, list[int], int], float]  # probabilities, classes of a text, blank -> 0 to 1


def _greedy_path(probabilities: np.ndarray) -> list[int]:
    path: list[int] = probabilities.argmax(axis=1).tolist()
    return path


def _position_rows(path: list[int], blank: int) -> list[list[int]]:
    return [[row] for row, number in enumerate(path) if number != blank]


def _position_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """The most probable path of characters in the first rows and blanks in the others."""
    logs = np.log(probabilities + EPSILON)
    blanks, characters = logs[:, -1], logs[:, :-1].max(axis=1)
    counts = range(min(lengths[0], len(logs)), min(lengths[1], len(logs)) + 1)
    count = max(counts, key=lambda count: characters[:count].sum() + blanks[count:].sum())
    best: list[int] = probabilities[:count, :-1].argmax(axis=1).tolist()
    return best + [probabilities.shape[1] - 1] * (len(logs) - count)


def _position_confidence(probabilities: np.ndarray, numbers: list[int], blank: int) -> float:
    path = numbers + [blank] * (len(probabilities) - len(numbers))
    return float(probabilities[range(len(path)), path].prod())


def _column_rows(path: list[int], blank: int) -> list[list[int]]:
    groups: list[list[int]] = []
    previous = blank
    for row, number in enumerate(path):
        if number == previous != blank:
            groups[-1].append(row)
        elif number != blank:
            groups.append([row])
        previous = number
    return groups


def _column_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """The most probable path with an allowed number of characters. It is usually the greedy one, which is fast."""
    greedy = _greedy_path(probabilities)
    if lengths[0] <= len(_column_rows(greedy, probabilities.shape[1] - 1)) <= lengths[1]:
        return greedy
    return _viterbi_path(probabilities, lengths)


def _viterbi_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """The most probable path with an allowed number of characters (Viterbi 1967).

    A state is the number of characters so far and the class of the current column.
    """
    logs = np.log(probabilities + EPSILON)
    classes, most = logs.shape[1], lengths[1]
    scores = np.full((most + 1, classes), -np.inf)  # log probability of the best path to each state
    scores[0, -1] = logs[0, -1]
    scores[1, :-1] = logs[0, :-1]
    states = np.arange(scores.size).reshape(scores.shape)
    origins: list[np.ndarray] = []  # for each column after the first: the previous state of each state
    for column in logs[1:]:
        best = scores.argmax(axis=1)
        others = scores.copy()
        others[range(most + 1), best] = -np.inf
        # A new character can follow every state with one character fewer except its own class, which would repeat it.
        previous = np.where(np.arange(classes) == best[:, None], others.argmax(axis=1)[:, None], best[:, None])
        begun = np.full_like(scores, -np.inf)
        begun[1:, :-1] = np.take_along_axis(scores, previous, 1)[:-1, :-1]
        origin = np.where(begun > scores, np.roll(previous + states[:, :1], 1, axis=0), states)
        origin[:, -1] = best + states[:, 0]
        origins.append(origin)
        blank = scores.max(axis=1)
        scores = np.maximum(begun, scores) + column
        scores[:, -1] = blank + column[-1]
    last = int(scores[lengths[0] :].argmax()) + lengths[0] * classes
    return [state % classes for state in _trace_back(last, origins)]


def _trace_back(last: int, origins: list[np.ndarray]) -> list[int]:
    """The states of the path that ends in `last`, first column first."""
    path = [last]
    for origin in reversed(origins):
        path.append(int(origin.flat[path[-1]]))
    return path[::-1]


def _column_confidence(probabilities: np.ndarray, numbers: list[int], blank: int) -> float:
    """The sum over all paths that give the text (the forward pass of Graves et al. 2006).

    Plain floats are faster than arrays for so few numbers.
    """
    states = [blank, *(state for number in numbers for state in (number, blank))]
    # A character may follow another without a blank between them, unless they are equal.
    pairs = zip(states, states[2:], strict=False)
    skips = [0.0, 0.0, *(float(state not in (blank, previous)) for previous, state in pairs)]
    first, *columns = probabilities[:, states].tolist()
    reached = [*first[:2], *(0.0 for _ in states[2:])]
    certain = first[0] > CERTAIN
    for column in columns:
        was_certain, certain = certain, column[0] > CERTAIN
        if was_certain and certain:
            continue  # a second certain blank changes nothing
        padded = [0.0, 0.0, *reached]
        reached = [
            (same + previous + skip * earlier) * value
            for same, previous, earlier, skip, value in zip(reached, padded[1:], padded, skips, column, strict=False)
        ]
    return min(1.0, sum(reached[-2:]))


DECODERS: dict[Decoding, Decoder] = {
    "positions": Decoder(_position_rows, _position_path, _position_confidence),
    "columns": Decoder(_column_rows, _column_path, _column_confidence),
}
