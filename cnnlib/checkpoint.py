"""Weights, optimizer and progress of a training as the bytes of one .npz file, and back."""

import io
from dataclasses import dataclass, field

import keras
import numpy as np

from cnnlib.errors import ModelError

Curve = list[tuple[int, float]]  # step, picture accuracy 0 to 1


@dataclass
class Progress:
    """Where a training stands: step, best verification accuracy so far, and its curves."""

    step: int = 0
    best_accuracy: float = 0.0
    best_step: int = 0
    training_curve: Curve = field(default_factory=list)  # of single batches, as they were trained on
    verification_curve: Curve = field(default_factory=list)  # of the whole verification set


def pack(model: keras.Model, averaged: keras.Model, optimizer: keras.optimizers.Optimizer, progress: Progress) -> bytes:
    """An .npz of weights and averaged weights by path, optimizer variables by number, and the progress."""
    arrays = {f"weights/{variable.path}": variable.numpy() for variable in model.weights}
    arrays |= {f"averaged/{variable.path}": variable.numpy() for variable in averaged.weights}
    arrays |= {f"optimizer/{number}": variable.numpy() for number, variable in enumerate(optimizer.variables)}
    arrays |= {f"progress/{name}": np.array(value) for name, value in vars(progress).items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def unpack(
    content: bytes, model: keras.Model, averaged: keras.Model, optimizer: keras.optimizers.Optimizer
) -> Progress:
    """Put a packed training's weights and optimizer variables back; returns its progress.

    Raises ModelError when they are another network's.
    """
    try:
        with np.load(io.BytesIO(content)) as arrays:
            for kind, weights in (("weights", model.weights), ("averaged", averaged.weights)):
                for variable in weights:
                    variable.assign(arrays[f"{kind}/{variable.path}"])
            for number, variable in enumerate(optimizer.variables):
                variable.assign(arrays[f"optimizer/{number}"])
            return Progress(
                int(arrays["progress/step"]),
                float(arrays["progress/best_accuracy"]),
                int(arrays["progress/best_step"]),
                _curve(arrays["progress/training_curve"]),
                _curve(arrays["progress/verification_curve"]),
            )
    except (KeyError, ValueError) as error:
        raise ModelError(f"checkpoint: expected the weights of this network; got others: {error}") from error


def _curve(array: np.ndarray) -> Curve:
    return [(int(step), float(share)) for step, share in array]
