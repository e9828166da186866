"""What `auto` stands for in a training's config, from the number of training pictures and of passes over them."""

import math

import numpy as np

FEW, MANY = 20, 50  # passes over the training pictures between which their changes go from plain to strong


def steps_for(pictures: int, batch_size: int) -> int:
    """Steps that `cycle_stop` "auto" stands for: fewer passes over more pictures, at least 300 steps.

    65,000 * (pictures / 1000)^0.6 pictures are drawn: 128 passes over 300, 20 over 19,000, 7 over 300,000.
    """
    return max(300, math.ceil(65_000 * (pictures / 1000) ** 0.6 / batch_size))


def strength_for(passes: float) -> float:
    """Strength of the random changes of pictures that `augmentation` "auto" stands for: 1 for few passes, 2 for many.

    The more often a picture comes again, the more it has to change, lest the network learn it by heart.
    """
    return float(np.interp(math.log(passes), (math.log(FEW), math.log(MANY)), (1.0, 2.0)))
