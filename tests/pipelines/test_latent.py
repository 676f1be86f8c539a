"""The nodes of latent, one after the other, on pictures whose brightness tells the class."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.parameters import Latent
from byol_kedro.pipelines.latent import create_pipeline, nodes
from tests.pipelines.evaluation_inputs import ENCODER, ENCODER_MARKS, images, latents

LATENT = Latent(pairs=300, widths=[16, 8], lr=0.003, batch_size=64, epochs=5, clusters=3, map_points=20)
NO_FILE = pd.DataFrame(columns=["left", "right", "psnr_1", "psnr_2"])


class Kept(MemoryDataset):
    """Stays after its last consumer, as what lies on a disk does."""

    def _release(self):
        pass


def run(encoder=ENCODER, pair_file=NO_FILE, train=None, **other_images):
    given = {
        "encoder": encoder,
        "latents_train": train or latents("train"),
        "latents_test": latents("test"),
        "images_train": images("train"),
        "images_test": images("test"),
        "pair_file": pair_file,
        "params:latent": LATENT,
        "params:seed": 0,
    } | other_images
    saved = ["image_pairs", "latent_mlp", "latent_vectors", "latent_metrics", "latent_map"]
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()}
        | {name: Kept(copy_mode="assign") for name in saved}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in saved}


@pytest.fixture(scope="module")
def outcome():
    return run()


def test_it_runs_on_saved_latents_alone():
    assert create_pipeline().inputs() == {
        "encoder", "latents_train", "latents_test", "images_train", "images_test", "pair_file",
        "params:latent", "params:seed",
    }  # fmt: skip


def test_only_the_pair_predictions_are_kept_between_nodes():
    assert create_pipeline().all_outputs() == {
        "image_pairs", "latent_mlp", "pair_predictions", "latent_vectors", "latent_metrics", "latent_map",
    }  # fmt: skip


def test_the_model_names_its_encoder_and_its_shape(outcome):
    assert outcome["latent_mlp"].header == ENCODER_MARKS | {"widths": "[16, 8]", "feature_dim": "12"}


def test_every_picture_has_a_row_with_its_own_label(outcome):
    table = outcome["latent_vectors"]
    assert table["name"].tolist() == images("train").names + images("test").names
    assert table["split"].tolist() == ["train"] * 60 + ["test"] * 30
    assert table["label"].tolist() == [*images("train").labels, *images("test").labels]


def test_latent_vectors_have_sixteen_float32_columns(outcome):
    types = outcome["latent_vectors"].dtypes.astype(str).to_dict()
    axes = {f"z{axis}": "float32" for axis in range(16)}
    assert types == {"name": "str", "split": "str", "label": "int64", "cluster": "int64"} | axes


def test_rows_are_named_by_the_index_of_the_latents(outcome):
    train = latents("train")
    backwards = Tensors({name: array[::-1].copy() for name, array in train.arrays.items()}, train.header)
    named, again = (
        nodes.embed(ENCODER, outcome["latent_mlp"], one, latents("test"), images("train"), images("test"), LATENT, 0)
        .set_index("name").sort_index().filter(regex="^(z|label)")
        for one in (train, backwards)
    )  # fmt: skip
    pd.testing.assert_frame_equal(named, again)


def test_metrics_are_json_without_nan_and_name_the_encoder_and_the_pictures(outcome):
    metrics = outcome["latent_metrics"]
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert (metrics["encoder_version"], metrics["data_fingerprint"]) == ("v1", "test-pictures")


def test_metrics_count_the_pairs_and_say_the_unit_of_l1(outcome):
    pairs = outcome["latent_metrics"]["pairs"]
    assert (pairs["train"], pairs["test"]) == (240, 60)
    assert pairs["target_scale"] == pytest.approx(1 / train_targets(outcome["image_pairs"]).mean(), rel=1e-6)
    assert "mean target of the training pairs" in pairs["unit"]


def train_targets(table):
    return table.loc[table["split"] == "train", "target"]


def test_metrics_are_those_of_the_test_pairs(outcome):
    assert [row["n"] for row in outcome["latent_metrics"]["rows"]] == [60, 60, 60]


def test_clusters_are_compared_with_the_labels_of_test(outcome):
    assert {"k": 3, "n": 30}.items() <= outcome["latent_metrics"]["clusters"].items()


def test_the_map_shows_test_pictures_only(outcome):
    names = {name for trace in outcome["latent_map"].data for name in trace.text}
    assert len(names) == 20
    assert names <= set(images("test").names)


def test_test_latents_do_not_move_the_model(outcome):
    test = latents("test")
    moved = Tensors(test.arrays | {"features": test["features"] + 1000}, test.header)
    again = run(latents_test=moved)["latent_mlp"]
    assert all(np.array_equal(outcome["latent_mlp"][name], again[name]) for name in again.keys())  # noqa: SIM118  # no mapping


def test_the_pairs_of_a_given_file_are_taken_instead_of_drawn_ones():
    rows = [(f"train/{i:02}", f"train/{i + 1:02}", 20.0 + i, 20.0) for i in range(20)]
    given = run(pair_file=pd.DataFrame(rows, columns=NO_FILE.columns))
    assert given["image_pairs"]["psnr_1"].tolist() == [20.0 + i for i in range(20)]


def test_a_pair_file_without_test_pairs_gives_a_model_and_no_scores():
    given = run(pair_file=pd.DataFrame([("train/01", "train/02", 20.0, 20.0)], columns=NO_FILE.columns))
    assert [row["l1"] for row in given["latent_metrics"]["rows"]] == [None, None, None]


def test_without_labels_there_are_clusters_and_no_agreement():
    def unlabelled(split):
        return Tensors(latents(split).arrays | {"labels": np.full(len(images(split)), -1)}, latents(split).header)

    given = run(train=unlabelled("train"), latents_test=unlabelled("test"))
    assert given["latent_metrics"]["clusters"] == {"k": 3, "nmi": None, "ari": None, "n": 0}
    assert given["latent_map"].data[0].name.startswith("cluster ")


def of_another_encoder(tensors):
    return Tensors(tensors.arrays, tensors.header | {"encoder_fingerprint": "e2"})


def test_a_model_is_not_fitted_to_latents_of_another_encoder(outcome):
    with pytest.raises(UserError, match="extract"):
        nodes.fit(ENCODER, of_another_encoder(latents("train")), images("train"), outcome["image_pairs"], LATENT, 0)


@pytest.mark.parametrize("other", ["latent_mlp", "train", "test"])
def test_latents_and_model_of_different_encoders_give_no_vectors(other, outcome):
    given = {"latent_mlp": outcome["latent_mlp"], "train": latents("train"), "test": latents("test")}
    given[other] = of_another_encoder(given[other])
    with pytest.raises(UserError, match="extract"):
        nodes.embed(ENCODER, *given.values(), images("train"), images("test"), LATENT, 0)


def test_latents_of_other_pictures_are_refused():
    with pytest.raises(UserError, match="run the pipeline extract again"):
        run(images_train=replace(images("train"), fingerprint="other"))


def test_a_split_with_one_picture_is_refused():
    one = replace(images("test"), pixels=images("test").pixels[:1], names=["test/00"])
    with pytest.raises(UserError, match=r"images_test of photos holds 1 picture.*ingest more"):
        nodes.make_pairs(images("train"), one, NO_FILE, LATENT, 0)
