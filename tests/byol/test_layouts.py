"""Encoders are found in the checkpoints of other projects, and never confused with others."""

import argparse
import sys
import types
from zlib import crc32

import pytest
import timm
import torch
import torchvision
from torch import nn

from byol_kedro.byol.layouts import resnet_name
from byol_kedro.byol.method import Byol
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.pretrained_weights import load_matching, pretrained_encoder
from byol_kedro.errors import UserError
from byol_kedro.files.weights import read_weights

NAME = "test_resnet"
IMAGES = torch.rand((2, 3, 32, 32), generator=torch.Generator().manual_seed(0))


def network(seed, name=NAME, **options):
    """A timm network whose weights and statistics depend on the seed and their names; no feature is always 0."""
    made = timm.create_model(name, **options).eval()
    for tensor_name, tensor in made.state_dict().items():
        generator = torch.Generator().manual_seed(1000 * seed + crc32(tensor_name.encode()))
        if tensor.ndim > 1:
            bound = (6 / tensor[0].numel()) ** 0.5  # of He et al., so that the activations keep their size
            tensor.uniform_(-bound, bound, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=generator)
    return made


def features(encoder):
    with torch.no_grad():
        return encoder.eval().forward_head(encoder.forward_features(IMAGES), pre_logits=True)


def under(prefix, state):
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def of(seed=1, **options):
    return network(seed, **options).state_dict()


def children(seed=1):
    return nn.Sequential(*list(network(seed).children())[:-1]).state_dict()


HEAD = {"0.weight": torch.ones(2, 2), "0.bias": torch.ones(2)}
OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
OTHER = 2  # the seed of the encoder that is not to be taken


def moco(prefix):
    return {
        "epoch": 200, "arch": NAME, "optimizer": OPTIMIZER,
        "state_dict": under(f"module.{prefix}_q.", of() | under("fc.", HEAD))
        | under(f"module.{prefix}_k.", of(OTHER) | under("fc.", HEAD)) | {"module.queue": torch.ones(2, 8)},
    }  # fmt: skip


def byol_pytorch():
    """lucidrains' learner contains the network twice: directly, and within the online encoder."""
    return (
        under("net.", of()) | under("online_encoder.net.", of()) | under("online_encoder.projector.", HEAD)
        | under("online_predictor.", HEAD) | under("target_encoder.net.", of(OTHER))
        | under("target_encoder.projector.", HEAD)
    )  # fmt: skip


