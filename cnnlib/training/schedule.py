"""How long a training is and how strong its random changes are: what `auto` means for a number of pictures."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

VIEWS, STRENGTHS = (1, 20, 62), (0.0, 1.0, 2.0)  # of a picture, and the strength of its changes for that many
FADING = 0.5  # share of the steps, at the end, over which the changes fade out: real pictures are unchanged
PAIRED_FROM = 10  # views of a picture, from which on a batch has two of each; below, other pictures teach as much


@dataclass(frozen=True)
class Plan:
    """How long a training is, and how its pictures are changed."""

    steps: int
    views: float  # of each picture in total
    strength: float  # of the random changes
    paired: bool  # whether a batch has two views of its pictures


def plan(
    pictures: int, batch_size: int, steps: int | Literal["auto"], strength: float | Literal["auto"], *, pairs: bool
) -> Plan:
    """The plan for a number of pictures; `pairs`: whether the network gains from two views of a picture."""
    steps = steps_for(pictures, batch_size) if steps == "auto" else steps
    views = steps * batch_size / pictures
    strength = strength_for(views) if strength == "auto" else strength
    return Plan(steps, views, strength, pairs and strength > 0 and batch_size > 1 and views >= PAIRED_FROM)


def steps_for(pictures: int, batch_size: int) -> int:
    """The steps of `cycle_stop` "auto", at least 300.

    They grow with the square root of the number of pictures: each of 300 is seen 161 times, each of 19,000 is seen 20
    times, each of 300,000 is seen 5 times.
    """
    return max(300, math.ceil(88_000 * math.sqrt(pictures / 1000) / batch_size))


def strength_for(views: float) -> float:
    """The strength of `augmentation` "auto", 0 to 2.

    Pictures that are seen more often are changed more: with `cycle_stop` "auto", 2 for up to 2,000 pictures and 1 for
    20,000. A picture that is seen once is new anyway.
    """
    return float(np.interp(math.log(views), np.log(VIEWS), STRENGTHS))


def faded(strength: float, step: int, steps: int) -> float:
    """Strength of the changes at a step: `strength` in the first half of the steps, then falling to 0."""
    return strength * min(1.0, (steps - step) / (FADING * steps))
