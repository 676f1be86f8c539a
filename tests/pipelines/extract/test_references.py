"""Reference networks: their weights, facts, and messages about skipped ones."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from byol_kedro import log
from byol_kedro.byol.encoder import to_arrays, untrained_encoder
from byol_kedro.datasets.probe_data import references
from byol_kedro.datasets.provenance import training_of
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.pipelines.extract import references as extracted
from byol_kedro.pipelines.extract.references import check_references
from tests.support.encoder_inputs import SETTINGS, TEST, TRAIN, references_of
from tests.support.encoders import HEADER, moved
from tests.support.hub import NAME, hub, served, trained_weights, use_hub
from tests.support.originals import assert_features_equal, timm_features
from tests.support.trainings import recipe

NOBODY = "http://127.0.0.1:9"
TRAINING = {"training": recipe(batch_size=4).model_dump_json(), "image_passes": "20"}


@pytest.fixture
def encoder():
    header = HEADER.to_dict() | {"version": "v1", "fingerprint": "f1"} | TRAINING
    return Tensors(to_arrays(moved(untrained_encoder(HEADER))), header)


def about(latents):
    return json.loads(latents.header["references"])


def test_unavailable_references_are_named_in_the_header(encoder, monkeypatch, tmp_path):
    use_hub(monkeypatch, NOBODY, tmp_path / "cache")
    assert json.loads(references_of(encoder, {"imagenet": NAME}).header["left_out"]) == ["imagenet"]
    assert json.loads(references_of(encoder, {}).header["left_out"]) == []


@pytest.mark.parametrize("where", ["hub", "safetensors", "pth"])
def test_features_do_not_depend_on_the_source_of_the_weights(encoder, tmp_path, monkeypatch, where):
    weights, wanted = trained_weights(), NAME
    if where == "safetensors":
        save_file(weights, tmp_path / "mine.safetensors")
        wanted = f"{NAME}@{tmp_path}/mine.safetensors"
    elif where == "pth":
        torch.save(weights, tmp_path / "mine.pth")
        wanted = f"{NAME}@{tmp_path}/mine.pth"
    with hub(served(weights=weights) if where == "hub" else {}) as (address, _):
        use_hub(monkeypatch, address, tmp_path / "cache")
        found = references_of(encoder, {"imagenet": wanted})
    for split, images in (("train", TRAIN), ("test", TEST)):
        expected = timm_features(NAME, weights, images.pixels)
        assert_features_equal(found[f"imagenet.{split}.features"], expected)
        np.testing.assert_array_equal(found[f"imagenet.{split}.labels"], images.labels)
    assert about(found)["imagenet"] == {
        "features": "imagenet (test_resnet.r160_in1k)",
        "facts": {"architecture": "test_resnet"},
    }


def test_without_network_access_other_references_remain(encoder, tmp_path, monkeypatch, caplog):
    use_hub(monkeypatch, NOBODY, tmp_path)
    save_file(trained_weights(), tmp_path / "mine.safetensors")
    with caplog.at_level(logging.INFO):
        found = references_of(encoder, {"imagenet": NAME, "mine": f"{NAME}@{tmp_path}/mine.safetensors"})
    assert list(about(found)) == ["untrained", "mine"]
    (line,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert line.startswith("references.imagenet: skipped, the weights test_resnet.r160_in1k are not available (")
    assert line.endswith("; without network access, give a file: test_resnet.r160_in1k@FILE")


def test_weights_without_a_hub_address_are_skipped(encoder, caplog):
    found = references_of(encoder, {"coat": "coatnet_0_224"})
    assert list(about(found)) == ["untrained"]
    assert "timm has no hub address for them" in caplog.text


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("resnt18", "references.x: timm has no weights 'resnt18'"),
        (f"{NAME}@nowhere.pth", "references.x: nowhere.pth does not exist"),
    ],
)
def test_a_wrong_name_or_file_is_an_error(wanted, message):
    with pytest.raises(UserError, match=message):
        check_references({"x": wanted}, SETTINGS)


def test_a_file_with_code_is_refused_and_not_run(encoder, tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("sprung").touch, ())

    torch.save({"fc.weight": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(UserError, match=r"references\.x: .*contains Python objects"):
        references_of(encoder, {"x": f"{NAME}@{tmp_path}/trap.pth"})
    assert not (tmp_path / "sprung").exists()


def test_references_have_their_own_facts(encoder):
    found = references_of(encoder, supervised=True)
    (untrained, nothing), (supervised, facts) = references(found, TEST)
    assert (untrained.features, nothing) == ("untrained network", {})
    assert supervised.features == "supervised, from scratch"
    assert facts == {"architecture": "test_resnet", "epochs": 2, "batch_size": 4, "seed": 4}  # 2 × 8 of 9 images
    assert (supervised.train_x.shape, supervised.test_x.shape) == ((9, 96), (7, 96))
    assert not np.array_equal(supervised.train_x, untrained.train_x)


def test_the_supervised_network_uses_the_labels_of_train(encoder):
    one = references_of(encoder, supervised=True)
    unknown = replace(TRAIN, labels=np.where(np.arange(9) < 8, TRAIN.labels, -1))
    fewer = references_of(encoder, supervised=True, train=unknown)
    assert not np.array_equal(one["supervised.test.features"], fewer["supervised.test.features"])
    np.testing.assert_array_equal(fewer["supervised.train.labels"], unknown.labels)


@pytest.mark.parametrize(
    ("header", "labels", "why"),
    [
        ({"training": "{}"}, TRAIN.labels, "lacks the parameters of its training"),
        ({}, np.full(9, -1), "train has fewer than two classes"),
    ],
    ids=["an older encoder", "no labels"],
)
def test_a_skipped_supervised_network_is_logged(encoder, header, labels, why, caplog):
    old = Tensors(encoder.arrays, encoder.header | header)
    with caplog.at_level(logging.INFO):
        found = references_of(old, supervised=True, train=replace(TRAIN, labels=labels))
    assert list(about(found)) == ["untrained"]
    assert [message for message in caplog.messages if why in message] == caplog.messages


def test_the_progress_of_the_supervised_network_is_logged_every_twenty_seconds(caplog, monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(log.time, "monotonic", lambda: clock["now"])
    log_epoch = extracted._progress_log(9)
    with caplog.at_level(logging.INFO):
        for epoch in range(1, 10):
            clock["now"] += 7.0
            log_epoch(epoch, 0.5)
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        "epoch 1 of 9, loss 0.500, 56 seconds left",
        "epoch 4 of 9, loss 0.500, 35 seconds left",
        "epoch 7 of 9, loss 0.500, 14 seconds left",
        "epoch 9 of 9, loss 0.500, 0 seconds left",
    ]


def test_training_of_an_encoder(encoder):
    assert training_of(encoder) == (recipe(batch_size=4), 20)
    older = {name: value for name, value in encoder.header.items() if name not in TRAINING}
    assert training_of(Tensors({}, older)) is None
