"""Crop, resize and flip against torchvision, image by image."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as twin

from byol_kedro.byol.augmentation.geometry import crop_resize_flip

# torchvision in float64 is exact here; products and sums of float32 numbers up to 1 are good to some 1e-7 each.
TOLERANCE = 2e-6


def noise(n, size):
    return torch.randint(0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(size)).byte()


def resized(images, boxes, flips, view=None):
    box, flip, view = torch.tensor(boxes), torch.tensor(flips), view or images.shape[-1]
    return crop_resize_flip(images, box, flip, out=torch.empty(len(images), 3, view, view))


def expected(image, box, *, flip, view=None):
    pixels = image.double() / 255
    size = [view, view] if view else list(image.shape[1:])
    pixels = twin.resized_crop(pixels, *box, size, interpolation=InterpolationMode.BICUBIC, antialias=True)
    return (pixels.flip(-1) if flip else pixels).clamp(0, 1).float()


@st.composite
def boxes(draw, size):
    height, width = draw(st.integers(1, size)), draw(st.integers(1, size))
    return [draw(st.integers(0, size - height)), draw(st.integers(0, size - width)), height, width]


@pytest.mark.parametrize("size", [8, 31, 32, 50, 96])
@settings(max_examples=10, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_box_equals_torchvisions_resized_crop(size, data):
    chosen = [data.draw(boxes(size)) for _ in range(3)]
    flips = [data.draw(st.booleans()) for _ in range(3)]
    images = noise(3, size)
    result = resized(images, chosen, flips)
    for i in range(3):
        torch.testing.assert_close(result[i], expected(images[i], chosen[i], flip=flips[i]), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("size", "view"), [(96, 64), (97, 31), (33, 8), (64, 12), (31, 50)])
@settings(max_examples=8, deadline=None, derandomize=True)
@given(data=st.data())
def test_views_of_another_size_equal_torchvisions_resized_crop(size, view, data):
    chosen = [data.draw(boxes(size)), data.draw(boxes(size)), [0, 0, size, size]]
    flips = [data.draw(st.booleans()) for _ in range(3)]
    images = noise(3, size)
    result = resized(images, chosen, flips, view)
    for i in range(3):
        reference = expected(images[i], chosen[i], flip=flips[i], view=view)
        torch.testing.assert_close(result[i], reference, atol=1e-5, rtol=0)


def test_the_whole_image_stays_as_it_is():
    images = noise(2, 32)
    result = resized(images, [[0, 0, 32, 32]] * 2, [False, False])
    torch.testing.assert_close(result, images / 255, atol=1e-7, rtol=0)


def test_a_flip_mirrors_left_and_right_and_not_up_and_down():
    images = noise(1, 32)
    result = resized(images, [[0, 0, 32, 32]], [True])
    torch.testing.assert_close(result, images.flip(3) / 255, atol=1e-7, rtol=0)


def test_pixels_outside_the_box_do_not_matter():
    images = noise(1, 32)
    others = 255 - images
    others[:, :, 5:14, 7:27] = images[:, :, 5:14, 7:27]
    box = [[5, 7, 9, 20]]
    assert torch.equal(resized(images, box, [False]), resized(others, box, [False]))


def test_overshoot_of_the_cubic_is_clamped():
    images = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    images[..., 16:] = 255
    result = resized(images, [[4, 4, 24, 24]], [False])
    assert result.min() == 0
    assert result.max() == 1
