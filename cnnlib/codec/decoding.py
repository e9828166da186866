"""Rows of an answer to class numbers: which rows make up each character, and how probable the whole text is.

Rows are positions, each a character or the blank, blanks at the end; or columns of a CTC head (Graves et al. 2006),
where repeats are one character and blanks stand between characters.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Decoding = Literal["positions", "columns"]  # how the rows of an answer become text
Lengths = tuple[int, int]  # fewest and most characters of a text

CERTAIN = 1 - 1e-6  # the probability from which on a blank is taken for sure
TINY = 1e-12  # so that every row, and its logarithm, leaves something of every class


@dataclass(frozen=True)
class Decoder:
    """One way from float32 (rows, classes) probabilities, the last class the blank, to text."""

    rows: Callable[[list[int], int], list[list[int]]]  # of each row's class, and the blank: the rows of each character
    path: Callable[[np.ndarray, Lengths], list[int]]  # each row's class on the best path of as many characters
    confidence: Callable[[np.ndarray, list[int], int], float]  # of probabilities, the text's classes, and the blank


def _greedy_path(probabilities: np.ndarray) -> list[int]:
    path: list[int] = probabilities.argmax(axis=1).tolist()
    return path


def _position_rows(path: list[int], blank: int) -> list[list[int]]:
    return [[row] for row, number in enumerate(path) if number != blank]


def _position_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """Characters in the first rows and blanks in the others: as many as are most probable."""
    logs = np.log(probabilities + TINY)
    blanks, characters = logs[:, -1], logs[:, :-1].max(axis=1)
    counts = range(min(lengths[0], len(logs)), min(lengths[1], len(logs)) + 1)
    count = max(counts, key=lambda count: characters[:count].sum() + blanks[count:].sum())
    best: list[int] = probabilities[:count, :-1].argmax(axis=1).tolist()
    return best + [probabilities.shape[1] - 1] * (len(logs) - count)


def _position_confidence(probabilities: np.ndarray, numbers: list[int], blank: int) -> float:
    whole = numbers + [blank] * (len(probabilities) - len(numbers))
    return float(probabilities[range(len(whole)), whole].prod())


def _column_rows(path: list[int], blank: int) -> list[list[int]]:
    rows: list[list[int]] = []
    before = blank
    for row, number in enumerate(path):
        if number == before != blank:
            rows[-1].append(row)
        elif number != blank:
            rows.append([row])
        before = number
    return rows


def _column_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """The most probable path with as many characters: most often the greedy one, which is quickly found."""
    greedy = _greedy_path(probabilities)
    if lengths[0] <= len(_column_rows(greedy, probabilities.shape[1] - 1)) <= lengths[1]:
        return greedy
    return _viterbi_path(probabilities, lengths)


def _viterbi_path(probabilities: np.ndarray, lengths: Lengths) -> list[int]:
    """The most probable path with as many characters (Viterbi 1967): a state is characters so far and class."""
    logs = np.log(probabilities + TINY)
    classes, most = logs.shape[1], lengths[1]
    state = np.full((most + 1, classes), -np.inf)
    state[0, -1] = logs[0, -1]
    state[1, :-1] = logs[0, :-1]
    came: list[np.ndarray] = []  # for each later column, the flat number of the state that each state came from
    here = np.arange(state.size).reshape(state.shape)
    for column in logs[1:]:
        first = state.argmax(axis=1)
        rest = state.copy()
        rest[range(most + 1), first] = -np.inf
        # A character begins after any state with one character fewer, but for its own class: that would be a repeat.
        before = np.where(np.arange(classes) == first[:, None], rest.argmax(axis=1)[:, None], first[:, None])
        begun = np.full_like(state, -np.inf)
        begun[1:, :-1] = np.take_along_axis(state, before, 1)[:-1, :-1]
        origin = np.where(begun > state, np.roll(before + here[:, :1], 1, axis=0), here)
        origin[:, -1] = first + here[:, 0]
        came.append(origin)
        blank = state.max(axis=1)
        state = np.maximum(begun, state) + column
        state[:, -1] = blank + column[-1]
    last = int(state[lengths[0] :].argmax()) + lengths[0] * classes
    numbers = [last]
    for origin in reversed(came):
        numbers.append(int(origin.flat[numbers[-1]]))
    return [number % classes for number in reversed(numbers)]


def _column_confidence(probabilities: np.ndarray, numbers: list[int], blank: int) -> float:
    """The sum over all ways to spread the text over the columns (the forward pass of Graves et al. 2006).

    Plain numbers, which are faster than arrays for so few of them.
    """
    states = [blank, *(state for number in numbers for state in (number, blank))]
    # A character may follow the one before without a blank between, unless the two are the same.
    skips = [
        0.0,
        0.0,
        *(float(state not in (blank, before)) for before, state in zip(states, states[2:], strict=False)),
    ]
    first, *columns = probabilities[:, states].tolist()
    reached = [*first[:2], *(0.0 for _ in states[2:])]
    sure = first[0] > CERTAIN
    for column in columns:
        was_sure, sure = sure, column[0] > CERTAIN
        if was_sure and sure:
            continue  # a further blank that is sure changes nothing
        padded = [0.0, 0.0, *reached]
        reached = [
            (here + before + skip * earlier) * value
            for here, before, earlier, skip, value in zip(reached, padded[1:], padded, skips, column, strict=False)
        ]
    return min(1.0, sum(reached[-2:]))


DECODERS: dict[Decoding, Decoder] = {
    "positions": Decoder(_position_rows, _position_path, _position_confidence),
    "columns": Decoder(_column_rows, _column_path, _column_confidence),
}