# What the encoder of seed 1 looks like as others save it.
LAYOUTS = {
    "timm": of,
    "state_dict": lambda: {"state_dict": of(), "epoch": 3, "optimizer": OPTIMIZER},
    "model": lambda: {"model": of(), "best_acc": 0.5},
    "model_state_dict": lambda: {"model_state_dict": of(), "optimizer_state_dict": OPTIMIZER},
    "network": lambda: {"network": under("backbone.", of())},
    "DataParallel": lambda: under("module.", of()),
    "torch.compile": lambda: under("_orig_mod.", of()),
    "both, of a part": lambda: {"model": under("module._orig_mod.backbone._orig_mod.", of())},
    "children by number": children,
    "lightly tutorial": lambda: under("backbone.", children()) | under("projection_head.layers.", HEAD),
    "lightly BYOL": lambda: {
        "state_dict": under("backbone.", children()) | under("projection_head.layers.", HEAD)
        | under("prediction_head.layers.", HEAD) | under("backbone_momentum.", children(OTHER))
        | under("projection_head_momentum.layers.", HEAD),
        "pytorch-lightning_version": "2.5.0", "hyper_parameters": {"lr": 0.1}, "optimizer_states": [OPTIMIZER],
    },
    "lightly DINO": lambda: under("student_backbone.", of(OTHER)) | under("teacher_backbone.", of()),
    "solo-learn": lambda: {
        "state_dict": under("backbone.", of(num_classes=0)) | under("classifier.", HEAD) | under("projector.", HEAD)
        | under("momentum_backbone.", of(OTHER, num_classes=0)) | under("momentum_projector.", HEAD),
    },
    "solo-learn, older": lambda: {"state_dict": under("encoder.", of(num_classes=0)) | under("classifier.", HEAD)},
    "MoCo v1 and v2": lambda: moco("encoder"),
    "MoCo v3": lambda: {
        "state_dict": under("module.base_encoder.", of() | under("fc.", HEAD))
        | under("module.momentum_encoder.", of(OTHER) | under("fc.", HEAD)) | under("module.predictor.", HEAD),
    },
    "SimSiam": lambda: {"state_dict": under("module.encoder.", of() | under("fc.", HEAD))},
    "SwAV": lambda: under(
        "module.",
        of(num_classes=0) | under("projection_head.", HEAD) | {"prototypes.weight": torch.ones(9, 2)},
    ),
    "DINO": lambda: {
        "student": under("module.backbone.", of(OTHER, num_classes=0)) | under("module.head.mlp.", HEAD),
        "teacher": under("backbone.", of(num_classes=0)) | under("head.mlp.", HEAD),
        "optimizer": OPTIMIZER, "epoch": 100,
    },
    "byol-pytorch": byol_pytorch,
    "online_network": lambda: under("online_network.encoder.", of()) | under("target_network.encoder.", of(OTHER)),
    "a target alone": lambda: under("target_encoder.", of()),
    "mmselfsup": lambda: {
        "state_dict": under("backbone.", of()) | under("online_net.0.", of()) | under("target_net.0.", of(OTHER))
    },
    "VISSL": lambda: {
        "classy_state_dict": {
            "base_model": {"model": {"trunk": under("_feature_blocks.", of()), "heads": under("0.clf.", HEAD)}}
        }
    },
    "timm, with its average": lambda: {"state_dict": of(), "state_dict_ema": of(OTHER)},
    "the published trainer's": lambda: {
        "online_network_state_dict": under("encoder.", children()) | under("projetion.net.", HEAD),
        "target_network_state_dict": under("encoder.", children(OTHER)) | under("projetion.net.", HEAD),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def expected():
    return features(network(1))


def test_features_tell_the_two_encoders_apart(expected):
    assert (features(network(OTHER)) - expected).abs().max() > 0.01


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pretrained_encoder_reads_each_layout(layout, expected):
    found = features(pretrained_encoder(NAME, LAYOUTS[layout](), "here"))
    assert (found - expected).abs().max() == 0


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "the published trainer's"])
def test_load_matching_reads_each_layout(layout, expected):
    byol = Byol(create_encoder(NAME, "imagenet", False, seed=0), 24, 8, seed=0)
    load_matching(byol, LAYOUTS[layout](), "w.pth")
    for encoder in (byol.encoder, byol.target.encoder):
        assert (features(encoder) - expected).abs().max() == 0


CHILDREN_NOTE = "the tensors of the file, the children of a Sequential by number, are used; unused: nothing"
TARGET_NOTE = "the tensors under 'target_encoder.', a moving average, are used; unused: target_encoder.fc"
MOCO_NOTE = (
    "the tensors under 'state_dict.module.encoder_q.' are used; unused: optimizer, state_dict.module.encoder_q.fc, "
    "state_dict.module.encoder_k, state_dict.module.queue"
)


@pytest.mark.parametrize(
    ("layout", "note"),
    [
        ("timm", ""),
        ("children by number", CHILDREN_NOTE),
        ("MoCo v1 and v2", MOCO_NOTE),
        ("SwAV", "the tensors under 'module.' are used; unused: module.projection_head, module.prototypes"),
        ("a target alone", TARGET_NOTE),
    ],
)  # fmt: skip
def test_the_note_lists_used_and_unused_tensors(layout, note):
    byol = Byol(create_encoder(NAME, "imagenet", False, seed=0), 24, 8, seed=0)
    assert load_matching(byol, LAYOUTS[layout](), "w.pth").note == note


def test_resnets_without_modules_for_activations_are_read():
    source = network(1, "resnet18", num_classes=0)
    parts = [source.conv1, source.bn1, source.layer1, source.layer2, source.layer3, source.layer4, nn.AvgPool2d(1)]
    state = nn.Sequential(*parts).state_dict()
    state = {name.replace(".downsample.", ".shortcut."): tensor for name, tensor in state.items()}
    found = features(pretrained_encoder("resnet18", under("backbone.", state), "here"))
    assert (found - features(source)).abs().max() == 0


def test_a_vision_transformer_of_dino_is_read():
    source = network(1, "test_vit", num_classes=0)
    content = {"teacher": under("backbone.", source.state_dict()) | under("head.mlp.", HEAD)}
    found = pretrained_encoder("test_vit", content, "here").state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in source.state_dict().items())


