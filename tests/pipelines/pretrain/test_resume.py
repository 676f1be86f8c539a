"""A resumed training has the result of an uninterrupted one."""

import json
import logging
import re

import pandas as pd
import pytest

from byol_kedro.errors import UserError
from tests.support.resuming import TIMES, InterruptedTrainingError, interrupt_after, run, run_interrupted, same
from tests.support.trainings import compile_without_compiler, recipe

OPTIMIZERS = {
    "sgd": {},
    "lars": {"optimizer": {"name": "lars"}},
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.001}},
    "accumulation": {"accumulation_steps": 2, "batch_size": 4},
}


@pytest.mark.parametrize("changes", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_a_resumed_training_has_the_same_tensors_and_history(tmp_path, changes):
    parameters = recipe(epochs=3, checkpoint={"steps": 2}, **changes)
    run_interrupted(tmp_path / "a", parameters, 5)  # in the third epoch; the last checkpoint is of step 4
    again = run(tmp_path / "a", parameters)
    assert same(again, run(tmp_path / "b", parameters))


def test_in_float16_scale_and_skipped_steps_are_restored(tmp_path, caplog):
    parameters = recipe(epochs=8, precision="float16", checkpoint={"steps": 2})
    with caplog.at_level(logging.INFO):
        straight = run(tmp_path / "b", parameters)
        run_interrupted(tmp_path / "a", parameters, 3)  # the first steps overflow
        run_interrupted(tmp_path / "a", parameters, 13)
        assert same(run(tmp_path / "a", parameters), straight)
    first, again = (message for message in caplog.messages if "overflowed" in message)
    assert first == again
    skipped, of = re.match(r"(\d+) of (\d+) steps changed no weight: ", first).groups()
    assert 3 < int(skipped) < int(of) == 16


def test_a_resumed_compiled_training_has_the_same_tensors(tmp_path, monkeypatch):
    compile_without_compiler(monkeypatch)
    parameters = recipe(compile=True, checkpoint={"steps": 1})
    run_interrupted(tmp_path / "a", parameters, 3)
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_a_corrupt_checkpoint_is_skipped(tmp_path):
    parameters = recipe(epochs=3, checkpoint={"steps": 2, "keep": 2})
    run_interrupted(tmp_path / "a", parameters, 5)
    newest = max(tmp_path.rglob("step-*"))
    newest.write_bytes(newest.read_bytes()[:-3])
    run_interrupted(tmp_path / "a", recipe(epochs=3, checkpoint={"steps": 1, "keep": 1}), 3)
    assert [path.stem for path in tmp_path.rglob("step-*")] == ["step-000000003"]
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_repeated_interruptions_do_not_change_the_result(tmp_path):
    parameters = recipe(epochs=3, checkpoint={"steps": 1})
    for steps in (1, 2, 5):
        run_interrupted(tmp_path / "a", parameters, steps)
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_pending_means_of_the_history_are_restored(tmp_path, monkeypatch):
    monkeypatch.setattr("byol_kedro.byol.schedule.Plan.logs_after", lambda _plan, done: done % 4 == 0)
    parameters = recipe(epochs=4, checkpoint={"steps": 3})
    run_interrupted(tmp_path / "a", parameters, 3)
    again, straight = run(tmp_path / "a", parameters), run(tmp_path / "b", parameters)
    pd.testing.assert_frame_equal(again[2].drop(columns=TIMES), straight[2].drop(columns=TIMES), check_exact=True)


def test_resuming_is_logged(tmp_path, caplog):
    parameters = recipe(checkpoint={"steps": 1})
    run_interrupted(tmp_path, parameters, 3)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        run(tmp_path, parameters)
    assert caplog.messages[0].startswith("resuming from step 3 of 4 (checkpoint of ")


def test_a_finished_training_is_reused(tmp_path, caplog, monkeypatch):
    first = run(tmp_path, recipe())
    interrupt_after(monkeypatch, 0)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        again = run(tmp_path, recipe())
    assert same(first, again)
    assert caplog.messages[0].startswith("this training is already finished")
    assert len(list(tmp_path.rglob("step-*"))) == 1


def test_resume_false_trains_again(tmp_path, monkeypatch):
    run(tmp_path, recipe())
    interrupt_after(monkeypatch, 0)
    with pytest.raises(InterruptedTrainingError):
        run(tmp_path, recipe(resume=False))


def test_another_recipe_starts_over_and_logs_the_difference(tmp_path, caplog):
    first = run(tmp_path / "a", recipe())
    with caplog.at_level(logging.INFO):
        other = run(tmp_path / "a", recipe(tau={"base": 0.8}))
    assert "differs in tau.base (0.9 there, 0.8 here)" in caplog.text
    assert same(other, run(tmp_path / "b", recipe(tau={"base": 0.8})))
    caplog.clear()
    with caplog.at_level(logging.INFO):
        assert same(first, run(tmp_path / "a", recipe()))
    assert caplog.messages[0].startswith("this training is already finished")


def test_a_finished_training_is_continued_on_a_longer_schedule(tmp_path, caplog):
    run(tmp_path, recipe(epochs=2))
    with caplog.at_level(logging.INFO):
        longer = run(tmp_path, recipe(epochs=3, continue_from=2))
    assert any(message.startswith("continuing the training of 2 epochs") for message in caplog.messages)
    history = longer[2]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]
    _, history_of_three = run(tmp_path, recipe(epochs=3))[1:]
    assert history["lr"].tolist()[4:] == history_of_three["lr"].tolist()[4:]
    assert longer[0].header["epochs"] == "3"


