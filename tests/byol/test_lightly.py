"""Loss, moving average and schedules equal those of lightly."""

import copy

import pytest
import torch

from byol_kedro.byol.method import byol_loss
from byol_kedro.byol.schedule import learning_rate, target_tau
from tests.support.trainings import small_state

HOW = "needs lightly, which is large: pip install lightly, then run this file again"
loss = pytest.importorskip("lightly.loss", reason=HOW)
utils = pytest.importorskip("lightly.models.utils", reason=HOW)
scheduler = pytest.importorskip("lightly.utils.scheduler", reason=HOW)


def test_the_loss_is_four_more_than_twice_lightlys_cosines():
    (p1, p2), (z1, z2) = torch.randn((2, 2, 32, 16), generator=torch.Generator().manual_seed(0))
    negative_cosine = loss.NegativeCosineSimilarity()
    theirs = 2 * (negative_cosine(p1, z2) + negative_cosine(p2, z1)) + 4
    torch.testing.assert_close(byol_loss((p1, p2), (z1, z2)), theirs)


@pytest.mark.parametrize("tau", [0.0, 0.9, 0.996, 1.0])
def test_the_target_moves_as_lightlys_momentum_encoder(tau):
    state = small_state()
    with torch.no_grad():
        for parameter in state.network.moving_pairs[0]:
            parameter.add_(torch.randn(parameter.shape, generator=state.generator))
    theirs = copy.deepcopy(state.network)
    utils.update_momentum(theirs.encoder, theirs.target.encoder, m=tau)
    utils.update_momentum(theirs.projector, theirs.target.projector, m=tau)
    state.network.update_target(tau)
    for ours, other in zip(state.network.moving_pairs[1], theirs.target.parameters(), strict=True):
        torch.testing.assert_close(ours, other, rtol=1e-6, atol=1e-7)


def test_tau_is_lightlys_cosine_of_one_step_more():
    # lightly's reaches its end at the last step, the paper's one step later: at K, not K - 1.
    ours = [target_tau(step, steps=50, base=0.99, schedule="cosine") for step in range(50)]
    assert ours == pytest.approx([scheduler.cosine_schedule(step, 51, 0.99, 1.0) for step in range(50)])


def test_the_learning_rate_after_its_warm_up_is_lightlys_cosine():
    ours = [learning_rate(step, steps=40, warmup=5, peak=0.3, schedule="cosine") for step in range(5, 40)]
    assert ours == pytest.approx([scheduler.cosine_schedule(step, 36, 0.3, 0.0) for step in range(35)])


def test_the_warm_up_is_lightlys():
    theirs = [
        scheduler.cosine_warmup_schedule(
            step, max_steps=40, start_value=0.3, end_value=0.0, warmup_steps=5, warmup_start_value=0.0
        )
        for step in range(5)
    ]
    ours = [learning_rate(step, steps=40, warmup=5, peak=0.3, schedule="cosine") for step in range(5)]
    assert ours == pytest.approx(theirs)
