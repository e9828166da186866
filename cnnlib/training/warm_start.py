"""Start a training from another model's weights, fitted to size, colours and alphabet."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from cnnlib.codec.alphabet import Alphabet
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.inference.model_card import load_model
from cnnlib.network.architectures import CNN, Axis, network_class
from cnnlib.network.names import NETWORKS
from cnnlib.training.arrays import open_arrays

SPARE_BYTES = 2**30  # of another model's weights, which may be far more than ours
GROWTH = 16  # times our weights, where they are more than `SPARE_BYTES` themselves
HALF = np.float16  # precise enough to start from, and half the size


class NothingFitsError(ModelError):
    """No layer of a model fits the network that is to start from it."""


def pack(model: keras.Model) -> bytes:
    """An .npz of a model's weights by path, float16."""
    content, most = io.BytesIO(), float(np.finfo(HALF).max)
    arrays = {one.path: one.numpy().clip(-most, most).astype(HALF) for one in model.weights}
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


@dataclass(frozen=True)
class Transfer:
    """What was taken from a model: a sentence about it, and the weights that were taken whole, float16 by path."""

    sentence: str
    weights: dict[str, np.ndarray]


def transfer_weights(folder: Path, model: keras.Model, network: CNN, alphabet: Alphabet) -> Transfer:
    """Put the weights of the model in `folder` into `model`, the Keras model of `network`; returns what was taken.

    Layers are fitted as the network's class says. The scores keep the rows of the characters that both alphabets have.
    A network that is no relative gives its shared layers alone.
    Raises ModelError when there is no model, NothingFitsError, one of its kinds, when no layer fits.
    """
    card, content = load_model(folder, "weights")
    pairs = shared_classes(card.alphabet, alphabet)
    limit_bytes = max(SPARE_BYTES, GROWTH * HALF().nbytes * model.count_params())
    with _naming_folder(folder), open_arrays(content, limit_bytes) as arrays:
        taken = dict(_fitting(arrays, model, network, card.network, pairs))
    if not taken:
        raise NothingFitsError(
            f"{display_path(folder)}: expected a model with layers like {network.name}'s; none fits; "
            "--warm-start none starts from random weights"
        )
    for weight in model.weights:
        if weight.path in taken:
            weight.assign(taken[weight.path])
    rows = len(pairs[0]) / alphabet.classes  # of the scores, the share that is not random
    shares = {path: rows if _axis(path, network) == "alphabet" else 1 for path in taken}
    share = sum(shares[path] * value.size for path, value in taken.items()) / model.count_params()
    known = f"{len(pairs[0]) - 1 if 'classes/kernel' in taken else 0} of {len(alphabet)} characters"
    whole = {path: value.astype(HALF) for path, value in taken.items() if shares[path] == 1}
    return Transfer(f"Warm start from {display_path(folder)}: {share:.0%} of the weights, {known}", whole)


def _fitting(
    arrays: Mapping[str, np.ndarray], model: keras.Model, network: CNN, other: str, pairs: tuple[list[int], list[int]]
) -> Iterator[tuple[str, np.ndarray]]:
    """Paths of the weights of `model` that `arrays` of the network `other` fit, each with its value.

    Raises ModelError when one is no number.
    """
    for weight in model.weights:
        usable = weight.path in arrays and _means_the_same(weight.path, network, other)
        value = _fit(weight.path, arrays[weight.path], weight.numpy(), network, pairs) if usable else None
        if value is not None:
            if not np.isfinite(value).all():
                raise ModelError(f"{weight.path}: expected numbers; got infinite ones, or none (NaN)")
            yield weight.path, value


@contextmanager
def _naming_folder(folder: Path) -> Iterator[None]:
    """Name the model in the message of a ModelError."""
    try:
        yield
    except ModelError as error:
        raise ModelError(
            f"{display_path(folder)}: its weights: {error}; restore the file, or start from random weights with "
            "--warm-start none"
        ) from error


def _means_the_same(path: str, network: CNN, other: str) -> bool:
    """Whether the weight of this path does the same in the network named `other`: a relative, or a shared layer."""
    if other == network.name:
        return True
    kind, shared = type(network), network.shared_layers
    if other in NETWORKS:
        other_kind = network_class(other)
        if issubclass(kind, other_kind) or issubclass(other_kind, kind):
            return True
        shared = tuple(prefix for prefix in shared if prefix in other_kind.shared_layers)
    return path.startswith(shared)


def _axis(path: str, network: CNN) -> Axis | None:
    """The axis that the weight of this path is fitted to, None for one that is taken as it is."""
    return network.fitted_layers.get(path.split("/")[0])


def shared_classes(old: Alphabet, new: Alphabet) -> tuple[list[int], list[int]]:
    """Class numbers in the old and in the new alphabet: of the characters that both have, and of the blank."""
    numbers = {character: number for number, character in enumerate(old.characters)}
    shared = [(numbers[c], number) for number, c in enumerate(new.characters) if c in numbers]
    ours, theirs = zip(*shared, (old.blank, new.blank), strict=True)
    return list(ours), list(theirs)


def _fit(
    path: str, saved: np.ndarray, fresh: np.ndarray, network: CNN, pairs: tuple[list[int], list[int]]
) -> np.ndarray | None:
    """float32 values of the shape of `fresh` made of the `saved` ones; None when they don't fit."""
    old, axis = saved.astype(np.float32), _axis(path, network)
    if axis == "alphabet":
        return _fit_classes(old, fresh, pairs)
    if axis == "channels" and old.ndim == 4:
        old = _fit_colours(old, fresh.shape[2])
    elif axis == "height":
        old = _stretch(old, fresh.shape[0]) * old.shape[0] / fresh.shape[0]  # keeps the sum
    elif axis == "width":
        old = _stretch(old, fresh.shape[0])
    return old if old.shape == fresh.shape else None


def _fit_classes(old: np.ndarray, fresh: np.ndarray, pairs: tuple[list[int], list[int]]) -> np.ndarray | None:
    """Fresh (..., classes) values with those of the shared classes, or (..., positions * classes); None for others."""
    ours, theirs = pairs  # the blank, the last class, is the last of each
    old = old.reshape(*old.shape[:-1], -1, ours[-1] + 1)
    fitted = fresh.reshape(*fresh.shape[:-1], -1, theirs[-1] + 1).copy()
    if old.shape[:-1] != fitted.shape[:-1]:
        return None
    fitted[..., theirs] = old[..., ours]
    return fitted.reshape(fresh.shape)


def _fit_colours(kernel: np.ndarray, channels: int) -> np.ndarray:
    """A (height, width, channels, filters) kernel for other channels, that does the same to a grey picture."""
    if kernel.shape[2] == channels:
        return kernel
    total = kernel.sum(axis=2, keepdims=True)
    return np.repeat(total / channels, channels, axis=2)


def _stretch(values: np.ndarray, length: int) -> np.ndarray:
    """(old, ...) values drawn out, or in, to (length, ...) by linear interpolation between the old rows' middles."""
    old = values.shape[0]
    places = (np.arange(length) + 0.5) * old / length - 0.5
    columns = [np.interp(places, np.arange(old), column) for column in values.reshape(old, -1).T]
    return np.stack(columns, axis=1).reshape(length, *values.shape[1:])
