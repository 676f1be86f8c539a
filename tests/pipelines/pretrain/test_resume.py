"""What could break: a stopped training that ends otherwise than an undisturbed one, or as another training."""

import json
import logging
import re

import pandas as pd
import pytest

from byol_kedro.errors import UserError
from tests.support.resuming import TIMES, DiedError, die_after, died, run, same
from tests.support.trainings import compile_without_compiler, recipe

OPTIMIZERS = {
    "sgd": {},
    "lars": {"optimizer": {"name": "lars"}},
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.001}},
    "accumulation": {"accumulation_steps": 2, "batch_size": 4},
}


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_a_training_that_died_ends_with_the_same_tensors_and_history(tmp_path, changes):
    parameters = recipe(epochs=3, checkpoint={"steps": 2}, **changes)
    died(tmp_path / "a", parameters, 5)  # in the third epoch; the last checkpoint is of step 4
    again = run(tmp_path / "a", parameters)
    assert same(again, run(tmp_path / "b", parameters))


def test_in_float16_scale_and_skipped_steps_outlive_a_death_and_are_told_in_one_line(tmp_path, caplog):
    parameters = recipe(epochs=8, precision="float16", checkpoint={"steps": 2})
    with caplog.at_level(logging.INFO):
        straight = run(tmp_path / "b", parameters)
        died(tmp_path / "a", parameters, 3)  # the first steps overflow
        died(tmp_path / "a", parameters, 13)
        assert same(run(tmp_path / "a", parameters), straight)
    first, again = (message for message in caplog.messages if "overflowed" in message)
    assert first == again
    skipped, of = re.match(r"(\d+) of (\d+) steps changed no weight: ", first).groups()
    assert 3 < int(skipped) < int(of) == 16


def test_a_compiled_training_that_died_ends_with_the_same_tensors(tmp_path, monkeypatch):
    compile_without_compiler(monkeypatch)
    parameters = recipe(compile=True, checkpoint={"steps": 1})
    died(tmp_path / "a", parameters, 3)
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_past_a_corrupt_checkpoint_the_one_before_is_taken_and_what_is_written_then_is_found(tmp_path):
    parameters = recipe(epochs=3, checkpoint={"steps": 2, "keep": 2})
    died(tmp_path / "a", parameters, 5)
    newest = max(tmp_path.rglob("step-*"))
    newest.write_bytes(newest.read_bytes()[:-3])
    died(tmp_path / "a", recipe(epochs=3, checkpoint={"steps": 1, "keep": 1}), 3)
    assert [path.stem for path in tmp_path.rglob("step-*")] == ["step-000000003"]
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_dying_again_and_again_changes_nothing(tmp_path):
    parameters = recipe(epochs=3, checkpoint={"steps": 1})
    for steps in (1, 2, 5):
        died(tmp_path / "a", parameters, steps)
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_means_that_were_not_yet_in_the_history_are_not_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("byol_kedro.byol.schedule.Plan.read_after", lambda _plan, done: done % 4 == 0)
    parameters = recipe(epochs=4, checkpoint={"steps": 3})
    died(tmp_path / "a", parameters, 3)
    again, straight = run(tmp_path / "a", parameters), run(tmp_path / "b", parameters)
    pd.testing.assert_frame_equal(again[2].drop(columns=TIMES), straight[2].drop(columns=TIMES), check_exact=True)


def test_one_line_says_where_it_goes_on(tmp_path, caplog):
    parameters = recipe(checkpoint={"steps": 1})
    died(tmp_path, parameters, 3)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run(tmp_path, parameters)
    assert caplog.messages[0].startswith("goes on from step 3 of 4 (checkpoint of ")


def test_a_finished_training_is_taken_as_it_is(tmp_path, caplog, monkeypatch):
    first = run(tmp_path, recipe())
    die_after(monkeypatch, 0)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = run(tmp_path, recipe())
    assert same(first, again)
    assert caplog.messages[0].startswith("this training is finished")
    assert len(list(tmp_path.rglob("step-*"))) == 1


