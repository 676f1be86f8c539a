"""BYOL: the loss, who has a gradient, and the target network."""

import numpy as np
import pytest
import torch
from torch import nn

from byol_kedro.byol.method import Byol, byol_loss, mlp_head
from byol_kedro.byol.networks import create_encoder


def small_byol():
    return Byol(create_encoder("test_resnet", "imagenet", False, 0), 24, 8, 0)


def random_pairs(n=6, d=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 2, n, d), generator=generator, dtype=torch.float32)


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_each_view_predicts_the_other():
    (p1, p2), (z1, z2) = pairs = random_pairs()
    expected = (4 - 2 * cosine(p1.numpy(), z2.numpy()) - 2 * cosine(p2.numpy(), z1.numpy())).mean()
    assert float(byol_loss(*pairs)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("sign", "expected"), [(1, 0), (-1, 8)])
def test_the_loss_is_zero_for_perfect_and_eight_for_opposite_predictions(sign, expected):
    z = random_pairs()[0]
    loss = byol_loss((sign * 3 * z[1], sign * 0.5 * z[0]), (z[0], z[1]))
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_the_loss_is_float32_for_any_input_dtype():
    pairs = random_pairs().to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = byol_loss((pairs[0, 0], pairs[0, 1]), (pairs[1, 0], pairs[1, 1]))
    plain = pairs.double()
    exact = byol_loss((plain[0, 0], plain[0, 1]), (plain[1, 0], plain[1, 1]))
    assert loss.dtype == torch.float32
    assert float(loss) == pytest.approx(float(exact), rel=1e-6)


def test_no_gradient_reaches_the_targets():
    pairs = random_pairs()
    predictions, targets = pairs[0].clone().requires_grad_(), pairs[1].clone().requires_grad_()
    byol_loss((predictions[0], predictions[1]), (targets[0], targets[1])).backward()
    assert predictions.grad is not None
    assert targets.grad is None


def test_a_head_has_no_norm_after_its_last_layer():
    kinds = [type(layer) for layer in mlp_head(5, 7, 3)]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]


def test_the_target_starts_as_an_independent_copy():
    network = small_byol()
    online, target = network.moving_pairs
    assert len(online) == len(target)
    for theta, xi in zip(online, target, strict=True):
        assert torch.equal(theta, xi)
        assert theta.data_ptr() != xi.data_ptr()


def test_no_parameter_of_the_target_has_a_gradient():
    assert not any(parameter.requires_grad for parameter in small_byol().target.parameters())


def test_both_networks_are_compiled_with_the_given_options(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch, "compile", lambda call, *args, **options: compiled.append((args, options)) or call)
    small_byol().compile("model", fullgraph=True)
    assert compiled == [(("model",), {"fullgraph": True})] * 2


def test_the_target_fills_its_own_batch_norm_buffers():
    network = small_byol().train()
    before = {name: tensor.clone() for name, tensor in network.named_buffers()}
    network.target(torch.randn(8, 3, 16, 16))
    changed = {name for name, tensor in network.named_buffers() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith("target.")}
