"""The optimizer of the default recipe: Muon for the matrices inside a network, AdamW for all other weights."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

Tensor = Any

ITERATIONS = 5  # of Newton and Schulz; afterwards singular values are between about 0.7 and 1.2
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan et al. 2024: the steepest rise from 0
LIKE_ADAM = 0.2  # root mean square of an AdamW update, to which a Muon update is scaled (Liu et al. 2025)


class Muon(keras.optimizers.AdamW):
    """Momentum whose update of a matrix is orthogonal, so that every direction is learned at the same pace.

    Jordan et al. 2024, Liu et al. 2025. Kernels of convolutions count as matrices. AdamW updates weights of one axis,
    biases and the layers named in `adamw_layers`, at the same rate.
    """

    def __init__(self, rate: Any, adamw_layers: Sequence[str], momentum: float = 0.95, **options: Any) -> None:
        super().__init__(rate, **options)
        self.adamw_layers, self.momentum = frozenset(adamw_layers), momentum

    def build(self, variables: Sequence[Any]) -> None:
        super().build(variables)
        self._matrices = [
            len(variable.shape) > 1  # the biases of attention have two axes
            and variable.name != "bias"
            and variable.path.split("/")[0] not in self.adamw_layers
            for variable in variables
        ]

    def update_step(self, gradient: Tensor, variable: Any, learning_rate: Tensor) -> None:
        number = self._get_variable_index(variable)
        if not self._matrices[number]:
            super().update_step(gradient, variable, learning_rate)
            return
        momentum = self._momentums[number]
        self.assign(momentum, self.momentum * momentum + (1 - self.momentum) * gradient)
        ahead = self.momentum * momentum + (1 - self.momentum) * gradient  # Nesterov's
        rows, columns = matrix_shape(variable.shape)
        update = orthogonal(tf.reshape(ahead, (rows, columns))) * (LIKE_ADAM * math.sqrt(max(rows, columns)))
        rate = tf.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * tf.reshape(update, variable.shape))


def matrix_shape(shape: Sequence[int]) -> tuple[int, int]:
    """Rows and columns of a kernel as a matrix: its axes in order, split where it is nearest to a square."""
    splits = [(math.prod(shape[:axis]), math.prod(shape[axis:])) for axis in range(1, len(shape))]
    return min(splits, key=sum)


def orthogonal(matrix: Tensor) -> Tensor:
    """The matrix with all singular values near 1, by iterations of Newton and Schulz.

    float32 (rows, columns) in and out.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = tf.transpose(matrix) if tall else matrix
    x /= tf.norm(x) + 1e-7
    for _ in range(ITERATIONS):
        square = tf.matmul(x, x, transpose_b=True)
        x = a * x + tf.matmul(b * square + c * tf.matmul(square, square), x)
    return tf.transpose(x) if tall else x