def test_resume_false_trains_anew(tmp_path, monkeypatch):
    run(tmp_path, recipe())
    die_after(monkeypatch, 0)
    with pytest.raises(DiedError):
        run(tmp_path, recipe(resume=False))


def test_another_recipe_starts_anew_says_what_differs_and_leaves_the_first_alone(tmp_path, caplog):
    first = run(tmp_path / "a", recipe())
    with caplog.at_level(logging.INFO):
        other = run(tmp_path / "a", recipe(tau={"base": 0.8}))
    assert "differs in tau.base (0.9 there, 0.8 here)" in caplog.text
    assert same(other, run(tmp_path / "b", recipe(tau={"base": 0.8})))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert same(first, run(tmp_path / "a", recipe()))
    assert caplog.messages[0].startswith("this training is finished")


def test_a_finished_training_is_continued_with_its_history_along_the_longer_schedule(tmp_path, caplog):
    run(tmp_path, recipe(epochs=2))
    with caplog.at_level(logging.INFO):
        longer = run(tmp_path, recipe(epochs=3, continue_from_epochs=2))
    assert any(message.startswith("continues the training of 2 epochs") for message in caplog.messages)
    history = longer[2]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]
    _, history_of_three = run(tmp_path, recipe(epochs=3))[1:]
    assert history["lr"].tolist()[4:] == history_of_three["lr"].tolist()[4:]
    assert longer[0].header["epochs"] == "3"


def test_a_continued_training_is_continued(tmp_path):
    run(tmp_path, recipe(epochs=1))
    run(tmp_path, recipe(epochs=2, continue_from_epochs=1))
    history = run(tmp_path, recipe(epochs=3, continue_from_epochs=2))[2]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]


def test_an_encoder_names_the_trainings_that_it_continues_by_those_encoders_own_lineage(tmp_path):
    def lineage(parameters):
        return json.loads(run(tmp_path, parameters)[0].header["lineage"])

    straight = lineage(recipe(epochs=1))
    assert len(straight) == 1
    longer = lineage(recipe(epochs=2, continue_from_epochs=1))
    assert longer[:-1] == straight
    assert lineage(recipe(epochs=3, continue_from_epochs=2))[:-1] == longer
    from_the_start = lineage(recipe(epochs=2))  # goes before the one that was continued itself
    assert lineage(recipe(epochs=4, continue_from_epochs=2))[:-1] == from_the_start != longer


def test_a_training_from_the_start_is_continued_rather_than_one_that_was_continued_itself(tmp_path):
    for place in ("a", "b"):
        run(tmp_path / place, recipe(epochs=2))
    run(tmp_path / "a", recipe(epochs=1))
    run(tmp_path / "a", recipe(epochs=2, continue_from_epochs=1))
    longer = recipe(epochs=3, continue_from_epochs=2)
    assert same(run(tmp_path / "a", longer), run(tmp_path / "b", longer))


def test_a_continued_training_that_died_goes_on_too(tmp_path):
    parameters = recipe(epochs=4, continue_from_epochs=2, checkpoint={"steps": 1})
    for place in ("a", "b"):
        run(tmp_path / place, recipe(epochs=2))
    died(tmp_path / "a", parameters, 6)
    again = run(tmp_path / "a", parameters)
    assert len(json.loads(again[0].header["lineage"])) == 2
    assert same(again, run(tmp_path / "b", parameters))


def test_without_a_finished_training_there_is_nothing_to_continue(tmp_path):
    died(tmp_path, recipe(epochs=2, checkpoint={"steps": 1}), 3)
    with pytest.raises(UserError, match=r"no finished training of 2 epochs.*run it first, with pretrain.epochs=2"):
        run(tmp_path, recipe(epochs=3, continue_from_epochs=2))


def test_only_a_shorter_training_can_be_continued():
    with pytest.raises(ValueError, match="must be below epochs, found 2 of 2"):
        recipe(epochs=2, continue_from_epochs=2)