def test_a_training_in_steps_continues_one_in_epochs(tmp_path, caplog):
    run(tmp_path, recipe(epochs=2))
    with caplog.at_level(logging.INFO):
        longer = run(tmp_path, recipe(epochs=None, steps=5, continue_from=4))
    assert any(message.startswith("continuing the training of 4 steps") for message in caplog.messages)
    assert (longer[2]["step"].tolist(), longer[0].header["epochs"]) == ([1, 2, 3, 4, 5], "2.5")
    in_epochs = run(tmp_path, recipe(epochs=None, steps=7, continue_from=5))
    assert len(json.loads(in_epochs[0].header["lineage"])) == 3


def test_a_finished_training_in_epochs_is_that_in_as_many_steps(tmp_path, monkeypatch):
    first = run(tmp_path, recipe(epochs=2))
    interrupt_after(monkeypatch, 0)
    again = run(tmp_path, recipe(epochs=None, steps=4))
    assert [again[0].header[name] for name in ("epochs", "steps")] == ["2", "4"]
    assert first[2].equals(again[2])


def test_a_resumed_training_in_steps_has_the_same_tensors(tmp_path):
    parameters = recipe(epochs=None, steps=5, checkpoint={"steps": 1})
    run_interrupted(tmp_path / "a", parameters, 4)
    assert same(run(tmp_path / "a", parameters), run(tmp_path / "b", parameters))


def test_a_continued_training_can_be_continued(tmp_path):
    run(tmp_path, recipe(epochs=1))
    run(tmp_path, recipe(epochs=2, continue_from=1))
    history = run(tmp_path, recipe(epochs=3, continue_from=2))[2]
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]


def test_the_lineage_lists_the_continued_trainings(tmp_path):
    def lineage(parameters):
        return json.loads(run(tmp_path, parameters)[0].header["lineage"])

    straight = lineage(recipe(epochs=1))
    assert len(straight) == 1
    longer = lineage(recipe(epochs=2, continue_from=1))
    assert longer[:-1] == straight
    assert lineage(recipe(epochs=3, continue_from=2))[:-1] == longer
    from_the_start = lineage(recipe(epochs=2))  # preferred to the continued one
    assert lineage(recipe(epochs=4, continue_from=2))[:-1] == from_the_start != longer


def test_a_training_from_scratch_is_preferred_to_a_continued_one(tmp_path):
    for folder in ("a", "b"):
        run(tmp_path / folder, recipe(epochs=2))
    run(tmp_path / "a", recipe(epochs=1))
    run(tmp_path / "a", recipe(epochs=2, continue_from=1))
    longer = recipe(epochs=3, continue_from=2)
    assert same(run(tmp_path / "a", longer), run(tmp_path / "b", longer))


def test_a_continued_training_is_resumed(tmp_path):
    parameters = recipe(epochs=4, continue_from=2, checkpoint={"steps": 1})
    for folder in ("a", "b"):
        run(tmp_path / folder, recipe(epochs=2))
    run_interrupted(tmp_path / "a", parameters, 6)
    again = run(tmp_path / "a", parameters)
    assert len(json.loads(again[0].header["lineage"])) == 2
    assert same(again, run(tmp_path / "b", parameters))


def test_an_unfinished_training_cannot_be_continued(tmp_path):
    run_interrupted(tmp_path, recipe(epochs=2, checkpoint={"steps": 1}), 3)
    with pytest.raises(UserError, match=r"no finished training of 2 epochs.*run it first, with pretrain.epochs=2"):
        run(tmp_path, recipe(epochs=3, continue_from=2))


def test_only_a_shorter_training_can_be_continued():
    with pytest.raises(ValueError, match="must be below epochs, found 2 of 2"):
        recipe(epochs=2, continue_from=2)
    with pytest.raises(ValueError, match="must be below steps, found 9 of 8"):
        recipe(epochs=None, steps=8, continue_from=9)
