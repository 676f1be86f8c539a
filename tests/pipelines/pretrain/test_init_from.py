"""Trainings that are initialized from a file of weights."""

import logging

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.state import initial_state
from byol_kedro.datasets.checkpoints import Checkpoints
from byol_kedro.errors import UserError
from byol_kedro.pipelines.pretrain.resume import resume_or_initialize, training_identity
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.resuming import run
from tests.support.trainings import CPU, SIZE, recipe, small_state


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    """An encoder of this project as a file."""
    folder = tmp_path_factory.mktemp("first")
    encoder, _, _ = run(folder / "checkpoints", recipe(epochs=1), 7)
    save_file(dict(encoder.arrays), folder / "encoder.safetensors", metadata=encoder.header)
    return folder / "encoder.safetensors", encoder


def initialized(folder, parameters, seed=0):
    state, plan = initial_state(parameters, SIZE, seed, CPU), Plan(parameters, 22, seed)
    checkpoints = Checkpoints(folder).of(training_identity(parameters, UNLABELED, TRAIN, seed, CPU))
    resume_or_initialize(checkpoints, plan, state, Monitor(CPU))
    return state


def test_an_encoder_of_this_project_initializes_both_networks(encoder_file, tmp_path, caplog):
    path, encoder = encoder_file
    with caplog.at_level(logging.INFO):
        state = initialized(tmp_path, recipe(init_from=str(path)))
    for network in (state.network.encoder, state.network.target.encoder):
        for name, tensor in network.state_dict().items():
            assert np.array_equal(tensor.numpy(), encoder[name]), name
    assert caplog.messages == [f"initialized from {path}: encoder, target.encoder; random: projector and predictor"]


def test_the_header_names_the_initial_weights(encoder_file, tmp_path):
    path, encoder = encoder_file
    tuned, heads, _ = run(tmp_path, recipe(epochs=1, init_from=str(path)))
    assert encoder.header["init_from"] == ""
    assert tuned.header["init_from"] == heads.header["init_from"] == str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architecture": "resnet50"},
            "has architecture resnet50, this training test_resnet; set pretrain.encoder.name=",
        ),
        ({"stem": "small"}, "has stem small, this training imagenet; set pretrain.encoder.stem=small"),
    ],
)
def test_an_encoder_of_another_architecture_is_an_error(encoder_file, tmp_path, change, message):
    path, encoder = tmp_path / "encoder.safetensors", encoder_file[1]
    save_file(dict(encoder.arrays), path, metadata=encoder.header | change)
    with pytest.raises(UserError, match=message):
        initialized(tmp_path, recipe(init_from=str(path)))


def test_a_missing_file_is_an_error_before_any_work(tmp_path):
    with pytest.raises(UserError, match=r"pretrain.init_from: .*none.pth does not exist"):
        initialized(tmp_path, recipe(init_from=str(tmp_path / "none.pth")))


def test_the_identity_depends_on_the_content_of_the_file(tmp_path):
    weights = small_state(1).network.encoder.state_dict()
    for name, value in (("a.pth", 0.5), ("b.pth", 0.6)):
        torch.save(weights | {"bn1.bias": torch.full_like(weights["bn1.bias"], value)}, tmp_path / name)
    (tmp_path / "copy.pth").write_bytes((tmp_path / "a.pth").read_bytes())
    a, b, copied, none = (
        training_identity(recipe(init_from=path and str(tmp_path / path)), UNLABELED, TRAIN, 0, CPU)
        for path in ("a.pth", "b.pth", "copy.pth", None)
    )
    assert a == copied
    assert a != b
    assert none not in (a, b)


def test_a_checkpoint_is_preferred_to_the_file(encoder_file, tmp_path, caplog):
    parameters = recipe(init_from=str(encoder_file[0]))
    run(tmp_path, parameters)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert initialized(tmp_path, parameters).step == 4
    assert [message[:25] for message in caplog.messages] == ["this training is already "]
