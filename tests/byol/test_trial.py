"""Architectures that cannot be trained are refused before the run starts."""

import pytest
import torch
from torch import nn

from byol_kedro.byol import trial
from byol_kedro.byol.trial import check_trainable
from byol_kedro.errors import UserError
from byol_kedro.parameters import Encoder


def encoder(name="test_resnet", stem="imagenet"):
    return Encoder(name=name, stem=stem, zero_init_residual=False)


class Network(nn.Module):
    """Features (N, 4), then a change that makes them invalid."""

    head_hidden_size = 4

    def __init__(self, change=lambda features: features):
        super().__init__()
        self.change, self.linear = change, nn.Linear(3, 4)

    def forward(self, images):
        return self.change(self.linear(images.mean(dim=(2, 3))))


class NoCopy(Network):
    def __deepcopy__(self, memo):
        raise RuntimeError("no copy of this")


class Infinite(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * torch.inf


def test_common_architectures_can_be_trained():
    for name, size in (("resnet10t", 16), ("resnet18", 32), ("test_vit", 32), ("test_convnext", 32)):
        check_trainable(encoder(name), size)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network(lambda x: x[:, :2]), r"its output for 2 images is \(2, 2\), expected features of shape \(2, 4\)"),
        (Network(lambda x: x[:, :, None, None]), r"its output for 2 images is \(2, 4, 1, 1\)"),
        (Network(lambda x: (x, x)), "its output for 2 images is a tuple"),
        (Network(lambda x: x / 0), "its features or their gradients are not finite"),
        (Network(Infinite.apply), "its features or their gradients are not finite"),
        (Network(lambda x: nn.functional.dropout(x, 0.5)), "it draws random numbers in training"),
        (Network(lambda x: x @ torch.ones(3)), "cannot be trained on images of 16 × 16 pixels: .*size mismatch"),
        (Network(lambda x: x.detach()), "does not require grad"),
        (NoCopy(), "no copy of this"),
    ],
)
def test_problems_are_user_errors(monkeypatch, network, message):
    monkeypatch.setattr(trial, "create_encoder", lambda *_, **__: network)
    with pytest.raises(UserError, match=message) as error:
        check_trainable(encoder("net"), 16)
    assert str(error.value).startswith("pretrain.encoder.name: net cannot be trained on images of 16 × 16 pixels: ")
    assert str(error.value).endswith("; use another architecture or another ingest.image_size")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "message"), [("inception_v3", "Kernel size can't be greater"), ("halonet_h1", "AssertionError")]
)
def test_an_unsupported_image_size_is_a_user_error(name, message):
    with pytest.raises(UserError, match=f"{name} cannot be trained on images of 32 × 32 pixels: .*{message}"):
        check_trainable(encoder(name), 32)


def test_an_error_keeps_its_cause(monkeypatch):
    monkeypatch.setattr(trial, "create_encoder", lambda *_, **__: NoCopy())
    with pytest.raises(UserError) as error:
        check_trainable(encoder(), 16)
    assert isinstance(error.value.__cause__, RuntimeError)


def test_views_that_the_architecture_cannot_process_are_refused():
    with pytest.raises(UserError, match=r"32 × 32 pixels with views of 16 × 16: .*another pretrain.views.size, null"):
        check_trainable(encoder("vit_tiny_patch16_224"), 32, 16)


def test_a_convolutional_network_may_be_trained_on_smaller_views():
    assert check_trainable(encoder(), 32, 16) == check_trainable(encoder(), 32)
