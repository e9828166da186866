"""A training as the bytes of one .npz file and back: weights, optimizer and progress."""

import hashlib
import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnnlib.codec.alphabet import Prediction
from cnnlib.core.errors import ModelError
from cnnlib.evaluation.diagnosis import LabelledPrediction
from cnnlib.training.arrays import open_arrays
from cnnlib.training.pictures import Dataset

NUMBER_BYTES = 8  # of a number in a checkpoint, at most
SPARE_BYTES = 2**26  # of the progress: curves and suspected labels
KNOWN_NAMES = 1000  # of the pictures, by which a later training knows its own
NO_NAMES = np.empty(0, np.uint64)
Curve = list[tuple[int, float]]  # step, picture accuracy 0 to 1


@dataclass
class Progress:
    """How far a training is: step, best verification accuracy, curves, suspected labels, a hash of its pictures."""

    step: int = 0
    seconds: float = 0.0  # of training, without interruptions
    best_accuracy: float = 0.0
    best_step: int = 0
    training_curve: Curve = field(default_factory=list)  # of single batches with their random changes
    verification_curve: Curve = field(default_factory=list)  # of the whole verification set
    labels_checked: bool = False  # whether wrong labels were looked for
    suspects: list[LabelledPrediction] = field(default_factory=list)  # by file name: training pictures found then
    names_hash: str = ""  # of the names, and so the labels, of all its pictures
    start: dict[str, np.ndarray] = field(default_factory=dict, compare=False)  # weights that it started from, by path
    mixed_step: int = -1  # at which the averaged weights were mixed with those of the start
    share: float = 1.0  # of the end in them then
    known: np.ndarray = field(default_factory=NO_NAMES.copy, compare=False)  # as `known_names` has them; none if drawn


def known_names(parts: Sequence[Dataset]) -> np.ndarray:
    """The lowest hashes of the names of pictures, uint64 (up to `KNOWN_NAMES`,).

    Where a set keeps a good part of its pictures, it has some of these, however many it gets.
    """
    return np.sort(_hash_each(parts))[:KNOWN_NAMES]


def knows_any(known: np.ndarray, parts: Sequence[Dataset]) -> bool:
    """Whether the hashes of `known_names` have that of a picture, however many there are: seconds for a million."""
    return bool(np.isin(known, _hash_each(parts)).any())


def _hash_each(parts: Sequence[Dataset]) -> np.ndarray:
    """A hash of each name, uint64 (n,)."""
    names = (name.encode("utf-8", "surrogateescape") for part in parts for name in part.names)
    return np.fromiter((int.from_bytes(hashlib.sha256(name).digest()[:8], "big") for name in names), np.uint64)


def pack(model: keras.Model, averaged: keras.Model, optimizer: keras.optimizers.Optimizer, progress: Progress) -> bytes:
    """An .npz of weights, averaged weights and the start's by path, optimizer variables by number, and the progress."""
    arrays = {f"weights/{variable.path}": variable.numpy() for variable in model.weights}
    arrays |= {f"averaged/{variable.path}": variable.numpy() for variable in averaged.weights}
    arrays |= {f"optimizer/{number}": variable.numpy() for number, variable in enumerate(_plain(optimizer).variables)}
    arrays |= {f"start/{path}": value for path, value in progress.start.items()}
    plain = vars(progress) | {"suspects": json.dumps([_row(suspect) for suspect in progress.suspects])}
    del plain["start"]
    arrays |= {f"progress/{name}": np.array(value) for name, value in plain.items()}
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def unpack(
    content: bytes, model: keras.Model, averaged: keras.Model, optimizer: keras.optimizers.Optimizer
) -> Progress:
    """Put a packed training's weights and optimizer variables back; returns its progress.

    Raises ModelError when they are another network's, or the file is broken.
    """
    variables = [*model.weights, *averaged.weights, *_plain(optimizer).variables]
    limit_bytes = SPARE_BYTES + sum(NUMBER_BYTES * math.prod(variable.shape) for variable in variables)
    with open_arrays(content, limit_bytes) as arrays:
        for kind, weights in (("weights", model.weights), ("averaged", averaged.weights)):
            for variable in weights:
                _assign(variable, arrays, f"{kind}/{variable.path}")
        for number, variable in enumerate(_plain(optimizer).variables):
            _assign(variable, arrays, f"optimizer/{number}")
        return _progress(arrays)


def _progress(arrays: Mapping[str, np.ndarray]) -> Progress:
    """The saved progress. What an older version did not save is as at the start of a training."""
    step = int(arrays["progress/step"])
    saved: dict[str, Any] = {"mixed_step": step}  # a checkpoint of an older version was mixed, or never will be
    for name, read in _READ.items():
        if f"progress/{name}" in arrays:
            saved[name] = read(arrays[f"progress/{name}"])
    start = {name.removeprefix("start/"): arrays[name] for name in arrays if name.startswith("start/")}
    return Progress(step, **saved, start=start)


def _assign(variable: keras.Variable, arrays: Mapping[str, np.ndarray], name: str) -> None:
    """Raise ModelError when the array is missing or has another shape."""
    got = arrays[name].shape if name in arrays else None
    if variable.shape != got:  # checked here, because Keras's own error prints all of the variable's numbers
        fault = f"{variable.path}: expected the shape {tuple(variable.shape)}; got {got or 'none'}"
        raise ModelError(f"expected the weights of this network; got others: {fault}")
    variable.assign(arrays[name])


def _plain(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer without the loss scaling of float16, so that a training may go on in another precision."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _curve(array: np.ndarray) -> Curve:
    return [(int(step), float(share)) for step, share in array]


def _row(suspect: LabelledPrediction) -> tuple[str | float, ...]:
    name, label, prediction = suspect.path.name, suspect.label, suspect.prediction
    return name, label, prediction.text, prediction.confidence, suspect.label_confidence, suspect.loss


def _suspects(array: np.ndarray) -> list[LabelledPrediction]:
    rows = json.loads(array.item())
    return [
        LabelledPrediction(Path(name), label, Prediction(text, confidence, ()), label_confidence, loss)
        for name, label, text, confidence, label_confidence, loss in rows
    ]


def _hashes(array: np.ndarray) -> np.ndarray:
    return np.atleast_1d(array).astype(np.uint64)


_READ: dict[str, Callable[[Any], Any]] = {  # how the parts of a progress are read, but for the step
    "seconds": float,
    "best_accuracy": float,
    "best_step": int,
    "training_curve": _curve,
    "verification_curve": _curve,
    "labels_checked": bool,
    "suspects": _suspects,
    "names_hash": str,
    "mixed_step": int,
    "share": float,
    "known": _hashes,
}
