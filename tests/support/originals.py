"""Networks of other libraries with random weights, and the features that these libraries compute of images."""

import numpy as np
import timm
import torch
import torchvision
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torch import nn
from torchvision import transforms

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
LIMIT = 1e-5  # of the largest feature


def randomized(model, seed=0):
    """The model in evaluation mode, with weights and statistics that no initialization gives."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        if tensor.ndim > 1:
            bound = (6 / tensor[0].numel()) ** 0.5  # of He et al., so that the activations keep their size
            tensor.uniform_(-bound, bound, generator=generator)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5, generator=generator)
    return model.eval()


def as_images(pixels):
    """PIL images of (N, 3, H, W) uint8."""
    return [Image.fromarray(array.transpose(1, 2, 0)) for array in pixels]


def features_by(model, images, transform):
    """Features (N, D) of PIL images, by the library's own transform."""
    with torch.no_grad():
        return torch.cat([model(transform(image)[None]).flatten(1) for image in images]).numpy()


def timm_original(name, weights):
    """timm's network without a classifier, and the transform of its metadata."""
    model = timm.create_model(name, num_classes=1000)
    model.load_state_dict(weights)
    model.reset_classifier(0)
    return model.eval(), create_transform(**resolve_data_config({}, model=model), is_training=False)


def timm_features(name, weights, pixels):
    model, transform = timm_original(name, weights)
    return features_by(model, as_images(pixels), transform)


def torchvision_original(name, seed=0):
    """torchvision's network, the same without a classifier, and the transform of its published weights."""
    model = randomized(torchvision.models.get_model(name, weights=None), seed)
    content = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    model.fc = nn.Identity()
    steps = [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize(**IMAGENET),
    ]
    return content, model, transforms.Compose(steps)


def published_original(seed=0):
    """The published trainer's `model.pth`, its encoder and its transform of an image of STL-10."""
    networks = [randomized(torchvision.models.resnet18(), seed + offset) for offset in (0, 1)]
    encoders = [nn.Sequential(*list(network.children())[:-1]) for network in networks]
    states = [{f"encoder.{name}": tensor for name, tensor in one.state_dict().items()} for one in encoders]
    head = {"projetion.net.0.weight": torch.ones(2, 512)}
    content = {
        "online_network_state_dict": states[0] | head,
        "target_network_state_dict": states[1] | head,
        "optimizer_state_dict": {"state": {}, "param_groups": []},
    }
    return content, encoders[0].eval(), transforms.ToTensor()


def assert_features_equal(found, expected):
    """Check that features differ by at most `LIMIT` of the largest, and that they differ between the images."""
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= LIMIT * np.abs(expected).max()
    assert np.abs(expected - expected[0]).max() > 100 * LIMIT * np.abs(expected).max()
