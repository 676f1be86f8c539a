"""Imported encoders compute the features of the original network on the original's preprocessing."""

import hashlib
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from kedro.io import Version
from PIL import Image
from safetensors.torch import save_file

from byol_kedro.byol.encoder import EncoderHeader
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.errors import UserError
from byol_kedro.files.hub import FILE
from byol_kedro.inference import open_encoder
from byol_kedro.pipelines.extract.nodes import extract
from byol_kedro.pipelines.import_encoder.nodes import import_encoder, read_source
from tests.support.encoder_inputs import SETTINGS, references_of
from tests.support.encoders import HEADER, NEWER, OLDER, save_encoder
from tests.support.hub import NAME, hub, served, trained_weights, use_hub
from tests.support.originals import (
    IMAGENET,
    as_images,
    assert_features_equal,
    features_by,
    published_original,
    randomized,
    timm_original,
    torchvision_original,
)
from tests.support.pretrain_inputs import split

IMAGES = split("train", 3)
NOBODY = "http://127.0.0.1:9"


def saved(tmp_path, encoder_from, settings=SETTINGS):
    """The imported encoder as an artifact: its path, and what is loaded from it."""
    encoder, history = import_encoder(str(encoder_from), settings, seed=3)
    assert len(history) == 0
    dataset = TensorsDataset(
        filepath=str(tmp_path / "data/06_models/encoder.safetensors"), version=Version(None, NEWER)
    )
    dataset.save(encoder)
    return tmp_path / "data", dataset.load()


def features(encoder):
    return extract(encoder, IMAGES, IMAGES, "cpu")[1]["features"]


def timm_weights(name, seed=0):
    return {key: tensor.clone() for key, tensor in randomized(timm.create_model(name), seed).state_dict().items()}


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50"])
def test_torchvision_weights(tmp_path, architecture):
    content, model, transform = torchvision_original(architecture)
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in content.items()}}, tmp_path / "mine.pth")
    _, encoder = saved(tmp_path, tmp_path / "mine.pth")
    assert encoder.header["architecture"] == architecture
    assert_features_equal(features(encoder), features_by(model, as_images(IMAGES.pixels), transform))


@pytest.mark.parametrize(
    ("name", "size", "crop", "mean"),
    [
        ("convnext_atto.d2_in1k", 224, 0.875, IMAGENET["mean"]),
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", 224, 0.9, (0.5, 0.5, 0.5)),
    ],
)
def test_timm_weights(tmp_path, name, size, crop, mean):
    weights = timm_weights(name)
    save_file(weights, tmp_path / "mine.safetensors")
    _, encoder = saved(tmp_path, f"{name}@{tmp_path}/mine.safetensors")
    header = EncoderHeader.from_dict(encoder.header)
    assert (header.image_size, header.crop, header.resample, header.mean) == (size, crop, "bicubic", mean)
    model, transform = timm_original(name, weights)
    assert_features_equal(features(encoder), features_by(model, as_images(IMAGES.pixels), transform))


def test_model_pth_of_the_published_trainer(tmp_path):
    content, model, transform = published_original()
    torch.save(content, tmp_path / "model.pth")
    _, encoder = saved(tmp_path, tmp_path / "model.pth")
    header = EncoderHeader.from_dict(encoder.header)
    assert (header.image_size, header.mean, header.std) == (96, (0.0,) * 3, (1.0,) * 3)
    enlarged = [image.resize((96, 96), Image.Resampling.BILINEAR) for image in as_images(IMAGES.pixels)]
    assert_features_equal(features(encoder), features_by(model, enlarged, transform))


def test_the_header_says_what_was_imported(tmp_path):
    torch.save(torchvision_original("resnet18")[0], tmp_path / "resnet18.pth")
    _, encoder = saved(tmp_path, tmp_path / "resnet18.pth")
    assert encoder.header["imported_from"] == "resnet18.pth"
    assert encoder.header["imported_sha256"] == hashlib.sha256((tmp_path / "resnet18.pth").read_bytes()).hexdigest()
    assert {"epochs", "batch_size", "steps", "training"}.isdisjoint(encoder.header)
    # A file of torchvision has no metadata, and those of timm's resnet18 are another training's.
    assert (encoder.header["resample"], encoder.header["crop"]) == ("bilinear", "0.875")


