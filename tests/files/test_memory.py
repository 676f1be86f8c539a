"""Sizes that no memory can hold are refused before anything is allocated."""

import numpy as np
import pytest

from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes import mlp
from byol_kedro.evaluation.probes.base import Mlp
from byol_kedro.files.memory import check_memory
from byol_kedro.pipelines.pair_model.inputs import check_feature_dim
from tests.support.pair_problems import SETTINGS, changed

HUGE = 10**9


def test_network_beyond_the_memory(monkeypatch):
    sizes = {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4000}
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    check_memory("widths", 250_000)  # 4 bytes, four times
    with pytest.raises(UserError) as error:
        check_memory("widths", 250_001)
    expected = "widths: 250,001 weights need 4.0 MB of memory in training, this machine has 4.0 MB"
    assert str(error.value) == f"{expected}; choose a smaller value"


def test_memory_that_the_system_does_not_tell(monkeypatch):
    monkeypatch.delattr("os.sysconf")
    check_memory("widths", HUGE**2)


def test_widths_of_the_pair_model_are_checked_before_the_training():
    with pytest.raises(UserError, match=r"pair_model.widths: 1,000,017,513,000,016 weights need"):
        check_feature_dim(changed(SETTINGS, widths=[10**6, 10**9]), 512, None)


def test_hidden_layer_of_the_mlp_is_checked():
    params = Mlp(hidden_dim=2**31 - 1, lr=0.1, weight_decay=0, batch_size=4, epochs=1, patience=1, validation=0.5)
    with pytest.raises(UserError, match=r"probes.mlp.hidden_dim: 77,309,411,296 weights need"):
        mlp.fit(np.zeros((4, 31), np.float32), np.arange(4) % 4, 4, params, 0)
