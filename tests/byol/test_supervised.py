"""The supervised reference."""

import numpy as np
import pytest
import torch

from byol_kedro.byol import supervised
from byol_kedro.byol.encoder import to_arrays
from byol_kedro.byol.features import encode
from byol_kedro.byol.networks import create_encoder
from byol_kedro.byol.supervised import supervised_plan, train_supervised
from byol_kedro.errors import UserError
from tests.support.encoders import HEADER
from tests.support.trainings import CPU, VIEW, recipe

LABELS = np.arange(40) % 2


def bright_and_dark(labels, seed=0):
    """Images (N, 3, 16, 16) uint8 of noise, those with label 1 brighter."""
    noise = np.random.default_rng(seed).integers(0, 120, (len(labels), 3, 16, 16))
    return (noise + 130 * labels[:, None, None, None]).astype(np.uint8)


def trained(labels=LABELS, seed=0, image_passes=80, **changes):
    plan = supervised_plan(recipe(**changes), image_passes, len(labels), seed)
    return train_supervised(bright_and_dark(LABELS), labels, HEADER, plan, CPU)


@pytest.mark.parametrize(
    ("image_passes", "count", "epochs"),
    [(400, 40, 10), (400, 16, 25), (390, 40, 10), (8, 40, 1), (800, 43, 20)],  # of 43, 40 are seen in an epoch
)
def test_image_passes_equal_those_of_byol(image_passes, count, epochs):
    plan = supervised_plan(recipe(), image_passes, count, 0)
    assert plan.parameters.epochs == epochs


def test_the_warmup_keeps_its_share_of_the_steps():
    plan = supervised_plan(recipe(epochs=4, optimizer={"warmup": 0.25}), 4 * 800, 40, 0)
    peak = max(plan.rates(step)[0] for step in range(plan.steps))
    assert plan.rates(plan.steps // 4 - 1)[0] == peak == pytest.approx(0.05)


def test_a_training_in_steps_has_the_budget_of_one_in_epochs():
    one, other = (
        supervised_plan(recipe(**length), 320, 40, 0) for length in ({"epochs": 2}, {"epochs": None, "steps": 9})
    )
    assert (other.steps, other.warmup) == (one.steps, one.warmup) == (40, 10)


def test_the_batch_is_at_most_the_number_of_images():
    plan = supervised_plan(recipe(batch_size=64, accumulation_steps=4), 1200, 40, 0)
    assert (plan.parameters.batch_size, plan.parameters.accumulation_steps, plan.steps) == (40, 1, 30)


def test_features_separate_the_classes():
    labels = np.random.default_rng(1).permutation(LABELS)
    test = bright_and_dark(labels, seed=2)
    features = encode(trained(image_passes=400), test, HEADER, CPU)
    means = np.stack([features[labels == label].mean(axis=0) for label in (0, 1)])
    guess = np.linalg.norm(features[:, None] - means, axis=2).argmin(axis=1)
    assert np.mean(guess == labels) > 0.95


def test_images_keep_their_labels():
    told, plain = (
        [],
        dict.fromkeys(("hflip_prob", "color_jitter_prob", "grayscale_prob", "blur_prob", "solarize_prob"), 0.0),
    )
    views = {"first": VIEW | plain | {"scale": [1.0, 1.0], "ratio": [1.0, 1.0]}, "second": VIEW}
    plan = supervised_plan(recipe(views=views), 400, 40, 0)
    train_supervised(bright_and_dark(LABELS), LABELS, HEADER, plan, CPU, lambda _epoch, loss: told.append(loss))
    assert max(told[-3:]) < 0.1  # ln 2 = 0.69 is what a coin has


def test_other_labels_give_other_weights():
    shuffled = np.random.default_rng(1).permutation(LABELS)
    one, two = to_arrays(trained()), to_arrays(trained(shuffled))
    assert not np.array_equal(one["conv1.0.weight"], two["conv1.0.weight"])


def test_the_same_seed_gives_the_same_weights():
    one = to_arrays(trained(accumulation_steps=2))
    torch.rand(7)
    two = to_arrays(trained(accumulation_steps=2))
    assert all(np.array_equal(one[name], two[name]) for name in one)


def test_initial_weights_equal_those_of_byol():
    still = {"optimizer": {"lr": 1e-12, "weight_decay": 0.0}}
    start = create_encoder("test_resnet", "imagenet", True, 3, image_size=16)
    near, far = (to_arrays(trained(seed=seed, **still))["conv1.0.weight"] for seed in (3, 4))
    assert np.allclose(near, to_arrays(start)["conv1.0.weight"], atol=1e-6)
    assert not np.allclose(far, near, atol=1e-6)


def test_on_epoch_receives_epoch_and_loss():
    told = []
    plan = supervised_plan(recipe(), 80, 40, 0)
    train_supervised(bright_and_dark(LABELS), LABELS, HEADER, plan, CPU, lambda *what: told.append(what))
    assert [epoch for epoch, _ in told] == [1, 2]
    assert all(0 < loss < 10 for _, loss in told)


@pytest.mark.parametrize(("precision", "dtype"), [("bfloat16", torch.bfloat16), ("float16", None), ("float32", None)])
def test_the_precision_is_that_of_the_recipe_but_float16_is_float32(precision, dtype, monkeypatch):
    used = []
    monkeypatch.setattr(supervised, "_add_gradient", lambda *given: used.append(given[-1]) or torch.zeros(()))
    trained(precision=precision, views={"size": 32})  # smaller ones are trained in float32 on a CPU
    assert used == [dtype] * 10


def test_divergence_is_a_user_error():
    with pytest.raises(UserError, match=r"baselines\.supervised: the loss is nan"):
        trained(optimizer={"lr": 1e20, "schedule": "constant", "warmup": 0})


def test_the_encoder_is_in_evaluation_mode_without_classifier():
    model = trained()
    assert not model.training
    assert to_arrays(model).keys() == to_arrays(create_encoder("test_resnet", "imagenet", True, 0)).keys()