def test_the_parameters_replace_metadata_on_request(tmp_path):
    save_file(trained_weights(), tmp_path / f"{NAME}.safetensors")
    settings = SETTINGS.model_copy(update={"use_metadata": False, "image_size": 64, "crop": 1.0})
    header = EncoderHeader.from_dict(saved(tmp_path, tmp_path / f"{NAME}.safetensors", settings)[1].header)
    assert (header.image_size, header.crop, header.mean) == (64, 1.0, IMAGENET["mean"])


def test_weights_are_recognized_by_the_name_of_the_file(tmp_path):
    save_file(trained_weights(), tmp_path / f"{NAME}.safetensors")
    header = saved(tmp_path, tmp_path / f"{NAME}.safetensors")[1].header
    assert (header["weights"], header["image_size"], header["crop"]) == (NAME, "160", "0.95")


def test_weights_come_from_the_hub_and_then_from_its_cache(tmp_path, monkeypatch):
    with hub(served()) as (address, _):
        use_hub(monkeypatch, address, tmp_path / "cache")
        _, encoder = saved(tmp_path, NAME)
    assert encoder.header["imported_from"] == f"timm/{NAME}/{FILE}"
    model, transform = timm_original(NAME, trained_weights())
    assert_features_equal(features(encoder), features_by(model, as_images(IMAGES.pixels), transform))
    use_hub(monkeypatch, NOBODY, tmp_path / "cache")
    again, _ = import_encoder(NAME, SETTINGS, seed=3)
    assert again.header["imported_sha256"] == encoder.header["imported_sha256"]


def test_a_reference_with_the_same_weights_has_the_same_features(tmp_path):
    save_file(trained_weights(), tmp_path / "mine.safetensors")
    _, encoder = saved(tmp_path, f"{NAME}@{tmp_path}/mine.safetensors")
    found = references_of(encoder, {"same": f"{NAME}@{tmp_path}/mine.safetensors"}, train=IMAGES)
    assert np.array_equal(found["same.train.features"], features(encoder))


@pytest.mark.parametrize("place", ["the file", "the folder"])
def test_an_encoder_of_another_project_folder_keeps_its_training(tmp_path, place):
    save_encoder(tmp_path / "other", OLDER, seed=1)
    file = save_encoder(tmp_path / "other", NEWER, seed=2)
    _, encoder = saved(tmp_path, file if place == "the file" else tmp_path / "other")
    header = EncoderHeader.from_dict(encoder.header)
    assert (header.epochs, header.recipe, header.mean) == (HEADER.epochs, HEADER.recipe, HEADER.mean)
    assert header.imported_from == "encoder.safetensors"
    original = open_encoder(file, "cpu")
    assert_features_equal(features(encoder), original(as_images(IMAGES.pixels)))


