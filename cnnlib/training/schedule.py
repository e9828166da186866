"""What `auto` stands for in a training's config, from the number of its pictures."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

VIEWS, STRENGTHS = (1, 20, 62), (0.0, 1.0, 2.0)  # how often a picture is seen, and how strongly it is changed for that
FADING = 0.5  # share of the steps, the last ones, over which the changes fade out: what is to be read is unchanged
PAIRED_FROM = 10  # views of a picture from which on a batch has two of each; below, other pictures teach as much


@dataclass(frozen=True)
class Plan:
    """How long a training goes on, and what becomes of its pictures."""

    steps: int
    views: float  # of each picture, in all
    strength: float  # of the random changes
    paired: bool  # whether a batch has two views of its pictures


def plan(
    pictures: int, batch_size: int, steps: int | Literal["auto"], strength: float | Literal["auto"], *, pairs: bool
) -> Plan:
    """The plan for so many pictures; `pairs` says whether the network gains from two views of a picture."""
    steps = steps_for(pictures, batch_size) if steps == "auto" else steps
    views = steps * batch_size / pictures
    strength = strength_for(views) if strength == "auto" else strength
    return Plan(steps, views, strength, pairs and strength > 0 and batch_size > 1 and views >= PAIRED_FROM)


def steps_for(pictures: int, batch_size: int) -> int:
    """Steps that `cycle_stop` "auto" stands for, at least 300.

    They grow with the root of the number of pictures: each of 300 is seen 161 times, of 19,000 20, of 300,000 5 times.
    """
    return max(300, math.ceil(88_000 * math.sqrt(pictures / 1000) / batch_size))


def strength_for(views: float) -> float:
    """Strength of the random changes of pictures that `augmentation` "auto" stands for, 0 to 2.

    What is seen more often has to look different more often: 2 for up to 2,000 pictures with `cycle_stop` "auto", 1 for
    20,000, and 2 for 20,000 that are seen four times as often. What is seen once is new as it is.
    """
    return float(np.interp(math.log(views), np.log(VIEWS), STRENGTHS))


def faded(strength: float, step: int, steps: int) -> float:
    """Strength of the changes at a step: `strength` for the first half of the steps, then less and less, down to 0."""
    return strength * min(1.0, (steps - step) / (FADING * steps))
