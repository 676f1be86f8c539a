"""Initializing the networks of a training with the weights of a file."""

import copy

import pytest
import timm
import torch
import torchvision

from byol_kedro.byol.method import Byol
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.pretrained_weights import load_matching
from byol_kedro.errors import UserError
from tests.support.trainings import small_state

HIDDEN, PROJECTION = 24, 8
IMAGES = torch.rand((3, 3, 32, 32), generator=torch.Generator().manual_seed(0))


def byol(stem="imagenet"):
    return Byol(create_encoder("resnet18", stem, False, seed=0), HIDDEN, PROJECTION, seed=0)


def published_network(seed):
    """The published trainer's network: torchvision's ResNet without its last layer, and a head."""
    torch.manual_seed(seed)
    network = torch.nn.Module()
    network.encoder = torch.nn.Sequential(*list(torchvision.models.resnet18().children())[:-1])
    network.projetion = torch.nn.Module()
    network.projetion.net = torch.nn.Sequential(
        torch.nn.Linear(512, HIDDEN),
        torch.nn.BatchNorm1d(HIDDEN),
        torch.nn.ReLU(inplace=True),
        torch.nn.Linear(HIDDEN, PROJECTION),
    )
    with torch.no_grad():  # not all means 0 and deviations 1
        for name, buffer in network.named_buffers():
            if "running" in name:
                buffer.uniform_(0.5, 1.5)
    return network.eval()


def projections(network):
    with torch.no_grad():
        return network.projetion.net(network.encoder(IMAGES).flatten(1))


@pytest.fixture(scope="module")
def model_pth():
    online, target = published_network(1), published_network(2)
    content = {
        "online_network_state_dict": online.state_dict(),
        "target_network_state_dict": target.state_dict(),
        "optimizer_state_dict": {"state": {}, "param_groups": []},
    }
    return online, target, content


def test_both_networks_of_model_pth_compute_the_same(model_pth):
    online, target, content = model_pth
    network = byol()
    load_matching(network, content, "model.pth")
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network.encoder(IMAGES), online.encoder(IMAGES).flatten(1))
        torch.testing.assert_close(network(IMAGES)[0], projections(online))
        torch.testing.assert_close(network.target(IMAGES), projections(target))


def test_the_predictor_keeps_its_random_weights(model_pth):
    network = byol()
    before = copy.deepcopy(network.predictor.state_dict())
    loaded = load_matching(network, model_pth[2], "model.pth")
    assert "predictor" in loaded.random
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.predictor.state_dict().items())


@pytest.mark.parametrize("key", ["online_network_state_dict", "target_network_state_dict"])
def test_an_incomplete_model_pth_is_refused(model_pth, key):
    content = {name: value for name, value in model_pth[2].items() if name != key}
    with pytest.raises(UserError, match=f"model.pth lacks {key}"):
        load_matching(byol(), content, "model.pth")


def test_a_torchvision_state_dict_initializes_both_encoders():
    original = torchvision.models.resnet18().eval()
    network = byol()
    load_matching(network, original.state_dict(), "resnet18.pth")
    original.fc = torch.nn.Identity()
    network.eval()
    with torch.no_grad():
        torch.testing.assert_close(network.encoder(IMAGES), original(IMAGES))
        torch.testing.assert_close(network.target.encoder(IMAGES), original(IMAGES))


def test_files_without_batch_norm_counters_are_read():
    state = {k: v for k, v in torchvision.models.resnet18().state_dict().items() if "num_batches" not in k}
    network = byol()
    load_matching(network, state, "resnet18.pth")
    assert torch.equal(network.encoder.conv1.weight, state["conv1.weight"])


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224", "mobilenetv3_small_050"])
def test_a_timm_state_dict_is_read_without_its_classifier(name):
    encoder = create_encoder(name, "imagenet", False, seed=0)
    network = Byol(encoder, HIDDEN, PROJECTION, seed=0)
    torch.manual_seed(5)
    original = timm.create_model(name, num_classes=7)
    load_matching(network, original.state_dict(), "timm.pth")
    for key, tensor in network.encoder.state_dict().items():
        assert torch.equal(tensor, original.state_dict()[key]), key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer1.0.conv1.weight"), r"1 tensors are missing \(encoder.layer1.0.conv1.weight …\)"),
        (lambda s: s.update({"layer9.weight": torch.zeros(1)}), r"1 are unknown to it \(encoder.layer9.weight …\)"),
        (
            lambda s: s.update({"bn1.bias": torch.zeros(3)}),
            r"bn1.bias has shape \(3,\) in the file, expected \(64,\)",
        ),
        (lambda s: s.update({"bn1.bias": "text"}), r"encoder.bn1.bias has shape str in the file"),
    ],
)
def test_a_mismatching_file_is_an_error_and_changes_nothing(change, message):
    network = byol()
    before = copy.deepcopy(network.state_dict())
    state = dict(torchvision.models.resnet18().state_dict())
    change(state)
    with pytest.raises(UserError, match=message):
        load_matching(network, state, "x.pth")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_another_stem_is_an_error():
    with pytest.raises(UserError, match=r"shape \(64, 3, 7, 7\) in the file, expected \(64, 3, 3, 3\)"):
        load_matching(byol("small"), torchvision.models.resnet18().state_dict(), "x.pth")


def test_another_architecture_is_an_error():
    with pytest.raises(UserError, match=r"does not match this network.*pretrain.encoder.name"):
        load_matching(small_state().network, torchvision.models.resnet18().state_dict(), "x.pth")


def test_other_heads_are_an_error(model_pth):
    network = Byol(create_encoder("resnet18", "imagenet", False, seed=0), HIDDEN, PROJECTION + 1, seed=0)
    with pytest.raises(UserError, match=r"projector.3.weight has shape \(8, 24\) in the file, expected \(9, 24\)"):
        load_matching(network, model_pth[2], "model.pth")
