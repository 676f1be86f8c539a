"""Reference encoders with weights and preprocessing of their authors."""

import logging
import re

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from byol_kedro.byol.features import encode_transformed
from byol_kedro.byol.pretrained_weights import (
    check_timm_name,
    check_weights,
    eval_transform,
    hub_repository,
    pretrained_encoder,
)
from byol_kedro.errors import UserError
from tests.support.hub import NAME, trained_weights
from tests.support.trainings import CPU, images


def prepared(pixels):
    """(N, 3, 160, 160) as timm's page of NAME says: to 168 by bilinear, the middle 160, mean and deviation 0.5."""
    inputs = []
    for array in pixels:
        image = Image.fromarray(array.transpose(1, 2, 0)).resize((168, 168), Image.Resampling.BILINEAR)
        inputs.append((np.asarray(image)[4:164, 4:164].transpose(2, 0, 1) / 255 - 0.5) / 0.5)
    return torch.tensor(np.stack(inputs), dtype=torch.float32)


def test_features_equal_those_of_plain_timm():
    pixels, weights = images(5, size=32), trained_weights()
    plain = timm.create_model("test_resnet", num_classes=1000)
    plain.load_state_dict(weights)
    with torch.no_grad():
        expected = plain.eval().forward_head(plain.forward_features(prepared(pixels)), pre_logits=True)
    model = pretrained_encoder(NAME, weights, "here")
    found = encode_transformed(model, pixels, eval_transform(model), CPU)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["resnet18.tv_in1k", "resnet50.a1_in1k", "vit_small_patch14_dinov2.lvd142m"])
def test_a_transform_has_the_size_and_normalization_of_its_weights(name):
    with torch.device("meta"):
        model = timm.create_model(name, num_classes=0)
    transform = eval_transform(model)
    config = timm.get_pretrained_cfg(name)
    gray = transform(Image.new("RGB", (96, 96), (128, 128, 128)))
    assert tuple(gray.shape) == config.input_size
    expected = (128 / 255 - torch.tensor(config.mean)) / torch.tensor(config.std)
    torch.testing.assert_close(gray.amax(dim=(1, 2)), expected)


def test_classifier_is_dropped_and_counters_may_be_missing():
    weights = trained_weights()
    older = {name: tensor for name, tensor in weights.items() if "num_batches_tracked" not in name}
    one, two = (pretrained_encoder(NAME, each, "here").state_dict() for each in (weights, older))
    assert not any(name.startswith("fc.") for name in one)
    assert all(torch.equal(one[name], two[name]) for name in one if "num_batches_tracked" not in name)


def test_weights_with_a_missing_tensor_are_refused():
    weights = trained_weights()
    del weights["layer2.0.bn1.weight"]
    with pytest.raises(UserError, match=r"here is not a test_resnet.r160_in1k: 1 tensors are missing \(layer2.0.bn1"):
        pretrained_encoder(NAME, weights, "here")


def test_weights_are_checked_without_a_log_line(caplog):
    wrapped = {"epoch": 3, "state_dict": trained_weights()}
    with caplog.at_level(logging.INFO):
        check_weights(NAME, wrapped, "here")
    assert not caplog.records
    with pytest.raises(UserError, match=r"here is not a test_resnet.r160_in1k: "):
        check_weights(NAME, {"layer9.weight": torch.zeros(3)}, "here")


def test_weights_of_another_shape_are_refused():
    weights = trained_weights() | {"conv1.0.weight": torch.zeros(1, 3, 3, 3)}
    with pytest.raises(UserError, match=r"conv1.0.weight has shape \(1, 3, 3, 3\) in the file"):
        pretrained_encoder(NAME, weights, "here")


@pytest.mark.parametrize("name", ["resnet18", "resnet18.tv_in1k", "coatnet_0_224"])
def test_names_of_timm_are_accepted(name):
    check_timm_name(name, "references.x")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("resnet18.tv_in2k", "resnet18.tv_in1k"),
        ("vit_smal_patch16_224", "vit_small_patch16_224"),
        ("0", "resnet18.tv_in1k (all"),  # an example, as nothing is close
    ],
)
def test_an_unknown_name_suggests_close_names(name, close):
    with pytest.raises(
        UserError, match=f"references.x: timm has no weights '{name}'; close names: .*{re.escape(close)}"
    ):
        check_timm_name(name, "references.x")


def test_weights_without_a_repository_have_none():
    assert hub_repository("resnet18.tv_in1k") == "timm/resnet18.tv_in1k"
    assert hub_repository("coatnet_0_224") is None
