"""Errors of later nodes are reported before the training."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.support.hub import NAME, trained_weights
from tests.support.kedro_runs import Outcome, artifacts, error_of

Run = Callable[..., Outcome]


def test_a_missing_package_ends_the_run(kedro_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    message = error_of(kedro_run(params="pair_model.map.method=umap"))
    assert "pair_model.map.method: umap needs the package umap-learn, which is not installed" in message
    assert not artifacts(tmp_path)


def test_a_missing_device_ends_the_run(kedro_run: Run, tmp_path: Path) -> None:
    assert "device: cuda:99 is not available, PyTorch finds" in error_of(kedro_run(params="device=cuda:99"))
    assert not artifacts(tmp_path)
    assert kedro_run("--pipelines=ingest", params="device=cuda:99").exit_code == 0


def test_a_package_that_no_node_needs_is_not_required(kedro_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    assert kedro_run("--pipelines=ingest", params="pair_model.map.method=umap").exit_code == 0


WEIGHTS = {
    "no file": (lambda _: None, "does not exist"),
    "no weights": (lambda path: path.write_bytes(b"no weights"), "pair_model.weights_from"),
    "another network": (lambda path: save_file({"fc.weight": torch.ones(2, 2)}, path), "holds fc.weight; expected"),
    "layers that do not fit": (
        lambda path: save_file(
            {"linear1.weight": torch.ones(4, 2), "linear1.bias": torch.ones(4), "linear2.weight": torch.ones(16, 5),
             "linear2.bias": torch.ones(16)}, path,
        ),
        "linear1 gives 4 numbers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_invalid_weights_of_the_pair_model_end_the_run(kedro_run: Run, tmp_path: Path, name: str) -> None:
    write, expected = WEIGHTS[name]
    path = tmp_path / "weights.safetensors"
    write(path)
    before = artifacts(tmp_path)
    message = error_of(kedro_run(params=f"pair_model.weights_from={path}"))
    assert "pair_model.weights_from" in message
    assert expected in message
    assert artifacts(tmp_path) == before


@pytest.mark.parametrize("known", ["untrained", "supervised, untrained"])
def test_an_unknown_reference_of_the_target_ends_the_run(kedro_run: Run, tmp_path: Path, known: str) -> None:
    supervised = str("supervised" in known).lower()
    given = f"pair_model.pairs.target=cosine,pair_model.pairs.reference=dino,baselines.supervised={supervised}"
    message = error_of(kedro_run(params=given))
    assert message == f"Error: pair_model.pairs.reference: this run has no network 'dino', expected one of {known}"
    assert not artifacts(tmp_path)


PAIRS = {
    "a line that is none": ("train/astronaut/0000 train/astronaut/0001 20 x\n", "pairs.txt, line 1: `name1 name2"),
    "names of other images": ("a b 20 20\n", "pair_file: none of its 1 pairs lies within the 128 train images"),
}


@pytest.mark.parametrize("name", PAIRS)
def test_an_invalid_pair_file_ends_the_run_before_the_training(kedro_run: Run, tmp_path: Path, name: str) -> None:
    content, expected = PAIRS[name]
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/pairs.txt").write_text(content)
    outcome = kedro_run()
    assert expected in error_of(outcome)
    assert "epoch" not in outcome.output
    assert not list(tmp_path.glob("06_models/*"))


def test_pairs_given_twice_end_the_run_before_the_training(kedro_run: Run, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/pairs.txt").write_text("train/astronaut/0000 train/astronaut/0001 20 20\n")
    torch.save({"x1": torch.ones(2, 4), "x2": torch.zeros(2, 4), "y": torch.ones(2)}, tmp_path / "raw/pairs.pt")
    assert "pairs are given twice" in error_of(kedro_run())
    assert not list(tmp_path.glob("06_models/*"))


def saved_pairs(path: Path, width: int) -> None:
    torch.save({"x1": torch.ones(2, width), "x2": torch.zeros(2, width), "y": torch.ones(2)}, path)


def layer(path: Path, width: int) -> None:
    save_file({"linear1.weight": torch.ones(4, width), "linear1.bias": torch.ones(4)}, path)


NARROW = {
    "pairs": (saved_pairs, "raw/pairs.pt", "pair_tensors: its features have 7 numbers, those of the encoder 96"),
    "weights": (layer, "raw/w.safetensors", "pair_model.weights_from: .* but the features have 96 numbers"),
}


@pytest.mark.parametrize("name", NARROW)
def test_files_of_another_feature_dimension_end_the_run(kedro_run: Run, tmp_path: Path, name: str) -> None:
    write, place, expected = NARROW[name]
    (tmp_path / "raw").mkdir()
    write(tmp_path / place, 7)
    before = artifacts(tmp_path)
    params = f"pair_model.weights_from={tmp_path / place}" if name == "weights" else ""
    assert re.search(expected, error_of(kedro_run(params=params)))
    assert artifacts(tmp_path) == before


def test_invalid_weights_of_a_reference_end_the_run(kedro_run: Run, tmp_path: Path) -> None:
    torch.save(trained_weights() | {"layer4.1.conv1.weight": torch.ones(1)}, tmp_path / "more.pth")
    message = error_of(kedro_run(params=f"references.mine={NAME}@{tmp_path / 'more.pth'}"))
    assert "references.mine: " in message
    assert "is not a test_resnet.r160_in1k: 1 are unknown to it (layer4.1.conv1.weight …)" in message
    assert artifacts(tmp_path) == {tmp_path / "more.pth"}
