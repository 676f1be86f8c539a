"""The precision of a training, and the networks that cannot be trained in bfloat16 on a CPU."""

import pytest
import torch
from torch import nn

from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.precision import autocast_dtype, computes_in_bfloat16, resolve_precision
from tests.support.trainings import CPU

RESNET18 = create_encoder("resnet18", "imagenet", False, 0)


def with_instructions(monkeypatch, *names):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: dict.fromkeys(names, True), raising=False)


@pytest.mark.parametrize(("capability", "supported"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_gpus_from_compute_capability_8_compute_in_bfloat16(monkeypatch, capability, supported):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert computes_in_bfloat16(torch.device("cuda")) is supported


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        (("amx_bf16",), "bfloat16"),
        (("avx512_bf16",), "bfloat16"),
        (("bf16", "neon"), "bfloat16"),
        (("avx2",), "float32"),
    ],
)
def test_auto_is_bfloat16_on_processors_that_compute_in_it(monkeypatch, instructions, expected):
    with_instructions(monkeypatch, *instructions)
    assert resolve_precision("auto", RESNET18, 32) == (expected, "")


def test_auto_is_float32_if_torch_does_not_know_the_processor(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert computes_in_bfloat16(CPU) is False
    assert computes_in_bfloat16(torch.device("mps")) is False


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_precision_that_is_asked_for_is_kept(monkeypatch, precision):
    with_instructions(monkeypatch)
    assert resolve_precision(precision, RESNET18, 32) == (precision, "")


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_networks_with_wrong_gradients_train_in_float32(monkeypatch, precision):
    with_instructions(monkeypatch, "avx512_bf16")
    # 16 pixels are 1 before the fourth stage, whose first convolution has stride 2.
    chosen, reason = resolve_precision(precision, RESNET18, 16)
    assert chosen == "float32"
    assert "layer4.0.conv1" in reason
    assert "16 × 16" in reason
    assert RESNET18.training
    assert not any(module._forward_pre_hooks for module in RESNET18.modules())


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "side", "is_wrong"),
    [
        (3, 2, 1, 1, True), (3, 2, 1, 2, False), (3, 4, 1, 3, True), (3, 4, 1, 4, False), (3, 1, 1, 1, False),
        (5, 1, 2, 1, True), (5, 1, 2, 2, False), (7, 1, 3, 2, True), (7, 1, 3, 3, False), (1, 2, 0, 1, False),
    ],
)  # fmt: skip
def test_convolutions_with_wrong_gradients_are_found(kernel, stride, padding, side, is_wrong):
    network = nn.Sequential(nn.Conv2d(3, 4, kernel, stride=stride, padding=padding))
    assert resolve_precision("bfloat16", network, side)[0] == ("float32" if is_wrong else "bfloat16")


def test_autocast_dtypes():
    assert [autocast_dtype(p) for p in ("float32", "bfloat16", "float16")] == [None, torch.bfloat16, torch.float16]


def test_bfloat16_gradients_of_the_convolutions_that_are_left_are_right():
    """Against float32, in memory that was NaN before, for the smallest sides that are allowed."""
    for kernel, stride, padding, side in ((3, 2, 1, 2), (3, 4, 1, 4), (3, 1, 1, 1), (5, 1, 2, 2), (7, 1, 3, 3)):
        conv = nn.Conv2d(64, 128, kernel, stride=stride, padding=padding, bias=False)
        x = torch.randn(32, 64, side, side, generator=torch.Generator().manual_seed(0))
        gradients = []
        for dtype in (torch.float32, torch.bfloat16):
            conv.zero_grad(set_to_none=True)
            used = [torch.full_like(conv.weight, torch.nan, dtype=each) for each in (torch.float32, torch.bfloat16)]
            del used
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
                output = conv(x)
            output.float().square().mean().backward()
            gradients.append(conv.weight.grad)
        torch.testing.assert_close(*gradients, atol=0.02 * float(gradients[0].abs().max()), rtol=0)
