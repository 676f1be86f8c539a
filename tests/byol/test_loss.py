"""What could break: which view meets which, the formula, precision, gradients to the target."""

import math

import numpy as np
import pytest
import torch

from byol_kedro.byol.loss import byol_loss, feature_std


def random_pairs(n=6, d=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn((2, 2, n, d), generator=generator, dtype=torch.float32)


def cosine(a, b):
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_each_view_predicts_the_other_one():
    (p1, p2), (z1, z2) = pairs = random_pairs()
    expected = (4 - 2 * cosine(p1.numpy(), z2.numpy()) - 2 * cosine(p2.numpy(), z1.numpy())).mean()
    assert float(byol_loss(*pairs)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("sign", "expected"), [(1, 0), (-1, 8)])
def test_loss_is_nothing_for_perfect_and_eight_for_opposite_predictions(sign, expected):
    z = random_pairs()[0]
    loss = byol_loss((sign * 3 * z[1], sign * 0.5 * z[0]), (z[0], z[1]))
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_the_loss_is_float32_whatever_comes_in():
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


def test_feature_std_is_zero_for_one_vector_and_near_one_over_root_d_for_a_sphere():
    spread = torch.randn((4000, 64), generator=torch.Generator().manual_seed(0))
    assert float(feature_std(torch.ones(10, 64) * torch.arange(1, 11)[:, None])) == pytest.approx(0, abs=1e-6)
    assert float(feature_std(spread)) == pytest.approx(1 / math.sqrt(64), rel=0.02)
