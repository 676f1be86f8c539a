"""The same training in one process and in several."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from byol_kedro.byol import method
from byol_kedro.byol.batches import HostImages
from byol_kedro.byol.distributed import ALONE, Group
from byol_kedro.byol.monitor import Monitor
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.train import train
from tests.support.processes import in_processes
from tests.support.trainings import CPU, SIZE, images, recipe, small_state

COUNT, STEPS = 40, 6
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
RECIPES = {
    "sgd": {},
    "accumulation": {"batch_size": 4, "accumulation_steps": 2},
    "lars": {"optimizer": {"name": "lars", "lr": 0.5, "weight_decay": 1e-4}},
    "activations in norms": {"encoder": {"name": "test_efficientnet"}, "epochs": None, "steps": 2},
}


def in_float64(state):
    """Compute in float64. In float32, a change of one weight by 1e-7 changes these losses by a tenth in 10 steps."""
    loss = state.network.double().loss
    state.network.loss = lambda *views: loss(*(view.double() for view in views))
    method._unit = lambda vectors: F.normalize(vectors, dim=1)


def train_in(group, recipes):
    """Losses, feature stds and features of a training of each recipe; the ranks start from different weights."""
    results = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(method, "_unit", method._unit)
        for name, changes in recipes.items():
            parameters = recipe(**{"epochs": None, "steps": STEPS, "online_knn": {"evaluations": 0}} | changes)
            state, monitor = small_state(seed=group.rank, **changes), Monitor(CPU)
            in_float64(state)
            group.copy_main(state, monitor)
            pixels, plan = HostImages([images(COUNT)], CPU), Plan(parameters, COUNT, 0)
            rows = train(state, pixels, plan, MEAN, STD, monitor=monitor, group=group)
            sums = torch.stack([tensor.double().sum() for tensor in state.network.state_dict().values()])
            assert torch.equal(group.gathered(sums[None]), sums.expand(group.size, -1)), "the processes differ"
            with torch.no_grad():
                features = state.network.encoder.eval()(torch.from_numpy(images(COUNT, seed=1)).double() / 255)
            columns = {name: [getattr(row, name) for row in rows] for name in ("loss", "feature_std")}
            results[name] = columns | {"features": features.tolist()}
    return results


@pytest.fixture(scope="module")
def alone():
    return train_in(ALONE, RECIPES)


@pytest.mark.parametrize(("size", "names"), [(2, [*RECIPES]), (4, ["accumulation"])])
def test_several_processes_compute_what_one_computes(alone, size, names, tmp_path):
    several = in_processes(size, tmp_path, train_in, {name: RECIPES[name] for name in names})
    for name in names:
        for column, expected in alone[name].items():
            scale = np.abs(expected).max()
            np.testing.assert_allclose(several[name][column], expected, atol=1e-6 * scale, err_msg=f"{name} {column}")


def norms_in(group):
    """Output, gradients and running statistics of BatchNorms in float32, and of the same in one process."""
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, shape in {"images": (8, 5, 3, 4), "vectors": (8, 5)}.items():
        # A large mean, from which sums of squares would lose the variance.
        x, dy = torch.randn((2, *shape), generator=generator) + torch.tensor([100.0, 0.0]).view(2, *[1] * len(shape))
        part = x[group.rows(len(x))].clone().requires_grad_()
        norm = (nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d)(5)
        with torch.no_grad():
            norm.weight.copy_(torch.arange(1.0, 6))
        with group.synchronized_norms(CPU):
            y = norm(part)
        y.backward(dy[group.rows(len(x))])
        tensors = {"y": group.gathered(y.detach()), "dx": group.gathered(part.grad)}
        tensors |= {"dw": group.summed(norm.weight.grad), "db": group.summed(norm.bias.grad)}
        tensors |= {"mean": norm.running_mean, "var": norm.running_var}
        found[name] = {key: tensor.tolist() for key, tensor in tensors.items()}
    return found


def test_batchnorm_over_processes_is_that_of_the_whole_batch(tmp_path):
    several, one = in_processes(2, tmp_path, norms_in), norms_in(ALONE)
    for name, expected in one.items():
        for key, values in expected.items():
            np.testing.assert_allclose(several[name][key], values, rtol=1e-4, atol=2e-4, err_msg=f"{name} {key}")


def test_one_process_uses_the_plain_batchnorm():
    x = torch.randn(4, 3)
    with ALONE.synchronized_norms(CPU):
        assert torch.equal(nn.BatchNorm1d(3)(x), F.batch_norm(x, None, None, training=True))


def test_the_parts_of_a_batch_are_the_batch():
    rows = [Group(rank, 4).rows(SIZE) for rank in range(4)]
    assert [list(range(SIZE))[part] for part in rows] == [[*range(start, start + 4)] for start in (0, 4, 8, 12)]


def test_the_largest_number_and_the_main_process():
    assert (ALONE.largest(7), ALONE.is_main, Group(1, 2).is_main) == (7, True, False)
