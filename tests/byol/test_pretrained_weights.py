"""Encoders with the weights of a file."""

import logging
import re

import pytest
import torch

from byol_kedro.byol.pretrained_weights import check_timm_name, hub_repository, pretrained_encoder
from byol_kedro.errors import UserError
from tests.support.hub import NAME, trained_weights


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
        pretrained_encoder(NAME, wrapped, "here", quiet=True)
    assert not caplog.records
    with pytest.raises(UserError, match=r"here is not a test_resnet.r160_in1k: "):
        pretrained_encoder(NAME, {"layer9.weight": torch.zeros(3)}, "here")


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
