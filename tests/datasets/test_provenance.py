"""Provenance in headers, and headers written with other parameters than the current ones."""

import json

import pytest

from byol_kedro.datasets.provenance import Provenance, check_same_encoder, metrics_of, training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from tests.support.pretrain_inputs import split
from tests.support.trainings import recipe

ENCODER = Tensors({}, {"version": "v1", "fingerprint": "f1", "data": "photos", "recipe": "paper"})


def trained(**training):
    return Tensors({}, ENCODER.header | {"training": json.dumps(training), "image_passes": "20"})


def test_the_header_of_an_artifact_names_encoder_and_images():
    provenance = Provenance.of(ENCODER, split("train", 2), split("test", 2))
    header = {
        "encoder_version": "v1", "encoder_fingerprint": "f1", "data": "array",
        "data_fingerprint": "train-mark:test-mark",
    }  # fmt: skip
    assert provenance.to_header() == header
    assert Provenance.from_header(header) == provenance


def test_an_artifact_without_images_has_no_entry_for_them():
    assert Provenance.of(ENCODER).to_header() == {"encoder_version": "v1", "encoder_fingerprint": "f1"}


def test_metrics_name_the_encoder_and_the_test_images():
    header = {"encoder_version": "v1", "data": "array", "data_fingerprint": "test-mark"}
    assert metrics_of(ENCODER, split("test", 2), [{"top1": 0.5}]) == {**header, "rows": [{"top1": 0.5}]}


def test_other_entries_are_ignored_and_missing_ones_are_empty():
    assert Provenance.from_header({"encoder_version": "v1", "new": "x"}) == Provenance(encoder_version="v1")


def test_an_artifact_without_provenance_is_of_no_encoder():
    with pytest.raises(UserError, match=r"features of encoder unknown do not match encoder v1: .* extract again"):
        check_same_encoder(ENCODER, Tensors({}, {}))


def test_the_training_is_read_without_parameters_that_no_longer_exist():
    parameters = recipe().model_dump(mode="json")
    old = parameters | {"momentum_schedule": "linear", "tau": parameters["tau"] | {"warmup": 3}}
    assert training_of(trained(**old)) == (recipe(), 20)


@pytest.mark.parametrize("block", [None, "checkpoint"])
def test_optional_parameters_that_did_not_exist_are_none(block):
    parameters = recipe(checkpoint={"steps": 3}, init_from="a.pth").model_dump(mode="json")
    del (parameters if block is None else parameters[block])["init_from" if block is None else "steps"]
    found, _ = training_of(trained(**parameters))
    assert (found.init_from, found.checkpoint.steps) == ((None, 3) if block is None else ("a.pth", None))


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"views": 3}'])
def test_a_training_that_is_incomplete_is_not_read(text):
    assert training_of(Tensors({}, ENCODER.header | {"training": text, "image_passes": "20"})) is None
