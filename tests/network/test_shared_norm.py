"""Batch normalisation of a batch that two devices share."""

import json

import pytest

from tests.helpers import run_python


@pytest.mark.slow
def test_output_gradients_and_moving_statistics_are_those_of_the_whole_batch() -> None:
    """They differ by float32's rounding, as sums are taken in another order."""
    differences = json.loads(run_python("-m", "tests.network.shared_norm_process").stdout)
    for name, parts in differences.items():
        assert len(parts) == 6
        assert max(parts) < 1e-5, (name, parts)
