"""The training loop: reproducible, resumable, and it learns."""

import copy
import math

import pytest
import torch

from byol_kedro.byol.augmentation.augment import apply_params
from byol_kedro.byol.batches import load_images
from byol_kedro.byol.schedule import Plan
from byol_kedro.byol.seeds import stream_seed
from byol_kedro.byol.state import initial_state
from byol_kedro.byol.train import train
from byol_kedro.errors import UserError
from tests.support.trainings import CPU, SIZE, VIEW, images, recipe, small_state

MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)


def run(parameters, *, count=20, size=SIZE, seed=0, state=None, **given):
    state = state or small_state(seed)
    plan = Plan(parameters, count, seed)
    rows = train(state, load_images([images(count, size)], CPU), plan, MEAN, STD, **given)
    return state, rows


def weights(state):
    return {name: tensor.clone() for name, tensor in state.network.state_dict().items()}


def equal(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def test_training_is_reproducible():
    (once, _), (again, _) = run(recipe()), run(recipe())
    assert equal(weights(once), weights(again))


def test_another_seed_gives_other_weights():
    (once, _), (other, _) = run(recipe()), run(recipe(), seed=1)
    assert not equal(weights(once), weights(other))


class StoppedError(Exception):
    pass


def test_a_restored_state_continues_exactly():
    straight, _ = run(recipe(epochs=3))
    state = small_state()

    def stop(done, _row):
        if done == 3:  # in the middle of the second epoch
            raise StoppedError

    with pytest.raises(StoppedError):
        run(recipe(epochs=3), state=state, on_step=[stop])
    saved = copy.deepcopy((state.network.state_dict(), state.optimizer.state_dict(), state.generator.get_state()))
    fresh = small_state(seed=5)
    fresh.network.load_state_dict(saved[0])
    fresh.optimizer.load_state_dict(saved[1])
    fresh.generator.set_state(saved[2])
    fresh.step = state.step
    run(recipe(epochs=3), state=fresh)
    assert equal(weights(straight), weights(fresh))


def test_views_have_their_own_size_and_the_images_keep_theirs(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "byol_kedro.byol.train.train_step", lambda state, views, **_: seen.extend(views) or _count(state)
    )
    run(recipe(epochs=1, views={"size": 12}))
    assert {view.shape for views in seen for view in views} == {(8, 3, 12, 12)}


def _count(state):
    state.step += 1
    return torch.ones(2)


# Of smaller images oneDNN's bfloat16 leaves a part of a weight's gradient as it found the memory.
@pytest.mark.parametrize(("precision", "size"), [("float32", SIZE), ("bfloat16", 32), ("float16", SIZE)])
def test_the_loss_falls_and_weights_remain_float32(precision, size):
    mild = VIEW | {
        "scale": [0.5, 1.0],
        "color_jitter_prob": 0.0,
        "grayscale_prob": 0.0,
        "blur_prob": 0.0,
        "solarize_prob": 0.0,
    }
    views = {"first": mild, "second": mild}
    easy = recipe(epochs=12, batch_size=16, views=views, tau={"base": 0.5}, precision=precision)
    state, rows = run(easy, count=32, size=size, state=small_state(precision=precision))
    assert {parameter.dtype for parameter in state.network.parameters()} == {torch.float32}
    assert all(parameter.isfinite().all() for parameter in state.network.parameters())
    assert rows[-1].loss < 0.5 * rows[0].loss
    assert not rows[-1].collapsed(easy.heads.projection_dim)


def test_an_incomplete_last_batch_is_dropped():
    state, rows = run(recipe(epochs=2), count=23)  # two batches of 8 an epoch
    assert state.step == rows[-1].step == 4


def test_rows_have_step_epoch_rates_and_evaluation():
    seen = []
    _, rows = run(
        recipe(), evaluate=lambda network: {"knn_top1": 0.5}, on_step=[lambda done, row: seen.append((done, row))]
    )
    assert [(row.step, row.epoch) for row in rows] == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 2.0)]
    assert [row.knn_top1 for row in rows if not math.isnan(row.knn_top1)] == [0.5, 0.5]
    assert rows[0].lr == pytest.approx(0.05)
    assert seen == [(row.step, row) for row in rows]


def test_a_nan_loss_is_a_user_error():
    state = small_state()
    with torch.no_grad():
        state.network.predictor[0].weight.fill_(math.nan)
    with pytest.raises(UserError, match=r"loss is nan after step 1 of 4; lower pretrain.optimizer.lr"):
        run(recipe(), state=state)


def test_the_error_in_float16_suggests_bfloat16():
    state = small_state(precision="float16")
    with torch.no_grad():
        state.network.predictor[0].weight.fill_(math.nan)
    with pytest.raises(UserError, match=r"loss is nan .*or set pretrain.precision=bfloat16"):
        run(recipe(precision="float16"), state=state)


def seen_by_the_networks(monkeypatch, parameters):
    """The views of one whole epoch as one step, and no training."""
    seen = []

    def step(state, views, **_):
        seen.extend(views)
        state.step += 1
        return torch.ones(2)

    monkeypatch.setattr("byol_kedro.byol.train.train_step", step)
    run(parameters, count=20)
    return seen[0]


def test_views_are_normalized(monkeypatch):
    first, second = seen_by_the_networks(monkeypatch, recipe(epochs=1, batch_size=20))
    assert not torch.equal(first, second)
    for view in (first, second):
        assert -2 - 1e-5 <= view.min() < 0 < view.max() <= 2 + 1e-5


def test_each_view_has_its_own_distribution(monkeypatch):
    plain = VIEW | {
        "scale": [1.0, 1.0],
        "color_jitter_prob": 0.0,
        "grayscale_prob": 0.0,
        "blur_prob": 0.0,
        "solarize_prob": 0.0,
        "hflip_prob": 0.0,
    }
    views = {"first": plain, "second": plain | {"grayscale_prob": 1.0}}
    first, second = seen_by_the_networks(monkeypatch, recipe(epochs=1, batch_size=20, views=views))
    assert not torch.allclose(first[:, 0], first[:, 1])
    assert torch.allclose(second[:, 0], second[:, 1])


def test_streams_of_neighboring_seeds_and_epochs_differ():
    assert len({stream_seed(seed, 2, epoch) for seed in range(20) for epoch in range(20)}) == 400


def test_views_are_made_outside_autocast(monkeypatch):
    seen = []

    def spied(*given, **named):
        seen.append(torch.is_autocast_enabled("cpu"))
        return apply_params(*given, **named)

    monkeypatch.setattr("byol_kedro.byol.train.apply_params", spied)
    run(recipe(epochs=1, precision="bfloat16"))
    assert seen == [False] * 4


def test_the_generator_is_on_the_cpu_for_any_device():
    state = initial_state(recipe(), SIZE, 0, torch.device("meta"))
    assert (state.device.type, state.generator.device.type) == ("meta", "cpu")
