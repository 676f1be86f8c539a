"""Whole views against torchvision with the same parameters, image by image."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as twin
from torchvision.transforms.v2 import functional as twin_v2

from byol_kedro.byol.augmentation import augment as module
from byol_kedro.byol.augmentation.augment import apply_params, augment
from byol_kedro.byol.augmentation.blur import kernel_size
from byol_kedro.byol.augmentation.draw import SKIPPED, AugmentParams, draw_params
from byol_kedro.byol.augmentation.operations import OPERATIONS
from byol_kedro.parameters import View

PAPER = {
    "scale": (0.08, 1.0), "ratio": (0.75, 1.3333), "hflip_prob": 0.5, "color_jitter_prob": 0.8, "brightness": 0.4,
    "contrast": 0.4, "saturation": 0.2, "hue": 0.1, "grayscale_prob": 0.2, "blur_prob": 0.5, "blur_sigma": (0.1, 2.0),
    "solarize_prob": 0.3,
}  # fmt: skip
JITTER = (twin.adjust_brightness, twin.adjust_contrast, twin.adjust_saturation, twin.adjust_hue)
# float32 against torchvision in float64: about ten operations with an error of 1e-7 each, magnified at most 2 × 2 × 2
# by the largest factors of the three blends, and by the hue shift of an image that is nearly gray.
TOLERANCE = 1e-5
few = settings(max_examples=10, deadline=None, derandomize=True)


def noise(n=24, size=32, seed=0):
    return torch.randint(0, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(seed)).byte()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def untouched(n, size=32):
    """Parameters that do not change the images."""
    never = torch.zeros(n, dtype=torch.bool)
    return AugmentParams(
        box=torch.tensor([[0, 0, size, size]]).repeat(n, 1),
        flip=never,
        jitter_order=torch.full((n, 4), SKIPPED),
        jitter_factors=torch.tensor([[1.0, 1.0, 1.0, 0.0]]).repeat(n, 1),
        applied={operation.name: never for operation in OPERATIONS},
        parameters={"blur": torch.ones(n)},
    )


def expected(image, params, i):
    """The view of one image, by torchvision's functions in float64."""
    x, size = image.double() / 255, image.shape[-1]
    box = params.box[i].tolist()
    cubic = InterpolationMode.BICUBIC
    x = twin_v2.resized_crop(x, *box, [size, size], interpolation=cubic, antialias=True).clamp(0, 1)
    x = x.flip(-1) if params.flip[i] else x
    for index in params.jitter_order[i].tolist():
        # torchvision computes the hue in float32, whatever the dtype of the input.
        x = x if index == SKIPPED else JITTER[index](x, params.jitter_factors[i, index].item()).double()
    x = twin.rgb_to_grayscale(x, 3) if params.applied["grayscale"][i] else x
    sigma = params.parameters["blur"][i].item()
    x = twin.gaussian_blur(x, [kernel_size(size)] * 2, [sigma] * 2) if params.applied["blur"][i] else x
    return (twin.solarize(x, 0.5) if params.applied["solarize"][i] else x).float()


def assert_equals_torchvision(images, params):
    result = apply_params(images, params)
    for i, image in enumerate(images):
        torch.testing.assert_close(result[i], expected(image, params, i), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("size", [32, 50, 96])
@pytest.mark.parametrize(
    "strength", [PAPER, PAPER | {"brightness": 0.8, "contrast": 0.8, "saturation": 0.8, "hue": 0.2}]
)
def test_every_image_of_a_batch_equals_torchvision_with_its_parameters(size, strength):
    # Solarize is continuous at one half, so that rounding there does not matter.
    assert_equals_torchvision(noise(40, size), draw_params(View(**strength), 40, size, seeded()))


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_jitter_in_this_order_equals_torchvision(order):
    params = replace(
        untouched(4),
        jitter_order=torch.tensor([order]).repeat(4, 1),
        jitter_factors=draw_params(View(**PAPER), 4, 32, seeded()).jitter_factors,
    )
    assert_equals_torchvision(noise(4), params)


@pytest.mark.parametrize("name", ["flip", *(operation.name for operation in OPERATIONS)])
def test_an_operation_changes_only_the_images_that_it_is_drawn_for(name):
    drawn, params = torch.arange(24) % 3 == 0, untouched(24)
    changes = {"flip": drawn} if name == "flip" else {"applied": params.applied | {name: drawn}}
    images = noise()
    changed = (apply_params(images, replace(params, **changes)) - images / 255).abs().amax(dim=(1, 2, 3)) > 1e-3
    assert torch.equal(changed, drawn)


def test_views_are_normalized_by_channel():
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    plain = augment(noise(), View(**PAPER), seeded())
    normalized = augment(noise(), View(**PAPER), seeded(), mean=mean, std=std)
    channel = (slice(None), 2)
    torch.testing.assert_close(normalized[channel], (plain[channel] - 0.6) / 0.3)
    torch.testing.assert_close(normalized[:, 0], (plain[:, 0] - 0.4) / 0.2)


probability = st.floats(0, 1)


@few
@given(
    n=st.integers(1, 35),
    size=st.sampled_from([8, 21, 32]),
    changes=st.fixed_dictionaries(
        dict.fromkeys(
            [
                "hflip_prob",
                "color_jitter_prob",
                "brightness",
                "contrast",
                "saturation",
                "grayscale_prob",
                "blur_prob",
                "solarize_prob",
            ],
            probability,
        )
        | {"hue": st.floats(0, 0.5)},
    ),
)
def test_views_are_finite_and_have_range_and_shape(n, size, changes):
    result = augment(noise(n, size), View(**PAPER | changes), seeded(n))
    assert result.shape == (n, 3, size, size)
    assert result.dtype == torch.float32
    assert result.isfinite().all()
    assert result.min() >= 0
    assert result.max() <= 1


@few
@given(st.permutations(range(24)))
def test_the_view_of_an_image_does_not_depend_on_its_neighbors(order):
    images, params, rows = noise(), draw_params(View(**PAPER), 24, 32, seeded()), torch.tensor(order)[:17]
    views = apply_params(images[rows], params.take(rows))
    # A batch of another size may sum its products in another order.
    torch.testing.assert_close(views, apply_params(images, params)[rows], atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [32, 96])
def test_rows_picked_as_on_a_gpu_give_the_same_views_as_slices(size, monkeypatch):
    images, params = noise(40, size), draw_params(View(**PAPER), 40, size, seeded())
    slices = apply_params(images, params)
    monkeypatch.setattr(module, "_runs", module._picks)
    torch.testing.assert_close(apply_params(images, params), slices, atol=1e-6, rtol=0)


@few
@given(st.integers(0, 2**32))
def test_the_same_state_of_the_generator_gives_the_same_bits(seed):
    generator = seeded(seed)
    state = generator.get_state()
    first = augment(noise(), View(**PAPER), generator)
    generator.set_state(state)
    torch.manual_seed(0)  # the global generator does not matter
    assert torch.equal(augment(noise(), View(**PAPER), generator), first)


def test_two_views_of_every_image_differ():
    generator, images = seeded(), noise()
    first, second = (augment(images, View(**PAPER), generator) for _ in range(2))
    assert ((first - second).abs().amax(dim=(1, 2, 3)) > 0.01).all()


def test_copies_of_one_image_in_a_batch_become_different_views():
    views = augment(noise(1).repeat(24, 1, 1, 1), View(**PAPER), seeded())
    assert torch.pdist(views.flatten(1)).min() > 0.5


def test_the_input_images_are_not_changed():
    images = noise()
    augment(images, View(**PAPER), seeded())
    assert torch.equal(images, noise())
