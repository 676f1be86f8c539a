"""Images, rows and evaluations of each step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from byol_kedro.byol.schedule import MAX_STEPS_PER_ROW, Plan
from byol_kedro.errors import UserError
from tests.support.trainings import recipe


@given(count=st.integers(4, 200), batch=st.integers(2, 9), accumulation_steps=st.integers(1, 3))
def test_an_epoch_uses_each_image_at_most_once(count, batch, accumulation_steps):
    if count < batch * accumulation_steps:
        return
    plan = Plan(recipe(batch_size=batch, accumulation_steps=accumulation_steps), count, seed=0)
    micro_batches = [m for step in range(plan.steps_per_epoch) for m in plan.micro_batches(plan.order(0), step)]
    seen = torch.cat(micro_batches)
    assert {len(m) for m in micro_batches} == {batch}
    assert len(seen.unique()) == len(seen) == count // (batch * accumulation_steps) * batch * accumulation_steps
    assert all(torch.equal(m, m.sort().values) for m in micro_batches)


@pytest.mark.parametrize("step", [0, 1, 4, 5, 8])
def test_batches_start_at_any_step(step):
    plan = Plan(recipe(epochs=2, batch_size=3, accumulation_steps=2), 26, seed=0)  # four steps an epoch
    whole = [m for each in range(8) for m in plan.micro_batches(plan.order(each // 4), each)]
    rest = list(plan.batches(step))
    assert len(rest) == 2 * (8 - step)
    assert all(map(torch.equal, rest, whole[2 * step :]))


@pytest.mark.parametrize(("steps", "epochs"), [(3, 0.75), (4, 1), (10, 2.5)])
def test_a_training_in_steps_may_end_within_an_epoch(steps, epochs):
    plan = Plan(recipe(epochs=None, steps=steps), 35, seed=0)  # four steps an epoch
    longer = list(Plan(recipe(epochs=3), 35, seed=0).batches(0))
    batches = list(plan.batches(0))
    assert (plan.steps, plan.epochs, len(batches)) == (steps, epochs, steps)
    assert all(map(torch.equal, batches, longer))
    assert plan.logs_after(steps)
    assert plan.evaluates_after(steps)


def test_a_length_in_steps_is_that_length_in_epochs():
    one, other = Plan(recipe(epochs=3), 35, seed=0), Plan(recipe(epochs=None, steps=12), 35, seed=0)
    for step in range(12):
        assert one.rates(step) == other.rates(step)
        assert one.logs_after(step + 1) == other.logs_after(step + 1)
        assert one.evaluates_after(step + 1) == other.evaluates_after(step + 1)


def test_the_order_depends_on_seed_and_epoch():
    plan, other = Plan(recipe(), 100, seed=0), Plan(recipe(), 100, seed=1)
    assert torch.equal(plan.order(3), Plan(recipe(), 100, seed=0).order(3))
    assert not torch.equal(plan.order(0), plan.order(1))
    assert not torch.equal(plan.order(0), other.order(0))


def test_a_batch_larger_than_the_data_is_a_user_error():
    with pytest.raises(UserError, match=r"8 x 1 = 8 images, found 7 .*lower pretrain.batch_size, and") as error:
        Plan(recipe(), 7, seed=0)
    assert "\n" not in str(error.value)


def test_the_error_suggests_fewer_accumulation_steps():
    with pytest.raises(UserError, match=r"8 x 4 = 32 images, found 31 .*lower pretrain.accumulation_steps, and"):
        Plan(recipe(accumulation_steps=4), 31, seed=0)


def test_the_error_suggests_a_smaller_batch_if_one_is_too_large():
    with pytest.raises(UserError, match=r"8 x 4 = 32 images, found 7 .*lower pretrain.batch_size, and"):
        Plan(recipe(accumulation_steps=4), 7, seed=0)


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_images_are_a_user_error(count):
    with pytest.raises(UserError, match=rf"found {count} .*; at least 2 are needed: ingest more images$"):
        Plan(recipe(batch_size=2), count, seed=0)


def test_rates_of_the_first_and_last_steps():
    plan = Plan(recipe(epochs=10, optimizer={"warmup": 0.05}), 80, seed=0)  # 100 steps, 5 of them warmup
    assert plan.rates(0) == pytest.approx((0.01, 0.9))
    assert plan.rates(5)[0] == pytest.approx(0.05)
    assert plan.rates(100) == pytest.approx((0.0, 1.0))


def test_rows_come_after_each_epoch_and_at_least_every_fifty_steps():
    plan = Plan(recipe(epochs=1000), 8 * 170, seed=0)
    read = [done for done in range(1, 341) if plan.logs_after(done)]
    assert {170, 340} <= set(read)
    assert max(b - a for a, b in zip([0, *read], read, strict=False)) <= MAX_STEPS_PER_ROW


def evaluated(evaluations, epochs):
    """The steps after which a training of three steps an epoch evaluates its networks."""
    plan = Plan(recipe(epochs=epochs, online_knn={"evaluations": evaluations}), 24, seed=0)
    steps = range(1, plan.steps + 1)
    assert all(plan.logs_after(done) for done in steps if plan.evaluates_after(done))
    return [done for done in steps if plan.evaluates_after(done)]


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [(5, [3, 6, 9, 12, 15]), (2, [8, 15]), (1, [15]), (0, []), (15, list(range(1, 16))), (99, list(range(1, 16)))],
)
def test_evaluations_are_evenly_spaced_up_to_the_last_step(evaluations, expected):
    assert evaluated(evaluations, epochs=5) == expected


def test_an_evaluation_between_two_regular_rows_has_a_row():
    assert len(evaluated(7, epochs=1000)) == 7
