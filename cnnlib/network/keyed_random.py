"""Random numbers by key: what is drawn for a picture depends on the picture's key alone.

It does not matter in which batch the picture comes, on which device, or what was drawn before. Random changes and
dropout draw so. TensorFlow's own generators draw for a whole batch.
"""

import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf

Tensor = Any

_local = threading.local()  # the devices of one machine are traced in a thread each


def uniform(keys: Tensor, size: Tensor | int, stream: str) -> Tensor:
    """float32 (size, batch), 0 to below 1, of uint32 (batch,) keys; other ones for each `stream`."""
    places = tf.cast(tf.range(size), tf.uint32) * tf.constant(0x9E3779B1, tf.uint32) + _salt(stream)
    bits = _mixed(_xor(keys, _mixed(places)[:, tf.newaxis]))
    return tf.cast(_right(bits, 8), tf.float32) * 2.0**-24


def chosen(keys: Tensor, shape: Sequence[int], share: float, stream: str) -> Tensor:
    """bool (batch, *shape), true for about this `share`, of uint32 (batch,) keys; other ones for each `stream`."""
    places = np.random.default_rng(zlib.crc32(stream.encode())).integers(0, 2**32, shape, np.uint32)
    bits = _xor(tf.reshape(keys, (-1, *[1] * len(shape))), places) * tf.constant(0x85EBCA6B, tf.uint32)
    bits = _xor(bits, _right(bits, 16)) * tf.constant(0xC2B2AE35, tf.uint32)
    return bits < tf.constant(int(share * 2**32), tf.uint32)


@contextmanager
def picture_keys(keys: Tensor) -> Iterator[None]:
    """Layers that are called inside draw by these uint32 (batch,) keys."""
    before, _local.keys = current_keys(), keys
    try:
        yield
    finally:
        _local.keys = before


def current_keys() -> Tensor | None:
    """The keys of the pictures that are being computed, or None."""
    return getattr(_local, "keys", None)


def _salt(stream: str) -> Tensor:
    return tf.constant(zlib.crc32(stream.encode()), tf.uint32)


def _mixed(x: Tensor) -> Tensor:
    """uint32 numbers that look random, one to one with those of `x` (the last step of MurmurHash3, Appleby 2011)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        x = _xor(x, _right(x, shift)) * tf.constant(factor, tf.uint32)
    return _xor(x, _right(x, 16))


def _xor(x: Tensor, y: Tensor) -> Tensor:
    return tf.bitwise.bitwise_xor(x, y)


def _right(x: Tensor, places: int) -> Tensor:
    return tf.bitwise.right_shift(x, tf.constant(places, tf.uint32))
