"""Random changes of a batch of training pictures. Nothing is flipped: a mirrored letter is another letter.

Each takes uint8 (batch, height, width, channels), uint32 (batch,) keys and a strength; at 0 nothing changes. How a
picture is changed follows from its key, see `cnnlib.network.keyed_random`.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from cnnlib.network import keyed_random

Tensor = Any


def affine(pictures: Tensor, keys: Tensor, strength: Tensor | float) -> Tensor:
    """Turned, scaled, sheared and shifted pictures; the edge is repeated outside.

    At strength 1: turn ±0.07 rad, scale ±8%, shear ±0.1, shift ±5% of the width and ±7% of the height.
    """
    shape = tf.shape(pictures)
    height, width = tf.cast(shape[1], tf.float64), tf.cast(shape[2], tf.float64)
    # In float64, whose last digits may differ with the size of the batch, but not those of the float32 numbers below.
    draw = tf.cast(strength, tf.float64) * (2 * tf.cast(keyed_random.uniform(keys, 6, "affine"), tf.float64) - 1)
    turn, shear = 0.07 * draw[0], 0.1 * draw[1]
    scale_x, scale_y = tf.exp(0.08 * draw[2]), tf.exp(0.08 * draw[3])
    # Where each output pixel is taken from: x' = a x + b y + c, y' = d x + e y + f, about the centre.
    a, b = tf.cos(turn) * scale_x, (shear - tf.sin(turn)) * scale_x
    d, e = tf.sin(turn) * scale_y, tf.cos(turn) * scale_y
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    c = middle_x - a * middle_x - b * middle_y + 0.05 * width * draw[4]
    f = middle_y - d * middle_x - e * middle_y + 0.07 * height * draw[5]
    zero = tf.zeros_like(a)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pictures,
        transforms=tf.cast(tf.stack([a, b, c, d, e, f, zero, zero], axis=1), tf.float32),
        output_shape=shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def erase(pictures: Tensor, keys: Tensor, strength: float) -> Tensor:
    """Pictures with rectangles in their mean colour, so that a part must do (random erasing, Zhong et al. 2020).

    There are width / height rectangles, rounded up. Their sides are up to 45% of the picture's shorter side, less below
    strength 1.
    """
    shape = tf.shape(pictures)
    height, width = tf.cast(shape[1], tf.float32), tf.cast(shape[2], tf.float32)
    count = tf.cast(tf.math.ceil(width / height), tf.int32)
    draw = tf.reshape(keyed_random.uniform(keys, 4 * count, "erase"), (4, count, shape[0], 1))
    draw = tf.transpose(draw, (0, 2, 1, 3))  # (4, batch, count, 1)
    sides = 0.225 * min(1.0, strength) * tf.minimum(height, width) * draw[2:]  # half of each
    down = tf.abs(tf.range(0.5, height) - height * draw[0]) < sides[0]  # (batch, count, height)
    across = tf.abs(tf.range(0.5, width) - width * draw[1]) < sides[1]
    erased = tf.matmul(tf.cast(down, tf.float32), tf.cast(across, tf.float32), transpose_a=True) > 0
    mean = tf.reduce_mean(tf.cast(pictures, tf.float32), axis=(1, 2), keepdims=True)
    return tf.where(erased[..., tf.newaxis], tf.cast(mean, pictures.dtype), pictures)


# Applied in this order, with a strength that fades out. `erase` is for the second view of a picture and does not fade.
CHANGES: tuple[Callable[[Tensor, Tensor, Tensor | float], Tensor], ...] = (affine,)


def augment(pictures: Tensor, keys: Tensor, strength: Tensor | float) -> Tensor:
    """All of `CHANGES` in turn, by uint32 (batch,) keys; uint8 in and out."""
    for change in CHANGES:
        pictures = change(pictures, keys, strength)
    return pictures
