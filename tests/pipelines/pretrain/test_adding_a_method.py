"""The diff in docs/extending.md trains with another method, through the unchanged step, loop and checkpoints."""

import copy
import importlib

import numpy as np
import pytest
import torch

from tests.support.diffs import documented_diff, patched_package


def negative_cosine(p, z):
    return -((p * z).sum(dim=1) / (p.norm(dim=1) * z.norm(dim=1))).mean()


@pytest.fixture
def support(tmp_path):
    """Modules of tests.support that use the package with the diff applied."""
    with patched_package(documented_diff("extending.md", "A variant of the method"), tmp_path / "package"):
        yield lambda name: importlib.import_module(f"tests.support.{name}")


def test_the_documented_diff_trains_with_simsiam_and_resumes(support, tmp_path):
    resuming, recipe = support("resuming"), support("trainings").recipe()
    encoder, heads, history = result = resuming.run(tmp_path / "whole", recipe)
    assert encoder.header["projection_dim"] == "8"
    assert {name.partition(".")[0] for name in heads.arrays} == {"projector", "predictor"}
    assert all(np.isfinite(array).all() for array in (encoder.arrays | heads.arrays).values())
    assert history["loss"].between(-1, 1).all()
    resuming.run_interrupted(tmp_path / "died", recipe, 3)
    assert resuming.same(result, resuming.run(tmp_path / "died", recipe))


def test_the_documented_variant_is_initialized_from_an_encoder(support):
    trainings = support("trainings")
    weights = importlib.import_module("byol_kedro.byol.pretrained_weights")
    encoder = trainings.small_state(1).network.encoder.state_dict()
    network = trainings.small_state(0).network
    assert weights.load_matching(network, encoder, "encoder.pth").parts == ("encoder",)
    assert all(torch.equal(tensor, encoder[name]) for name, tensor in network.encoder.state_dict().items())


def test_gradients_of_the_documented_variant_are_those_of_its_formula(support):
    trainings = support("trainings")
    step = importlib.import_module("byol_kedro.byol.step")
    state, (first, second) = trainings.small_state(), trainings.two_views()
    reference = copy.deepcopy(state.network)
    metrics = step.train_step(state, [(first, second)], lr=0.1, tau=0.9)

    (z1, p1), (z2, p2) = reference(first), reference(second)
    expected = (negative_cosine(p1, z2.detach()) + negative_cosine(p2, z1.detach())) / 2
    expected.backward()
    assert float(metrics[0]) == pytest.approx(float(expected.detach()), rel=1e-5)
    for ours, theirs in zip(state.network.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)
