"""What `auto` stands for in a training's config, from the number of training pictures."""

import math

import numpy as np

FEW, MANY = 2000, 20_000  # training pictures between which the changes of pictures go from strong to plain


def steps_for(pictures: int, batch_size: int) -> int:
    """Steps that `cycle_stop` "auto" stands for, at least 300.

    They grow with the root of the number of pictures: 161 passes over 300, 20 over 19,000, 5 over 300,000.
    """
    return max(300, math.ceil(88_000 * math.sqrt(pictures / 1000) / batch_size))


def strength_for(pictures: int) -> float:
    """Strength of the random changes of pictures that `augmentation` "auto" stands for: 2 for few, 1 for many."""
    return float(np.interp(math.log(pictures), (math.log(FEW), math.log(MANY)), (2.0, 1.0)))
