"""The identity of a training, by which its checkpoints are found."""

import pytest
import torch

from byol_kedro.pipelines.pretrain import resume
from byol_kedro.pipelines.pretrain.resume import NOT_IDENTIFYING, training_identity
from tests.support.pretrain_inputs import TRAIN, UNLABELED
from tests.support.resuming import identity
from tests.support.trainings import CPU, RECIPE, VIEW, recipe

CHANGES = [
    {"encoder": {"stem": "small"}},
    {"heads": {"hidden_dim": 25}},
    {"views": {"first": VIEW | {"solarize_prob": 0.3}}},
    {"views": {"size": 8}},
    {"normalize": False},
    {"epochs": 3},
    {"epochs": None, "steps": 3},
    {"batch_size": 7},
    {"accumulation_steps": 2},
    {"optimizer": {"lr": 0.06}},
    {"tau": {"base": 0.8}},
    {"precision": "bfloat16"},
    {"precision": "float16"},
    {"compile": True},
    {"continue_from": 1},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_relevant_parameters_change_the_identity(changes):
    assert identity(changes) != identity()


def test_the_unit_of_the_length_does_not_change_the_identity():
    in_epochs = identity({"epochs": 3, "continue_from": 2})  # two steps an epoch
    assert identity({"epochs": None, "steps": 6, "continue_from": 4}) == in_epochs


def test_seed_device_and_data_change_the_identity():
    assert identity(seed=1) != identity()
    assert training_identity(recipe(), UNLABELED, TRAIN, 0, torch.device("mps"))["device"] == "mps"
    assert training_identity(recipe(), TRAIN, TRAIN, 0, CPU) != identity()


IRRELEVANT_CHANGES = {
    "recipe": "other",
    "online_knn": {"images": 3},
    "checkpoint": {"minutes": 1, "steps": 7, "keep": 3},
    "resume": False,
}


def test_irrelevant_parameters_do_not_change_the_identity():
    assert identity(IRRELEVANT_CHANGES) == identity()
    assert set(IRRELEVANT_CHANGES) == NOT_IDENTIFYING


def test_every_parameter_is_covered_here():
    assert {*RECIPE} == {name for change in CHANGES for name in change} | NOT_IDENTIFYING | {"init_from"}


def test_the_code_hash_covers_subfolders_and_paths(tmp_path, monkeypatch):
    monkeypatch.setattr(resume.byol, "__file__", str(tmp_path / "__init__.py"))
    hashes = set()
    for name, code in (("a.py", "1"), ("b/a.py", "1"), ("b/a.py", "2")):
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
        hashes.add(resume._code_hash.__wrapped__())
        (tmp_path / name).unlink()
    assert len(hashes) == 3
