"""Weights with NaN or infinity, which would give equal features for all images without an error."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from kedro.io import Version

from byol_kedro import load_encoder
from byol_kedro.byol.method import Byol
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.pretrained_weights import ONLINE, TARGET, load_matching, pretrained_encoder
from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.errors import UserError
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.pair_model.model import PairModel
from byol_kedro.parameters import Predict, Probes
from byol_kedro.pipelines.extract.nodes import extract, extract_unlabeled
from byol_kedro.pipelines.predict.nodes import predict
from byol_kedro.pipelines.probes.nodes import evaluate_folds_and_few_labels, measure_quality
from tests.support.exports import type_export
from tests.support.kedro_runs import Chain

Read = Callable[[str], Tensors]
ODD = pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
INPUTS = ("encoder", "probes", "pair_model", "latents_train", "latents_test", "latents_unlabeled")
SAVED = [name for name, probe in PROBES.items() if probe.arrays]


@pytest.fixture(scope="module")
def read(chain: Chain) -> Read:
    return lambda name: TensorsDataset(filepath=str(chain.versions(name)[-1])).load()


@pytest.fixture(scope="module")
def splits(chain: Chain) -> dict[str, Images]:
    names = ("images_unlabeled", "images_train", "images_test")
    return {name: ImagesDataset(filepath=str(chain.versions(name)[-1])).load() for name in names}


def with_odd_number(tensors: Tensors, odd: float, name: str | None = None) -> Tensors:
    """A copy with one number replaced by `odd`: the last of the named array, or of the last float array."""
    arrays = {key: np.array(array) for key, array in tensors.arrays.items()}
    name = name or [key for key, array in arrays.items() if array.dtype == np.float32][-1]
    arrays[name].reshape(-1)[-1] = odd
    return Tensors(arrays, tensors.header)


@ODD
def test_features_are_not_extracted(read: Read, splits: dict[str, Images], odd: float) -> None:
    encoder = with_odd_number(read("encoder"), odd)
    with pytest.raises(UserError, match=r"the encoder's .* holds NaN or infinity \(1 numbers\); choose an encoder"):
        extract(encoder, splits["images_train"], splits["images_test"], "cpu")
    with pytest.raises(UserError, match="holds NaN or infinity"):
        extract_unlabeled(encoder, splits["images_unlabeled"], True, "cpu")  # as Kedro calls it


def test_alignment_is_not_measured(read: Read, splits: dict[str, Images]) -> None:
    encoder, features, others = (
        with_odd_number(read("encoder"), np.nan),
        read("latents_test"),
        read("reference_latents"),
    )
    with pytest.raises(UserError, match="holds NaN or infinity"):
        measure_quality(encoder, features, others, splits["images_test"], 0, "cpu")


@pytest.mark.parametrize(
    ("entry", "tensor"),
    [("encoder", None), ("pair_model", None), *(("probes", f"{name}.{PROBES[name].arrays[-1]}") for name in SAVED)],
)
def test_images_are_not_predicted(
    read: Read, splits: dict[str, Images], chain: Chain, entry: str, tensor: str | None, tmp_path: Path
) -> None:
    inputs = {name: read(name) for name in INPUTS} | {entry: with_odd_number(read(entry), np.nan, tensor)}
    manifest = json.loads(chain.versions("run_manifest")[-1].read_text("utf-8"))
    probe = tensor.partition(".")[0] if tensor else "logistic"
    with pytest.raises(UserError, match=f"{entry}.* holds NaN or infinity"):
        predict(
            new_images=tmp_path,
            **splits,
            parameters=Predict(probe=probe, neighbors=1),
            probe_parameters=Probes.model_validate(manifest["parameters"]["probes"]),
            seed=0,
            device="cpu",
            **inputs,
        )


def test_classifiers_are_not_fitted_to_such_components(read: Read, splits: dict[str, Images]) -> None:
    names = ("encoder", "latents_train", "latents_test", "reference_latents")
    with pytest.raises(UserError, match="pca: components holds NaN or infinity"):
        evaluate_folds_and_few_labels(
            *(read(name) for name in names),
            with_odd_number(read("pca"), np.nan, "components"),
            splits["images_train"],
            splits["images_test"],
            None,
            0,
        )


@ODD
def test_load_encoder_and_export_refuse_the_encoder(read: Read, odd: float, tmp_path: Path) -> None:
    version = "2026-01-01T00.00.00.000Z"
    path = tmp_path / "data/06_models/encoder.safetensors"
    TensorsDataset(filepath=str(path), version=Version(None, version)).save(with_odd_number(read("encoder"), odd))
    with pytest.raises(UserError, match=r"load_encoder: .* holds NaN or infinity"):
        load_encoder(tmp_path / "data", device="cpu")
    outcome = type_export(tmp_path, "--format=timm", f"--output={tmp_path / 'e.safetensors'}")
    assert outcome.exit_code == 1
    assert "holds NaN or infinity" in outcome.output
    assert not (tmp_path / "e.safetensors").exists()


@pytest.fixture
def network() -> Byol:
    return Byol(create_encoder("test_resnet", "imagenet", False, seed=0), 24, 8, seed=0)


@ODD
@pytest.mark.parametrize("name", ["conv1.0.weight", "bn1.running_var"])
def test_training_is_not_initialized_from_an_encoder(network: Byol, odd: float, name: str) -> None:
    state = {key: tensor.clone() for key, tensor in network.encoder.state_dict().items()}
    state[name].view(-1)[0] = odd
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(UserError, match=rf"w\.pth .*: encoder\.{name} holds NaN or infinity"):
        load_matching(network, state, "w.pth")
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_training_is_not_initialized_from_a_whole_model(network: Byol) -> None:
    part = {f"projetion.net.{key}": tensor for key, tensor in network.projector.state_dict().items()}
    part |= {f"encoder.{key}": tensor for key, tensor in network.encoder.state_dict().items()}
    broken = {**part, "projetion.net.0.weight": torch.full_like(part["projetion.net.0.weight"], torch.nan)}
    for content in ({ONLINE: broken, TARGET: part}, {ONLINE: part, TARGET: broken}):
        with pytest.raises(UserError, match=r"projector\.0\.weight holds NaN or infinity"):
            load_matching(network, content, "model.pth")


def test_a_reference_is_not_built() -> None:
    weights = {
        key: tensor.clone() for key, tensor in create_encoder("test_resnet", "imagenet", False, 0).state_dict().items()
    }
    weights["conv1.0.weight"][0] = torch.nan
    with pytest.raises(UserError, match=r"is not a test_resnet: conv1\.0\.weight holds NaN or infinity"):
        pretrained_encoder("test_resnet", weights, "references.mine: mine.safetensors")


@pytest.mark.parametrize("name", ["linear1.weight", "mean", "scale", "target_offset", "target_scale"])
def test_a_pair_model_is_not_restored(read: Read, name: str) -> None:
    with pytest.raises(UserError, match=rf"pair_model: {name} holds NaN or infinity"):
        PairModel.from_arrays(with_odd_number(read("pair_model"), np.nan, name).arrays)


def test_a_bias_of_minus_infinity_is_accepted(
    read: Read, splits: dict[str, Images], chain: Chain, tmp_path: Path
) -> None:
    """It belongs to a class without train images."""
    inputs = {name: read(name) for name in INPUTS} | {
        "probes": with_odd_number(read("probes"), -np.inf, "logistic.bias")
    }
    manifest = json.loads(chain.versions("run_manifest")[-1].read_text("utf-8"))
    predict(
        new_images=tmp_path,
        **splits,
        parameters=Predict(probe="logistic", neighbors=1),
        probe_parameters=Probes.model_validate(manifest["parameters"]["probes"]),
        seed=0,
        device="cpu",
        **inputs,
    )
