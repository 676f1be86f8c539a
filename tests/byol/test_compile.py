"""torch.compile changes neither the names of weights nor the results."""

import copy

import pytest
import torch

from byol_kedro.byol.method import Byol, Target
from byol_kedro.byol.step import train_step
from tests.support.trainings import compile_without_compiler, small_state, two_views


@pytest.fixture
def compiled(monkeypatch):
    return compile_without_compiler(monkeypatch)


def test_nothing_is_compiled_by_default(compiled):
    small_state()
    assert compiled == []


def test_both_networks_are_compiled_and_keep_their_names(compiled):
    state = small_state(compile=True)
    assert [type(call.__self__) for call in compiled] == [Byol, Target]
    assert list(state.network.state_dict()) == list(small_state().network.state_dict())
    assert [name for name, _ in state.network.named_modules()] == [n for n, _ in small_state().network.named_modules()]


def test_compiled_steps_equal_plain_steps(compiled):
    plain, state = small_state(), small_state(compile=True)
    before = copy.deepcopy(state.network.state_dict())
    for seed in range(2):
        for each in (plain, state):
            metrics = train_step(each, [two_views(seed=seed)], lr=0.1, tau=0.5)
    assert torch.isfinite(metrics).all()
    for (name, ours), theirs in zip(
        state.network.state_dict().items(), plain.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5, msg=name)
        assert name.endswith("num_batches_tracked") or not torch.equal(ours, before[name]), name
    assert len(compiled) == 2