def test_load_encoder_prepares_files_as_the_header_says(tmp_path):
    weights = trained_weights()
    save_file(weights, tmp_path / "mine.safetensors")
    root, _ = saved(tmp_path, f"{NAME}@{tmp_path}/mine.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (2, 301, 452, 3), dtype=np.uint8)
    images = [Image.fromarray(pixels[0]), Image.fromarray(pixels[1]).transpose(Image.Transpose.ROTATE_90)]
    paths = [tmp_path / f"{number}.jpg" for number in (0, 1)]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    model, transform = timm_original(NAME, weights)
    encoder = open_encoder(root, "cpu")
    assert_features_equal(encoder(images), features_by(model, images, transform))
    decoded = [Image.open(path).convert("RGB") for path in paths]
    assert_features_equal(encoder(paths), features_by(model, decoded, transform))


def test_small_images_for_a_large_network_are_reported(tmp_path, caplog):
    save_file(trained_weights(), tmp_path / f"{NAME}.safetensors")
    _, encoder = saved(tmp_path, tmp_path / f"{NAME}.safetensors")
    with caplog.at_level(logging.INFO):
        features(encoder)
    (line,) = [message for message in caplog.messages if "enlarged" in message]
    assert line.startswith("images of 16×16 are enlarged to 168×168 for this encoder")
    assert line.endswith("ingest.image_size=168")


class Trap:
    def __reduce__(self):
        return (Path("sprung").touch, ())


def write_bad_files(folder):
    torch.save({"fc.weight": Trap()}, folder / "trap.pth")
    save_file(trained_weights(), folder / "whole.safetensors")
    (folder / "cut.safetensors").write_bytes((folder / "whole.safetensors").read_bytes()[:5000])
    (folder / "notes.txt").write_text("no weights")
    torch.save(timm.create_model("test_vit").state_dict(), folder / "vit.pth")
    torch.save(torchvision_original("resnet18")[0], folder / "resnet18.pth")
    torch.save({"state_dict": [1, 2]}, folder / "list.pth")
    (folder / "empty").mkdir()


@pytest.mark.parametrize(
    ("encoder_from", "message"),
    [
        ("gone.pth", r"^encoder_from: gone.pth does not exist"),
        ("./notes.txt", r"^encoder_from: notes.txt is truncated, not a torch.save file, or contains Python objects"),
        ("trap.pth", r"^encoder_from: trap.pth contains Python objects"),
        ("cut.safetensors", r"^encoder_from: cut.safetensors .*truncated"),
        (
            "resnt18.tv_in1k",
            r"^encoder_from: timm has no weights 'resnt18.tv_in1k'; .*: resnet18.tv_in1k.*path",
        ),
        ("resnet50@resnet18.pth", r"^encoder_from: resnet18.pth is not a resnet50 \(it looks like a resnet18\)"),
        ("resnt18@resnet18.pth", r"^encoder_from: timm has no weights 'resnt18'"),
        ("vit.pth", r"^encoder_from: vit.pth: the architecture cannot be recognized .*vit_tiny_patch16_224@vit.pth"),
        ("list.pth", r"^encoder_from: list.pth: the architecture cannot be recognized"),
        ("vit_base_patch16_224@vit.pth", r"^encoder_from: vit.pth is not a vit_base_patch16_224: "),
        ("./empty", r"^encoder_from: there is no encoder in "),
        ("coatnet_0_224", r"^encoder_from: the weights coatnet_0_224 are not available \(timm has no hub address"),
        (None, r"^encoder_from: no encoder is given"),
    ],
)
def test_bad_input_is_one_line_and_runs_no_code(tmp_path, monkeypatch, encoder_from, message):
    monkeypatch.chdir(tmp_path)
    write_bad_files(tmp_path)
    with pytest.raises(UserError, match=message) as error:
        read_source(encoder_from, SETTINGS)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_without_network_access_the_message_says_how_to_give_a_file(tmp_path, monkeypatch):
    use_hub(monkeypatch, NOBODY, tmp_path)
    with pytest.raises(UserError, match=rf"encoder_from: the weights {NAME} are not available .*{NAME}@FILE$"):
        read_source(NAME, SETTINGS)


def test_a_size_that_a_network_is_not_built_for_is_refused(tmp_path):
    save_file(timm_weights("vit_tiny_patch16_224"), tmp_path / "mine.safetensors")
    settings = SETTINGS.model_copy(update={"use_metadata": False, "image_size": 8})
    with pytest.raises(UserError, match=r"import_encoder.image_size|pos_embed has shape"):
        read_source(f"vit_tiny_patch16_224@{tmp_path}/mine.safetensors", settings)


def test_features_that_are_not_finite_name_the_file_and_no_training(tmp_path):
    save_file(trained_weights(), tmp_path / f"{NAME}.safetensors")
    _, encoder = saved(tmp_path, tmp_path / f"{NAME}.safetensors")
    arrays = {name: encoder[name] for name in encoder.keys()}  # noqa: SIM118  # Tensors is no mapping
    large = {name: array * np.float32(1e30) if name == "conv1.0.weight" else array for name, array in arrays.items()}
    with pytest.raises(UserError, match="check the file that it was imported from"):
        features(Tensors(large, encoder.header))


def test_other_names_of_children_and_wrappers_are_read(tmp_path):
    content, _, _ = published_original()
    online = content["online_network_state_dict"]
    plain = {f"backbone.{name.removeprefix('encoder.')}": tensor for name, tensor in online.items()}
    torch.save({"model": plain}, tmp_path / "lightly.pth")
    header = saved(tmp_path, tmp_path / "lightly.pth")[1].header
    assert (header["architecture"], header["image_size"]) == ("resnet18", "224")
    assert json.loads(header["std"]) == list(IMAGENET["std"])
