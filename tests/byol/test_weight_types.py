"""Weights that are no floating-point numbers, or none in float32, are refused where a file of them is read."""

import pytest
import timm
import torch

from byol_kedro.byol.pretrained_weights import pretrained_encoder
from byol_kedro.errors import UserError

NAME = "test_resnet"
WEIGHT = "conv1.0.weight"


def changed(name, change):
    state = timm.create_model(NAME, num_classes=0).state_dict()
    return state | {name: change(state[name])}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda x: x.to(torch.int8), "torch.int8"),
        (lambda x: x > 0, "torch.bool"),
        (lambda x: x.to(torch.complex64), "torch.complex64"),
        (lambda x: x.to(torch.float8_e4m3fn), "torch.float8_e4m3fn"),
        (lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8), "torch.qint8"),
        (lambda x: x.to_sparse(), "torch.sparse_coo"),
        (lambda x: x.to("meta"), "torch.float32"),
        (lambda x: x.double() * 1e300, "NaN or infinity"),
    ],
)
def test_other_kinds_of_weights_are_one_line(change, found):
    with pytest.raises(UserError, match=rf"{WEIGHT}.*{found}"):
        pretrained_encoder(NAME, changed(WEIGHT, change), "mine.pth")


def test_a_variance_below_zero_is_one_line():
    with pytest.raises(UserError, match=r"bn1.running_var is a variance"):
        pretrained_encoder(NAME, changed("bn1.running_var", lambda x: x - 5), "mine.pth")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_floating_point_type_is_read(dtype):
    content = changed(WEIGHT, lambda x: x.to(dtype))
    expected = content[WEIGHT].float()
    assert torch.equal(pretrained_encoder(NAME, content, "mine.pth").state_dict()[WEIGHT], expected)