@pytest.mark.parametrize("wrap", [lambda state: state, lambda state: {"state_dict": under("module.encoder_q.", state)}])
@pytest.mark.parametrize("larger", ["resnet34", "resnet50"])
def test_a_larger_resnet_is_refused(larger, wrap):
    content = wrap(torchvision.models.get_model(larger).state_dict())
    byol = Byol(create_encoder("resnet18", "imagenet", False, seed=0), 24, 8, seed=0)
    message = rf"\(it looks like a {larger}\).* are unknown to it \("
    with pytest.raises(UserError, match=rf"w.pth does not match this network {message}encoder.layer1"):
        load_matching(byol, content, "w.pth")
    with pytest.raises(UserError, match=rf"here is not a resnet18 {message}layer1"):
        pretrained_encoder("resnet18", content, "here")


def test_a_network_with_one_more_block_is_refused():
    more = under("layer4.1.", {"conv1.weight": torch.ones(2, 2, 3, 3)})
    with pytest.raises(UserError, match=r"is not a test_resnet: 1 are unknown to it \(layer4\.1\.conv1\.weight …\)"):
        pretrained_encoder(NAME, of() | more, "here")


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet101", "wide_resnet50_2", "resnext50_32x4d"])
def test_resnets_are_recognized_by_their_weights(name):
    with torch.device("meta"):
        assert resnet_name(timm.create_model(name).state_dict()) == name


@pytest.mark.parametrize("first", ["left.", "right."])
def test_of_two_equal_matches_the_one_without_other_tensors_is_read(first, expected):
    second = {"left.": "right.", "right.": "left."}[first]
    more = under(f"{first}layer9.0.", {"conv1.weight": torch.ones(2, 2, 3, 3)})
    content = under(first, of()) | more | under(second, of())
    assert (features(pretrained_encoder(NAME, content, "here")) - expected).abs().max() == 0


def test_an_encoder_below_more_mappings_than_any_project_has_is_not_searched():
    content = of()
    for _ in range(2000):  # more than Python's limit of recursion
        content = {"model": content}
    with pytest.raises(UserError, match=r"it has no tensors, only model"):
        pretrained_encoder(NAME, content, "here")


def test_two_equally_good_matches_are_an_error():
    content = under("left.", of()) | under("right.", of(OTHER))
    with pytest.raises(UserError, match=r"different encoders under 'left\.' and 'right\.'; save the"):
        pretrained_encoder(NAME, content, "here")


def test_a_file_without_any_matching_name_lists_its_names():
    content = {"model": {f"blocks.{number}.weight": torch.ones(1) for number in range(6)}}
    message = (
        r"here is not a test_resnet: its tensors are model\.blocks\.0\.weight, model\.blocks\.1\.weight, .* and 2 "
        r"more; expected conv1\.0\.weight, .* with any prefix; use weights of test_resnet"
    )
    with pytest.raises(UserError, match=message):
        pretrained_encoder(NAME, content, "here")
    with pytest.raises(UserError, match=r"it has no tensors, only epoch, args"):
        pretrained_encoder(NAME, {"epoch": 3, "args": {}}, "here")


def test_missing_tensors_are_named_with_their_prefix():
    state = under("module.encoder_q.", of())
    del state["module.encoder_q.layer2.0.bn1.weight"]
    with pytest.raises(UserError, match=r"\(tensors under 'module.encoder_q.'\): 1 tensors are missing \(layer2.0.bn1"):
        pretrained_encoder(NAME, state, "here")


def test_recursive_content_is_read():
    content = {"state_dict": of()}
    content["again"] = content
    pretrained_encoder(NAME, content, "here")


@pytest.fixture
def lightning(monkeypatch):
    """The class of Lightning's hyper-parameters, in a module of that name."""
    module = types.ModuleType("lightning.fabric.utilities.data")
    module.AttributeDict = type("AttributeDict", (dict,), {"__module__": module.__name__})
    for name in ("lightning", "lightning.fabric", "lightning.fabric.utilities"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.AttributeDict


def test_settings_beside_the_weights_are_not_unpickled(tmp_path, lightning, expected, monkeypatch):
    torch.save(
        {
            "hyper_parameters": lightning(lr=0.1, args=argparse.Namespace(lr=0.1, root=tmp_path)),
            "args": argparse.Namespace(arch=NAME), "best": expected.numpy().mean(),
            "state_dict": under("backbone.", of()),
        },
        tmp_path / "last.ckpt",
    )  # fmt: skip
    monkeypatch.delitem(sys.modules, lightning.__module__)
    made = []
    monkeypatch.setattr(argparse.Namespace, "__init__", lambda self, **_: made.append(self))
    content, _ = read_weights(tmp_path / "last.ckpt", "here")
    assert made == []
    assert (features(pretrained_encoder(NAME, content, "here")) - expected).abs().max() == 0
