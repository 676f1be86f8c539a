"""Gaussian blur against torchvision, image by image."""

import pytest
import torch
from torchvision.transforms import functional as twin

from byol_kedro.byol.augmentation import blur


def noise(n, size):
    return torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize(("size", "taps"), [(224, 23), (96, 9), (32, 3), (8, 1)])
def test_the_kernel_is_an_odd_number_about_a_tenth_of_the_side(size, taps):
    assert blur.kernel_size(size) == taps


@pytest.mark.parametrize("n", [1, 5, 16, 17])
@pytest.mark.parametrize("size", [32, 60, 96])
def test_each_image_has_its_own_blur_and_equals_torchvisions(n, size):
    x, sigma = noise(n, size), torch.linspace(0.1, 2, n)
    taps = [blur.kernel_size(size)] * 2
    expected = torch.stack([twin.gaussian_blur(x[i], taps, [sigma[i].item()] * 2) for i in range(n)])
    blur.blur_(x, sigma)
    # Two sums of at most 9 products against one of 81, on numbers up to 1.
    torch.testing.assert_close(x, expected, atol=1e-6, rtol=0)


def test_a_flat_image_stays_flat_up_to_its_borders():
    x = torch.full((2, 3, 40, 40), 0.25)
    blur.blur_(x, torch.tensor([0.5, 2.0]))
    torch.testing.assert_close(x, torch.full_like(x, 0.25), atol=1e-6, rtol=0)


def test_a_white_image_does_not_become_whiter_by_the_last_bit():
    x = torch.ones((64, 3, 32, 32))
    blur.blur_(x, torch.linspace(0.1, 2, 64))
    assert x.max() <= 1


def test_weights_sum_to_one_and_fall_from_the_middle():
    weights = blur.gaussian(torch.tensor([0.1, 1.0, 2.0]), 9)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(3))
    assert (weights[:, :4].diff(dim=1) >= 0).all()
    assert torch.equal(weights, weights.flip(1))
