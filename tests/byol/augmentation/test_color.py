"""Each color operation against torchvision's function for float tensors, image by image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import functional as twin

from byol_kedro.byol.augmentation import color
from byol_kedro.byol.augmentation.operations import HUE, JITTER

# A few float32 operations on numbers up to 1, in another order than torchvision's.
TOLERANCE = 1e-6
# torchvision divides by chroma and value and multiplies by them again.
HUE_TOLERANCE = 2e-6


def images(n=4, size=12):
    """Noise, with areas of black, white, gray and pure colors, where the hue is undefined or ambiguous."""
    x = torch.rand((n, 3, size, size), generator=torch.Generator().manual_seed(1))
    x[0, :, :2], x[0, :, 2:4] = 0, 1
    x[1] = x[1, :1]
    x[2] = x[2].round()
    x[3] = (x[3] * 255).round() / 255
    return x


def per_image(function, x, factor):
    return torch.stack([function(x[i], factor[i].item()) for i in range(len(x))])


@pytest.mark.parametrize("low", [0.0, 0.6])
@pytest.mark.parametrize(
    ("operation", "function"),
    [
        (color.brightness_, twin.adjust_brightness),
        (color.contrast_, twin.adjust_contrast),
        (color.saturation_, twin.adjust_saturation),
    ],
)
def test_blends_equal_torchvisions(operation, function, low):
    x, factor = images(), torch.linspace(low, 2, 4)
    expected = per_image(function, x, factor)
    operation(x, factor)
    torch.testing.assert_close(x, expected, atol=TOLERANCE, rtol=0)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.floats(-0.5, 0.5, width=32), min_size=4, max_size=4))
def test_a_hue_shift_equals_torchvisions(shifts):
    x, shift = images(), torch.tensor(shifts)
    expected = per_image(twin.adjust_hue, x, shift)
    color.hue_(x, shift)
    torch.testing.assert_close(x, expected, atol=HUE_TOLERANCE, rtol=0)


def test_a_hue_shift_of_one_third_moves_red_to_green_to_blue():
    red, green, blue = torch.eye(3).view(3, 3, 1, 1)
    x = torch.stack((red, green, blue))
    color.hue_(x, torch.full((3,), 1 / 3))
    torch.testing.assert_close(x, torch.stack((green, blue, red)), atol=TOLERANCE, rtol=0)


def test_gray_equals_torchvisions():
    x = images()
    expected = twin.rgb_to_grayscale(x, 3)
    color.gray_(x)
    torch.testing.assert_close(x, expected, atol=TOLERANCE, rtol=0)


def test_solarize_inverts_values_of_one_half_or_more():
    x = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).view(1, 1, 1, 5).repeat(2, 3, 1, 1)
    expected = twin.solarize(x, 0.5)
    color.solarize_(x)
    assert torch.equal(x, expected)


def test_an_operation_changes_nothing_but_its_slice():
    x = images()
    before = x.clone()
    for index, jitter in enumerate(JITTER):
        jitter.apply(x[1:3], torch.tensor([0.3, 0.4]) if index == HUE else torch.tensor([0.5, 1.4]))
    assert torch.equal(x[0], before[0])
    assert torch.equal(x[3], before[3])
    assert not torch.equal(x[2], before[2])
