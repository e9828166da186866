from collections.abc import Callable

import keras
import pytest
import tensorflow as tf

from cnnlib.training import devices


@pytest.mark.parametrize(
    ("precision", "policy"), [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")]
)
def test_configured_precision_is_taken(precision: str, policy: str) -> None:
    assert devices.choose_policy(precision) == (policy, f"Precision {precision}, as configured")


@pytest.mark.parametrize(("rate", "policy"), [(1.5, "mixed_bfloat16"), (0.1, "float32")])
def test_auto_takes_bfloat16_where_convolutions_are_measured_faster(
    monkeypatch: pytest.MonkeyPatch, rate: float, policy: str
) -> None:
    measured = {devices.convolution: [100 * rate, 100], devices.matrix_product: [300, 200]}
    monkeypatch.setattr(devices, "rates", lambda timed, _: measured[timed])
    chosen, reason = devices.choose_policy("auto")
    assert chosen == policy
    assert f"convolution {100 * rate:.0f} GFLOP/s in bfloat16, 100 in float32" in reason
    assert "matrix product 300 GFLOP/s in bfloat16, 200 in float32" in reason


@pytest.mark.parametrize("timed", [devices.convolution, devices.matrix_product])
def test_rates_are_plausible_measurements(timed: Callable[[tf.DType], devices.Timed]) -> None:
    assert all(0.1 < rate < 1e6 for rate in devices.rates(timed, 1))


def test_a_busy_moment_slows_neither_type_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0, 1, 1, 3, 3, 103, 103, 203])  # one round of 1 and 2 s, one of 100 s each
    monkeypatch.setattr(devices.time, "perf_counter", lambda: next(clock))
    assert devices.rates(lambda _: (lambda: None, 10**9), 2) == [1.0, 0.5]


def test_hidden_and_missing_gpus_are_reported() -> None:
    assert devices.use_gpu(False) == "Computing on the CPU (enable_gpu 0)"
    if not tf.config.list_physical_devices("GPU"):
        assert "enable_gpu is set, but TensorFlow finds no GPU" in devices.use_gpu(True)
    assert not tf.config.get_visible_devices("GPU")


def test_operations_are_those_of_the_layers() -> None:
    pictures = keras.Input((6, 8, 1))
    x = keras.layers.Conv2D(4, 3, padding="same")(pictures)  # 48 places of 9 products for each of 4 filters
    x = keras.layers.DepthwiseConv2D((6, 1))(x)  # 8 places of 6 products for each of 4 channels
    x = keras.layers.Dense(5)(keras.layers.Flatten()(x))  # 32 x 5 products
    assert devices.count_operations(keras.Model(pictures, x)) == 2 * (48 * 9 * 4 + 8 * 6 * 4 + 32 * 5)
