"""Advice on a machine that other programs use."""

import logging
import os

import pytest

from byol_kedro.pipelines.pretrain import progress
from byol_kedro.pipelines.pretrain.progress import log_busy_machine


@pytest.mark.parametrize(
    ("load", "threads", "is_advised"), [(2.0, 2, False), (2.1, 2, True), (8.0, 2, True), (8.0, 1, False)]
)
def test_threads_that_wait_for_each_other_are_advised_against(monkeypatch, caplog, load, threads, is_advised):
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(progress, "usable_cores", lambda: 2)
    with caplog.at_level(logging.INFO):
        log_busy_machine(threads)
    assert ["OMP_NUM_THREADS=1" in message for message in caplog.messages] == [True] * is_advised
