"""Start a training from another model's weights: those that fit, fitted to size, colours and alphabet."""

import io
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from cnnlib.codec.alphabet import Alphabet
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.inference.model_card import load_model

HALF = np.float16  # precise enough to start from, and half the size
STAGES = ("stem", "block")  # how the names of layers begin that networks have in common


def pack(model: keras.Model) -> bytes:
    """An .npz of a model's weights by path, float16."""
    content, most = io.BytesIO(), float(np.finfo(HALF).max)
    arrays = {one.path: one.numpy().clip(-most, most).astype(HALF) for one in model.weights}
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def carry_over(folder: Path, model: keras.Model, network: str, alphabet: Alphabet) -> str:
    """Put the weights of the model in `folder` into `model`, a `network`, where they fit; returns a sentence about it.

    Convolutions are carried over whole, those over colours or over the height fitted to `model`'s, and the class
    rows of the characters that both alphabets have. From another network come the stages of convolutions alone.
    Raises ModelError when there is no model or nothing fits.
    """
    card, content = load_model(folder, "weights")
    pairs = shared_classes(card.alphabet, alphabet)
    carried = {}
    with np.load(io.BytesIO(content)) as arrays:
        for weight in model.weights:
            alike = card.network == network or weight.path.startswith(STAGES)
            value = _fitted(weight.path, weight.numpy(), arrays, pairs) if alike else None
            if value is not None:
                weight.assign(value)
                shared = len(pairs[0]) / alphabet.classes if weight.path.startswith("classes/") else 1
                carried[weight.path] = shared * value.size
    if not carried:
        remedy = "--warm-start none starts from random weights"
        raise ModelError(f"{display_path(folder)}: expected a model with layers like {network}'s; none fits; {remedy}")
    share = sum(carried.values()) / model.count_params()
    characters = len(pairs[0]) - 1 if "classes/kernel" in carried else 0
    known = f"{characters} of {len(alphabet)} characters"
    return f"Warm start from {display_path(folder)}: {share:.0%} of the weights, {known}"


def shared_classes(old: Alphabet, new: Alphabet) -> tuple[list[int], list[int]]:
    """Class numbers, in the old and in the new alphabet, of the characters of both, and of the blank."""
    numbers = {character: number for number, character in enumerate(old.characters)}
    shared = [(numbers[c], number) for number, c in enumerate(new.characters) if c in numbers]
    ours, theirs = zip(*shared, (old.blank, new.blank), strict=True)
    return list(ours), list(theirs)


def _fitted(
    path: str, fresh: np.ndarray, arrays: Mapping[str, np.ndarray], pairs: tuple[list[int], list[int]]
) -> np.ndarray | None:
    """float32 values for the weight `path`, whose fresh ones are given; None when the old model's don't fit."""
    if path not in arrays:
        return None
    old = arrays[path].astype(np.float32)
    layer = path.split("/")[0]
    if layer == "classes":
        return _fit_classes(old, fresh, pairs)
    if layer == "stem" and old.ndim == 4:
        old = _fit_colours(old, fresh.shape[2])
    if layer == "fold":
        old = _stretch(old, fresh.shape[0]) * old.shape[0] / fresh.shape[0]  # about the same sum
    if path == "place/place":
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
