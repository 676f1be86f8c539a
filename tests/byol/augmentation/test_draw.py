"""The drawn parameters have the distribution that the view asks for."""

import math
from itertools import permutations

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms import RandomResizedCrop

from byol_kedro.byol.augmentation.draw import SKIPPED, draw_params
from byol_kedro.byol.augmentation.operations import OPERATIONS
from byol_kedro.parameters import View

N = 20_000
PAPER = {
    "scale": (0.08, 1.0), "ratio": (0.75, 1.3333), "hflip_prob": 0.5, "color_jitter_prob": 0.8, "brightness": 0.4,
    "contrast": 0.3, "saturation": 0.2, "hue": 0.1, "grayscale_prob": 0.2, "blur_prob": 0.1, "blur_sigma": (0.1, 2.0),
    "solarize_prob": 0.2,
}  # fmt: skip
# Seeds are fixed, so the tests are deterministic; with another seed each would fail once in a thousand times.
RARE = 1e-3


def drawn(n=N, size=96, seed=0, **changes):
    return draw_params(View(**PAPER | changes), n, size, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", [operation.name for operation in OPERATIONS])
def test_operations_are_applied_with_their_probability(name):
    count = int(drawn().applied[name].sum())
    assert stats.binomtest(count, N, PAPER[f"{name}_prob"]).pvalue > RARE


def test_flips_have_their_probability():
    assert stats.binomtest(int(drawn().flip.sum()), N, PAPER["hflip_prob"]).pvalue > RARE


def test_jitter_applies_all_of_its_operations_or_none():
    skipped = (drawn().jitter_order == SKIPPED).sum(dim=1)
    assert set(skipped.tolist()) == {0, 4}
    assert stats.binomtest(int((skipped == 0).sum()), N, PAPER["color_jitter_prob"]).pvalue > RARE


def test_operations_are_drawn_independently():
    batch = drawn()
    flags = torch.stack((batch.flip, *batch.applied.values(), batch.jitter_order[:, 0] != SKIPPED)).float()
    correlation = torch.corrcoef(flags) - torch.eye(5)
    assert correlation.abs().max() < 4 / math.sqrt(N)


def test_the_24_orders_of_the_jitter_are_equally_likely():
    orders = drawn(color_jitter_prob=1.0).jitter_order.tolist()
    counts = [sum(order == list(wanted) for order in orders) for wanted in permutations(range(4))]
    assert sum(counts) == N
    assert stats.chisquare(counts).pvalue > RARE


@pytest.mark.parametrize(("column", "low", "high"), [(0, 0.6, 1.4), (1, 0.7, 1.3), (2, 0.8, 1.2), (3, -0.1, 0.1)])
def test_jitter_factors_are_uniform_over_their_ranges(column, low, high):
    factors = drawn().jitter_factors[:, column]
    assert stats.kstest(factors, stats.uniform(low, high - low).cdf).pvalue > RARE


def test_sigma_of_the_blur_is_uniform_over_its_range():
    assert stats.kstest(drawn().parameters["blur"], stats.uniform(0.1, 1.9).cdf).pvalue > RARE


def test_jitter_operations_of_strength_zero_are_skipped():
    order = drawn(color_jitter_prob=1.0, hue=0.0, contrast=0.0).jitter_order
    assert set(order.unique().tolist()) == {SKIPPED, 0, 2}


@pytest.mark.parametrize("aspect", [(0.75, 1.3333), (0.2, 5.0)])
def test_boxes_are_distributed_as_torchvisions(aspect):
    boxes = drawn(4000, ratio=aspect).box.numpy()
    torch.manual_seed(0)
    image = torch.empty(3, 96, 96)
    twins = torch.tensor([RandomResizedCrop.get_params(image, [0.08, 1.0], list(aspect)) for _ in range(4000)])
    twins = twins.numpy()
    for measure in (
        lambda box: box[:, 2] * box[:, 3],
        lambda box: box[:, 2] / box[:, 3],
        lambda box: box[:, 0],
        lambda box: box[:, 1],
    ):
        assert stats.ks_2samp(measure(boxes), measure(twins)).pvalue > RARE


@pytest.mark.parametrize(("low", "high"), [(0.08, 1.0), (0.2, 0.6)])
def test_areas_of_boxes_are_uniform_from_end_to_end_of_the_scale(low, high):
    # A square always fits, so no try is rejected; at 1000 px the rounding of the side is far below the resolution.
    boxes = drawn(size=1000, scale=(low, high), ratio=(1.0, 1.0)).box.double()
    share = (boxes[:, 2] * boxes[:, 3]).numpy() / 1000**2
    assert stats.kstest(share, stats.uniform(low, high - low).cdf).pvalue > RARE
    assert share.min() == pytest.approx(low, abs=2e-3)
    assert share.max() == pytest.approx(high, abs=2e-3)


def test_logarithms_of_aspect_ratios_are_uniform_from_end_to_end():
    # A tenth of the area fits with every one of these ratios.
    box = drawn(size=2000, scale=(0.1, 0.1), ratio=(0.5, 3.0)).box.double().numpy()
    logarithm, low, high = np.log(box[:, 3] / box[:, 2]), math.log(0.5), math.log(3.0)
    assert stats.kstest(logarithm, stats.uniform(low, high - low).cdf).pvalue > RARE
    assert logarithm.min() == pytest.approx(low, abs=5e-3)
    assert logarithm.max() == pytest.approx(high, abs=5e-3)


def test_boxes_lie_inside_the_image_and_differ():
    top, left, height, width = drawn(size=32).box.unbind(1)
    assert min(top.min(), left.min()) == 0
    assert (top + height).max() == (left + width).max() == 32
    assert min(height.min(), width.min()) >= 1
    assert len(torch.stack((top, left, height, width)).unique(dim=1).T) > 2000


@pytest.mark.parametrize("start", [0, 1], ids=["top", "left"])
def test_positions_of_a_box_are_uniform(start):
    boxes = drawn(size=32, scale=(0.25, 0.25), ratio=(1.0, 1.0)).box
    counts = boxes[:, start].bincount(minlength=17)  # 16 pixels of 32
    assert stats.chisquare(counts).pvalue > RARE


def test_both_positions_of_a_box_are_drawn_independently():
    top, left = drawn(size=96, scale=(0.25, 0.25), ratio=(1.0, 1.0)).box[:, :2].T
    assert stats.spearmanr(top, left).pvalue > RARE


@pytest.mark.parametrize(("ratio", "side"), [(4 / 3, "width"), (3 / 4, "height")])
def test_a_box_may_be_as_wide_or_as_high_as_the_image(ratio, side):
    top, left, height, width = drawn(scale=(0.75, 0.75), ratio=(ratio, ratio)).box.unbind(1)
    whole, part, moved = (width, height, top) if side == "width" else (height, width, left)
    assert set(zip(whole.tolist(), part.tolist(), strict=True)) == {(96, 72)}
    assert set(moved.tolist()) == set(range(25))  # not in the center only


@pytest.mark.parametrize(
    ("aspect", "box"), [((0.5, 0.5), [0, 24, 96, 48]), ((2.0, 2.0), [24, 0, 48, 96]), ((0.5, 2.0), [0, 0, 96, 96])]
)
def test_the_box_is_central_if_no_try_fits(aspect, box):
    # The whole area of a square fits with an aspect ratio of 1 only.
    boxes = drawn(50, scale=(1.0, 1.0), ratio=aspect).box
    central = torch.tensor(box)
    assert (boxes == central).all(dim=1).float().mean() > 0.9


def test_views_drawn_one_after_the_other_differ():
    generator = torch.Generator().manual_seed(0)
    first, second = (draw_params(View(**PAPER), 100, 96, generator) for _ in range(2))
    assert not (first.jitter_factors == second.jitter_factors).any()
