"""One training step: its order, the moving average, accumulation, gradients."""

import copy

import pytest
import torch
from torch.nn import functional as F

from byol_kedro.byol.step import train_step
from tests.support.trainings import small_state, two_views

LR, TAU, DECAY, MOMENTUM = 0.1, 0.9, 0.01, 0.9


def by_hand(network, first, second, velocity):
    """One step written out: SGD with momentum on θ without decay on vectors, then ξ ← τξ + (1 - τ)θ."""

    def online(view):
        return network.predictor(network.projector(network.encoder(view)))

    def target(view):
        return network.target.projector(network.target.encoder(view)).detach()

    loss = sum(
        (2 - 2 * F.cosine_similarity(online(ours), target(theirs))).mean()
        for ours, theirs in ((first, second), (second, first))
    )
    trained = {n: p for n, p in network.named_parameters() if not n.startswith("target.")}
    gradients = torch.autograd.grad(loss, list(trained.values()))
    with torch.no_grad():
        for (name, parameter), gradient in zip(trained.items(), gradients, strict=True):
            decayed = gradient + DECAY * parameter if parameter.ndim > 1 else gradient
            velocity[name] = MOMENTUM * velocity[name] + decayed if name in velocity else decayed.clone()
            parameter.sub_(LR * velocity[name])
        for name, moved in network.target.named_parameters():
            moved.copy_(TAU * moved + (1 - TAU) * trained[name])
    return float(loss.detach()), dict(zip(trained, gradients, strict=True))


def test_three_steps_equal_the_written_out_algorithm():
    state = small_state()
    reference, velocity = copy.deepcopy(state.network), {}
    for step in range(3):
        views = two_views(seed=step)
        metrics = train_step(state, [views], lr=LR, tau=TAU)
        loss, _ = by_hand(reference, *views, velocity)
        assert float(metrics[0]) == pytest.approx(loss, rel=1e-5)
    for (name, ours), theirs in zip(state.network.named_parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-4, msg=name)
    assert state.step == 3


def test_gradients_equal_the_written_out_ones_and_the_target_has_none():
    state = small_state()
    reference, views = copy.deepcopy(state.network), two_views()
    train_step(state, [views], lr=LR, tau=TAU)
    _, gradients = by_hand(reference, *views, {})
    for name, parameter in state.network.named_parameters():
        if name.startswith("target."):
            assert parameter.grad is None, name
        else:
            torch.testing.assert_close(parameter.grad, gradients[name], rtol=1e-4, atol=1e-6, msg=name)


def test_the_target_is_updated_after_the_optimizer():
    state = small_state()
    before = [parameter.clone() for parameter in state.network.moving_pairs[1]]
    train_step(state, [two_views()], lr=LR, tau=0.75)
    for xi, old, theta in zip(state.network.moving_pairs[1], before, state.network.moving_pairs[0], strict=True):
        torch.testing.assert_close(xi, 0.75 * old + 0.25 * theta)


def test_tau_one_keeps_the_target():
    state = small_state()
    before = [parameter.clone() for parameter in state.network.moving_pairs[1]]
    train_step(state, [two_views()], lr=LR, tau=1.0)
    assert all(map(torch.equal, state.network.moving_pairs[1], before))


def test_batch_norm_buffers_are_not_averaged():
    state = small_state()
    train_step(state, [two_views()], lr=LR, tau=TAU)
    before = {name: tensor.clone() for name, tensor in state.network.target.named_buffers()}
    state.network.update_target(0.5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.network.target.named_buffers())


def test_batch_norm_sees_one_view_at_a_time():
    state = small_state()
    first, second = two_views()
    norm = state.network.encoder.conv1[1]
    with torch.no_grad():
        means = [state.network.encoder.conv1[0](view).mean(dim=(0, 2, 3)) for view in (first, second)]
    train_step(state, [(first, second)], lr=0.0, tau=1.0)
    torch.testing.assert_close(norm.running_mean, 0.1 * (0.9 * means[0] + means[1]), rtol=1e-4, atol=1e-6)


def test_accumulation_averages_the_gradients_of_micro_batches():
    state = small_state()
    reference, batches = copy.deepcopy(state.network), [two_views(seed=seed) for seed in (1, 2, 3)]
    train_step(state, iter(batches), lr=LR, tau=TAU)
    gradients = [by_hand(copy.deepcopy(reference), *views, {})[1] for views in batches]
    for name, parameter in state.network.named_parameters():
        if not name.startswith("target."):
            mean = sum(each[name] for each in gradients) / 3
            torch.testing.assert_close(parameter.grad, mean, rtol=1e-4, atol=1e-6, msg=name)
    assert state.step == 1


def test_bfloat16_passes_keep_weights_and_loss_in_float32():
    state = small_state()
    metrics = train_step(state, [two_views()], lr=LR, tau=TAU, dtype=torch.bfloat16)
    exact = train_step(small_state(), [two_views()], lr=LR, tau=TAU)
    assert {parameter.dtype for parameter in state.network.parameters()} == {torch.float32}
    assert metrics.dtype == torch.float32
    assert float(metrics[0]) == pytest.approx(float(exact[0]), rel=0.02)


def test_metrics_are_means_over_micro_batches_without_gradient():
    once = [train_step(small_state(), [two_views(seed=seed)], lr=LR, tau=TAU) for seed in (1, 2)]
    both = train_step(small_state(), [two_views(seed=seed) for seed in (1, 2)], lr=LR, tau=TAU)
    torch.testing.assert_close(both, (once[0] + once[1]) / 2)
    assert not both.requires_grad
