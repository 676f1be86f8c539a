"""Expected calibration error against a expected_error loop and known answers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.evaluation.metrics import expected_calibration_error


def expected_error(confidence, correct, bins):
    """Equation 3 of arXiv 1706.04599, bin by bin."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
        if inside.any():
            total += inside.sum() / len(confidence) * abs(correct[inside].mean() - confidence[inside].mean())
    return total


@given(st.integers(0, 10_000), st.integers(1, 300), st.sampled_from([1, 10, 15]))
def test_agrees_with_a_loop_over_the_bins(seed, n, bins):
    generator = np.random.default_rng(seed)
    confidence, correct = generator.uniform(0.001, 1, n).astype(np.float32), generator.random(n) < 0.6
    ours = expected_calibration_error(confidence, correct, bins)
    assert ours == pytest.approx(expected_error(confidence.astype(float), correct, bins), abs=1e-6)


def test_calibrated_confidence_has_no_error():
    confidence = np.repeat(np.array([0.5, 0.75], np.float32), 4)
    assert expected_calibration_error(confidence, np.array([1, 1, 0, 0, 1, 1, 1, 0], bool)) == 0


def test_certain_wrong_predictions_have_error_one():
    assert expected_calibration_error(np.ones(5, np.float32), np.zeros(5, bool)) == 1


def test_errors_in_two_bins_do_not_cancel():
    confidence = np.array([0.5, 0.5, 0.9, 0.9], np.float32)
    correct = np.array([1, 1, 0, 1], bool)  # 0.5 too low in one bin, 0.4 too high in the other
    assert expected_calibration_error(confidence, correct) == pytest.approx(0.45)


def test_confidence_above_one_is_in_the_last_bin():
    assert expected_calibration_error(np.array([1.0000001], np.float32), np.array([True])) < 1e-6


def test_upper_bin_edges_are_inclusive():
    confidence = np.array([0.25, 0.4], np.float32)
    correct = np.array([True, False])  # apart: 0.75 and 0.4; in one bin they would nearly cancel
    assert expected_calibration_error(confidence, correct, bins=4) == pytest.approx(0.575)
