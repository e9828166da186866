"""Where and in which numbers a training computes."""

import time

import tensorflow as tf

from cnnlib.quiet import quiet

SIDE = 512  # of the square matrices whose product is timed
GAIN = 1.3  # bfloat16 is taken where it is at least this much faster; emulated, it is many times slower


def use_gpu(wanted: bool) -> str:
    """Hide or keep the GPUs; returns a sentence about what is computed on.

    TensorFlow allows the choice only before its first computation in a process.
    """
    if not wanted:
        with quiet():  # where there is no driver, CUDA reports an error
            tf.config.set_visible_devices([], "GPU")
        return "Computing on the CPU (enable_gpu 0)"
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if gpus:
        return f"Computing on {len(gpus)} GPU(s)"
    return "Computing on the CPU: enable_gpu is set, but TensorFlow finds no GPU; see requirements-gpu.txt"


def choose_policy(precision: str) -> tuple[str, str]:
    """A Keras dtype policy for `precision` (float32, bfloat16, float16 or auto), and a sentence that says why."""
    if precision != "auto":
        return ("float32" if precision == "float32" else f"mixed_{precision}"), f"Precision {precision}, as configured"
    if tf.config.get_visible_devices("GPU"):
        return "mixed_float16", "Precision float16 with float32 weights (GPU)"
    rates = {dtype: matmul_rate(dtype) for dtype in (tf.float32, tf.bfloat16)}
    shown = f"matrix product {rates[tf.bfloat16]:.0f} GFLOP/s in bfloat16, {rates[tf.float32]:.0f} in float32"
    if rates[tf.bfloat16] > GAIN * rates[tf.float32]:
        return "mixed_bfloat16", f"Precision bfloat16 with float32 weights ({shown})"
    return "float32", f"Precision float32 ({shown})"


def matmul_rate(dtype: tf.DType, repeats: int = 10) -> float:
    """GFLOP/s of a square matrix product, the best of `repeats`."""
    matrix = tf.cast(tf.random.stateless_uniform((SIDE, SIDE), (0, 0)), dtype)
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        tf.matmul(matrix, matrix).numpy()
        best = min(best, time.perf_counter() - start)
    return 2 * SIDE**3 / best / 1e9
