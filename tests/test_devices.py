import pytest
import tensorflow as tf

from cnnlib import devices


@pytest.mark.parametrize(
    ("precision", "policy"), [("float32", "float32"), ("bfloat16", "mixed_bfloat16"), ("float16", "mixed_float16")]
)
def test_configured_precision_is_taken(precision: str, policy: str) -> None:
    assert devices.choose_policy(precision) == (policy, f"Precision {precision}, as configured")


@pytest.mark.parametrize(("rate", "policy"), [(2.0, "mixed_bfloat16"), (0.1, "float32")])
def test_auto_takes_bfloat16_where_convolutions_are_measured_faster(
    monkeypatch: pytest.MonkeyPatch, rate: float, policy: str
) -> None:
    monkeypatch.setattr(devices, "convolution_rate", lambda dtype: 100 * (rate if dtype == tf.bfloat16 else 1))
    monkeypatch.setattr(devices, "matmul_rate", lambda dtype: 300 if dtype == tf.bfloat16 else 200)
    chosen, reason = devices.choose_policy("auto")
    assert chosen == policy
    assert f"convolution {100 * rate:.0f} GFLOP/s in bfloat16, 100 in float32" in reason
    assert "matrix product 300 GFLOP/s in bfloat16, 200 in float32" in reason


def test_rates_are_plausible_measurements() -> None:
    assert 0.1 < devices.matmul_rate(tf.float32) < 1e6
    assert 0.1 < devices.convolution_rate(tf.float32) < 1e6


def test_hidden_gpu_and_missing_gpu_are_said() -> None:
    assert devices.use_gpu(False) == "Computing on the CPU (enable_gpu 0)"
    if not tf.config.list_physical_devices("GPU"):
        assert "enable_gpu is set, but TensorFlow finds no GPU" in devices.use_gpu(True)
    assert not tf.config.get_visible_devices("GPU")
