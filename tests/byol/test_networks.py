"""Encoders: names, stems, reproducible weights, errors."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from byol_kedro.byol.method import Byol
from byol_kedro.byol.networks import create_encoder, feature_dim
from byol_kedro.errors import UserError


def small(**changes):
    given = {"name": "test_resnet", "stem": "imagenet", "zero_init_residual": False, "seed": 0} | changes
    return create_encoder(**given)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_parameter_names_of_a_resnet_are_torchvisions_without_the_classifier(stem):
    ours = create_encoder("resnet18", stem, True, 0).state_dict()
    theirs = torchvision.models.resnet18().state_dict()
    assert set(ours) == {name for name in theirs if not name.startswith("fc.")}


def test_the_imagenet_stem_computes_what_torchvisions_resnet_computes():
    ours = create_encoder("resnet18", "imagenet", False, 0).eval()
    theirs = torchvision.models.resnet18()
    theirs.fc = nn.Identity()
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs.eval()(x))


def test_the_small_stem_keeps_the_resolution_until_the_first_stage():
    encoder = create_encoder("resnet18", "small", False, 0)
    seen = []
    encoder.layer1.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].shape))
    encoder(torch.zeros(2, 3, 16, 16))
    assert seen == [(2, 64, 16, 16)]


def test_zero_initialized_residual_branches_let_a_block_pass_its_input():
    encoder = create_encoder("resnet18", "small", True, 0)
    x = torch.rand(2, 64, 8, 8)
    torch.testing.assert_close(encoder.layer1(x), x)


def test_branches_that_are_not_zeroed_change_their_input():
    encoder = create_encoder("resnet18", "small", False, 0)
    x = torch.rand(2, 64, 8, 8)
    assert not torch.allclose(encoder.layer1(x), x)


@pytest.mark.parametrize("stem", ["imagenet", "small"])
def test_weights_depend_on_the_seed_alone(stem):
    torch.manual_seed(1)
    once = create_encoder("resnet18", stem, True, 7).state_dict()
    torch.manual_seed(2)
    again, other = (create_encoder("resnet18", stem, True, seed).state_dict() for seed in (7, 8))
    assert all(torch.equal(once[name], again[name]) for name in once)
    assert not torch.equal(once["conv1.weight"], other["conv1.weight"])


def test_the_global_generator_is_not_used():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Byol(small(), 24, 8, 0)
    assert torch.equal(torch.rand(1), expected)


def test_an_unknown_architecture_suggests_close_names():
    with pytest.raises(UserError, match=r"'resnet81'.*resnet18") as error:
        create_encoder("resnet81", "imagenet", True, 0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("resnet18.a1_in1k", r"includes the weights 'a1_in1k'; use the architecture alone, resnet18,"),
        ("tv_resnet34", "no architecture 'tv_resnet34'; close names: .*resnet34"),
        ("hf-hub:timm/resnet18.a1_in1k", "no architecture 'hf-hub:timm/resnet18.a1_in1k'"),
        ("hf_hub:timm/resnet18", "no architecture"),
        ("local-dir:.", "no architecture 'local-dir:.'"),
        ("timm/resnet18", "no architecture"),
        ("./resnet18", "no architecture"),
        ("Resnet18", "close names: .*resnet18"),
        (" resnet18", "close names: .*resnet18"),
        ("", "close names: resnet18, resnet50"),
    ],
)
def test_only_exact_architecture_names_are_passed_to_timm(monkeypatch, name, match):
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: pytest.fail("timm was asked"))
    with pytest.raises(UserError, match=match) as error:
        small(name=name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["regnetz_005", "test_vit", "test_byobnet", "inception_v3"])
def test_options_unknown_to_a_constructor_are_omitted(name):
    expected = timm.create_model(name, num_classes=0).state_dict()
    assert small(name=name, image_size=160).state_dict().keys() == expected.keys()


@pytest.mark.parametrize(
    "error", [AssertionError("no such\nsize"), ZeroDivisionError("no such size"), TypeError("no such size")]
)
def test_an_error_in_a_constructor_is_a_user_error(monkeypatch, error):
    def fail(*_, **options):
        raise error

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(UserError, match=r"test_vit cannot be built.*: no such size; use another architecture") as found:
        small(name="test_vit", image_size=5)
    assert found.value.__cause__ is error
    assert ("images of 5 × 5 pixels" in str(found.value)) == (not isinstance(error, TypeError))


@pytest.mark.parametrize("name", ["test_vit_relpos", "ghostnet_050", "rexnet_100"])
def test_networks_draw_no_random_numbers_in_training(name):
    encoder = small(name=name, image_size=64).train()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    encoder(torch.ones(2, 3, 64, 64))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"name": "resnet18.nonsense"}, "nonsense"),
        ({"stem": "small"}, "stem small"),
        ({"name": "test_vit", "stem": "small"}, "stem small"),
        ({"name": "test_convnext", "zero_init_residual": True}, "zero_init_residual=false"),
    ],
)
def test_unsupported_options_are_user_errors(changes, match):
    with pytest.raises(UserError, match=match):
        small(**changes)


def test_a_transformer_is_built_for_the_image_size():
    encoder = small(name="test_vit", image_size=32).eval()
    with torch.no_grad():
        assert encoder(torch.zeros(2, 3, 32, 32)).shape == (2, feature_dim(encoder))
