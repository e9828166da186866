"""What `auto` stands for in a training's config, from the number of training pictures."""

import math

import numpy as np

FEW, MANY = 2000, 20_000  # training pictures between which the changes of pictures go from strong to plain


def steps_for(pictures: int, batch_size: int) -> int:
    """Steps that `cycle_stop` "auto" stands for: fewer passes over more pictures, at least 300 steps.

    65,000 * (pictures / 1000)^0.6 pictures are drawn: 128 passes over 300, 20 over 19,000, 7 over 300,000.
    """
    return max(300, math.ceil(65_000 * (pictures / 1000) ** 0.6 / batch_size))


def strength_for(pictures: int) -> float:
    """Strength of the random changes of pictures that `augmentation` "auto" stands for: 2 for few, 1 for many."""
    return float(np.interp(math.log(pictures), (math.log(FEW), math.log(MANY)), (2.0, 1.0)))
