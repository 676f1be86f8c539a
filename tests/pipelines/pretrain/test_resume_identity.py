"""What could break: two different trainings taken for one, or a training that no longer finds its own checkpoint."""

import pytest
import torch

from byol_kedro.pipelines.pretrain import resume
from byol_kedro.pipelines.pretrain.resume import INDIFFERENT, identity_of
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.resuming import what
from tests.support.trainings import CPU, RECIPE, VIEW, recipe

CHANGES = [
    {"encoder": {"stem": "small"}},
    {"heads": {"hidden_dim": 25}},
    {"views": {"first": VIEW | {"solarize_prob": 0.3}}},
    {"normalize": False},
    {"epochs": 3},
    {"batch_size": 7},
    {"accumulation_steps": 2},
    {"optimizer": {"lr": 0.06}},
    {"tau": {"base": 0.8}},
    {"precision": "bfloat16"},
    {"precision": "float16"},
    {"compile": True},
    {"continue_from_epochs": 1},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_what_changes_the_result_makes_another_training(changes):
    assert what(changes) != what()


def test_seed_device_and_data_make_another_training():
    assert what(seed=1) != what()
    assert identity_of(recipe(), UNLABELED, TRAIN, 0, torch.device("mps"))["device"] == "mps"
    assert identity_of(recipe(), TRAIN, TRAIN, 0, CPU) != what()


INDIFFERENT_CHANGES = {
    "recipe": "other",
    "online_knn": {"images": 3},
    "checkpoint": {"minutes": 1, "steps": 7, "keep": 3},
    "resume": False,
    "precision": "float32",  # what auto is on the CPU
}


def test_names_watching_and_keeping_do_not():
    assert what(INDIFFERENT_CHANGES) == what()
    assert set(INDIFFERENT_CHANGES) == INDIFFERENT | {"precision"}


def test_every_parameter_that_matters_has_a_change_in_these_tests():
    assert {*RECIPE} == {name for change in CHANGES for name in change} | INDIFFERENT | {"init_from"}


def test_the_code_in_subfolders_counts_and_so_does_where_it_lies(tmp_path, monkeypatch):
    monkeypatch.setattr(resume.byol, "__file__", str(tmp_path / "__init__.py"))
    marks = set()
    for name, code in (("a.py", "1"), ("b/a.py", "1"), ("b/a.py", "2")):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
        marks.add(resume._code.__wrapped__())
        (tmp_path / name).unlink()
    assert len(marks) == 3
