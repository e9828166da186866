"""Which device and which number format a training computes with, how fast they are, and what lacks memory."""

import errno
import math
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError, SampleError
from cnnlib.core.paths import display_path
from cnnlib.core.stderr import muted_stderr

Timed = tuple[Callable[[], object], int]  # a call, and the number of its multiplications and additions

SIDE = 512  # of the square matrices whose product is timed
GAIN = 1.1  # by which bfloat16 has to convolve faster to be chosen; emulated, it is many times slower
NO_SPACE = os.strerror(errno.ENOSPC)


def use_gpu(enabled: bool) -> str:
    """Hide or keep the GPUs; returns a sentence about the device.

    TensorFlow allows the choice only before its first computation in a process.
    """
    if not enabled:
        with muted_stderr():  # CUDA reports an error when there is no driver
            tf.config.set_visible_devices([], "GPU")
        return "Computing on the CPU (enable_gpu 0)"
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        return f"Computing on the GPU ({len(gpus)} found)"
    return "Computing on the CPU: enable_gpu is set, but TensorFlow finds no GPU; see requirements-gpu.txt"


@contextmanager
def explained_shortage(config: SampleConfig, folder: Path | None = None, remedy: str = "") -> Iterator[None]:
    """Turn a lack of memory, or of disk space, perhaps that of `folder`, into a ModelError that names the remedy.

    `remedy` is what helps against a lack of memory. By default that is a smaller batch, too.
    """
    try:
        yield
    except tf.errors.UnknownError as error:  # what TensorFlow makes of an exception where pictures come from
        sample_error = re.search(r"SampleError: (.*?)(\n|$)", str(error))
        if sample_error is None:
            raise
        raise SampleError(sample_error[1]) from error
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        if NO_SPACE in str(error):  # TensorFlow's one error for both
            places = f"that of model_save_dir, {f'of {display_path(folder)}, ' if folder else ''}or of temporary files"
            raise ModelError(f"{config.name}: a disk is full, {places}") from error
        remedy = remedy or f"lower train_batch_size (now {config.train_batch_size}), or close other programs"
        raise ModelError(f"{config.name}: memory ran out: {remedy}") from error


def choose_policy(precision: str) -> tuple[str, str]:
    """A Keras dtype policy for `precision` (float32, bfloat16, float16 or auto), and a sentence that says why."""
    if precision != "auto":
        return ("float32" if precision == "float32" else f"mixed_{precision}"), f"Precision {precision}, as configured"
    if tf.config.get_visible_devices("GPU"):
        return "mixed_float16", "Precision float16 with float32 weights (GPU)"
    with muted_stderr():  # oneDNN reports an error when it can't compute in bfloat16
        half, single = rates(convolution, 4)
        half_product, single_product = rates(matrix_product, 10)
    shown = (
        f"convolution {half:.0f} GFLOP/s in bfloat16, {single:.0f} in float32; "
        f"matrix product {half_product:.0f} GFLOP/s in bfloat16, {single_product:.0f} in float32"
    )
    if half > GAIN * single:
        return "mixed_bfloat16", f"Precision bfloat16 with float32 weights ({shown})"
    return "float32", f"Precision float32 ({shown})"


def product_rate() -> float:
    """GFLOP/s of a matrix product in bfloat16, to compare the rate of a training with."""
    with muted_stderr():
        return rates(matrix_product, 10)[0]


def rates(timed: Callable[[tf.DType], Timed], rounds: int) -> list[float]:
    """GFLOP/s in bfloat16 and in float32: the fastest of alternating rounds, so that a busy moment slows both."""
    both = [timed(dtype) for dtype in (tf.bfloat16, tf.float32)]
    for call, _ in both:
        call()  # may trace
    seconds = [[_seconds(call) for call, _ in both] for _ in range(rounds)]
    fastest = map(min, zip(*seconds, strict=True))
    return [operations / best / 1e9 for (_, operations), best in zip(both, fastest, strict=True)]


def convolution(dtype: tf.DType) -> Timed:
    """A 3×3 convolution of 128 channels and its two gradients, which a training mostly consists of.

    The product of matrices tells too little: without bfloat16 in hardware it may be as fast in both, where a
    convolution is fifteen times slower. On smaller maps chance decides where bfloat16 is 1.5 times as fast.
    """
    maps = tf.cast(tf.random.stateless_uniform((32, 8, 25, 128), (0, 0)), dtype)
    kernel = tf.cast(tf.random.stateless_uniform((3, 3, 128, 128), (0, 1)), dtype)

    @tf.function
    def gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch((maps, kernel))
            convolved = tf.nn.conv2d(maps, kernel, 1, "SAME")
        return tape.gradient(convolved, (maps, kernel), output_gradients=convolved)

    return lambda: gradients()[0].numpy(), 3 * 2 * math.prod(maps.shape) * math.prod(kernel.shape[:3])


def matrix_product(dtype: tf.DType) -> Timed:
    """A product of square matrices."""
    matrix = tf.cast(tf.random.stateless_uniform((SIDE, SIDE), (0, 0)), dtype)
    return lambda: tf.matmul(matrix, matrix).numpy(), 2 * SIDE**3


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def count_operations(model: keras.Model) -> int:
    """Multiplications and additions for one picture, forward, in convolutions and dense layers without attention."""
    count = 0
    for layer in model.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:
            places = layer.output.shape[1:-1] if len(layer.output.shape) > 2 else ()
            count += 2 * math.prod(kernel.shape) * math.prod(places)
    return count
