"""Tables of learning rate and τ."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.byol.schedule import learning_rate, target_tau


@pytest.mark.parametrize(
    ("step", "schedule", "expected"),
    [
        (0, "cosine", 0.25),  # a quarter of the way up: four warm-up steps
        (1, "cosine", 0.5),
        (3, "cosine", 1.0),
        (4, "cosine", 1.0),  # the cosine begins
        (6, "cosine", (1 + math.sqrt(0.5)) / 2),
        (8, "cosine", 0.5),
        (11, "cosine", (1 + math.cos(math.pi * 7 / 8)) / 2),
        (12, "cosine", 0.0),
        (0, "constant", 0.25),
        (4, "constant", 1.0),
        (11, "constant", 1.0),
    ],
)
def test_learning_rate_table(step, schedule, expected):
    rate = learning_rate(step, steps=12, warmup=4, peak=2.0, schedule=schedule)
    assert rate == pytest.approx(2.0 * expected, abs=1e-12)


@pytest.mark.parametrize(
    ("step", "schedule", "expected"),
    [
        (0, "cosine", 0.99),
        (25, "cosine", 1 - 0.01 * (1 + math.sqrt(0.5)) / 2),
        (50, "cosine", 0.995),
        (100, "cosine", 1.0),
        (0, "constant", 0.99),
        (99, "constant", 0.99),
    ],
)
def test_tau_table(step, schedule, expected):
    assert target_tau(step, steps=100, base=0.99, schedule=schedule) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 500), st.data())
def test_rates_are_positive_and_at_most_the_peak(steps, data):
    warmup = data.draw(st.integers(0, steps))
    rates = [learning_rate(step, steps=steps, warmup=warmup, peak=0.3, schedule="cosine") for step in range(steps)]
    assert all(0 < rate <= 0.3 + 1e-12 for rate in rates)
