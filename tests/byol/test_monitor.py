"""Metrics and rows of the history."""

import math

import pytest
import torch

from byol_kedro.byol.monitor import Monitor, Row, feature_std


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("byol_kedro.byol.monitor.time.perf_counter", lambda: now[0])
    return now


def test_a_row_is_the_mean_since_the_previous_row(clock):
    monitor = Monitor(torch.device("cpu"))
    for loss, std in ((8.0, 1.0), (4.0, 0.5), (1.0, 0.2), (3.0, 0.4)):
        clock[0] += 2.0
        monitor.add(torch.tensor([loss, std]))
        if loss == 4.0:
            monitor.read(2, 0.2, 0.1, 0.99, 16)
    row = monitor.read(4, 0.4, 0.05, 0.995, 16)
    assert row.loss == pytest.approx(2.0)
    assert row.feature_std == pytest.approx(0.3)
    assert row.images_per_second == pytest.approx(2 * 16 / 4.0)
    assert (row.step, row.epoch, row.lr, row.tau) == (4, 0.4, 0.05, 0.995)


def test_speed_counts_time_since_the_reset(clock):
    monitor = Monitor(torch.device("cpu"))
    clock[0] += 100.0
    monitor.reset()
    clock[0] += 1.0
    monitor.add(torch.zeros(2))
    assert monitor.read(1, 1.0, 0.1, 0.9, 8).images_per_second == pytest.approx(8.0)


@pytest.mark.parametrize(("share", "collapsed"), [(0.0, True), (0.32, True), (0.34, False), (1.0, False)])
def test_a_collapse_is_less_than_a_third_of_the_healthy_std(share, collapsed):
    row = Row(1, 1.0, 1.0, 0.1, 0.9, 1.0, feature_std=share / math.sqrt(64))
    assert row.collapsed(64) is collapsed


def test_feature_std_is_zero_for_a_collapse_and_one_over_root_d_for_a_sphere():
    spread = torch.randn((4000, 64), generator=torch.Generator().manual_seed(0))
    assert float(feature_std(torch.ones(10, 64) * torch.arange(1, 11)[:, None])) == pytest.approx(0, abs=1e-6)
    assert float(feature_std(spread)) == pytest.approx(1 / math.sqrt(64), rel=0.02)


def test_feature_std_is_that_of_the_batch_itself():
    # Of 0 and 1 it is 1/2; the estimate for a population that they are drawn from would be 0.71.
    assert float(feature_std(3 * torch.eye(2))) == pytest.approx(0.5)
