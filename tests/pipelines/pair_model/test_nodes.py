"""The pipeline pair_model on images with a brightness for each class."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from safetensors.numpy import save_file
from scipy.spatial.distance import cosine
from torch import nn

from byol_kedro.datasets.events import EventFolder
from byol_kedro.datasets.tensors import Tensors
from byol_kedro.errors import UserError
from byol_kedro.pair_model import baselines
from byol_kedro.pipelines.pair_model import create_pipeline, nodes
from tests.support.evaluation_inputs import DATA, ENCODER, ENCODER_HEADER, images, latents, reference_latents
from tests.support.event_files import points
from tests.support.pair_problems import SETTINGS, changed

PARAMS = changed(SETTINGS, widths=[16, 8], epochs=5, map={"method": "tsne", "points": 20})
NO_FILE = pd.DataFrame(columns=["left", "right", "psnr_1", "psnr_2"])
NO_TENSORS = Tensors({"x1": np.zeros((0, 0), np.float32), "x2": np.zeros((0, 0), np.float32), "y": np.zeros(0)}, {})
SAVED = [
    "image_pairs", "pair_model", "pair_history", "pair_predictions", "pair_embeddings", "cluster_list",
    "pair_metrics", "pair_embedding_map", "cluster_sheet",
]  # fmt: skip


def params(**values):
    return changed(PARAMS, **values)


def with_pairs(**values):
    return params(pairs=PARAMS.pairs.model_dump() | values)


def unlabeled(count=0):
    """Features of the first `count` test images, without labels."""
    test = latents("test")
    arrays = {"features": test["features"][:count], "labels": np.full(count, -1), "index": np.arange(count)}
    return Tensors(arrays, test.header)


class Kept(MemoryDataset):
    """A dataset that is not released after its last use, as a file."""

    def _release(self):
        pass


def run(encoder=ENCODER, pair_file=NO_FILE, train=None, settings=PARAMS, **others):
    given = {
        "encoder": encoder,
        "latents_train": train or latents("train"),
        "latents_test": latents("test"),
        "latents_unlabeled": unlabeled(),
        "reference_latents": reference_latents(),
        "images_train": images("train"),
        "images_test": images("test"),
        "images_unlabeled": images("test"),
        "pair_file": pair_file,
        "pair_tensors": NO_TENSORS,
        "event_files": EventFolder(Path("nowhere")),
        "params:pair_model": settings,
        "params:tensorboard": False,
        "params:seed": 0,
    } | others
    catalog = DataCatalog(
        {name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()}
        | {name: Kept(copy_mode="assign") for name in SAVED}
        | {name: MemoryDataset(copy_mode="assign") for name in ("image_pool", "given_pairs")}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in SAVED}


@pytest.fixture(scope="module")
def outcome():
    return run()


def test_inputs_of_the_pipeline():
    assert create_pipeline().inputs() == {
        "encoder", "latents_train", "latents_test", "latents_unlabeled", "reference_latents",
        "images_train", "images_test", "images_unlabeled", "pair_file", "pair_tensors",
        "event_files", "params:pair_model", "params:tensorboard", "params:seed",
    }  # fmt: skip


def test_outputs_of_the_pipeline():
    assert create_pipeline().all_outputs() == {*SAVED, "image_pool", "given_pairs"}


def test_header_of_the_pair_model(outcome):
    assert outcome["pair_model"].header == ENCODER_HEADER | {
        "widths": "[16, 8]", "feature_dim": "12", "weights_from": "",
    }  # fmt: skip


def test_every_image_has_a_row_with_its_label(outcome):
    table = outcome["pair_embeddings"]
    assert table["name"].tolist() == images("train").names + images("test").names
    assert table["split"].tolist() == ["train"] * 60 + ["test"] * 30
    assert table["label"].tolist() == [*images("train").labels, *images("test").labels]
    assert table["class"].tolist() == [images("train").class_names[label] for label in table["label"]]


def test_column_types_of_the_embeddings(outcome):
    types = outcome["pair_embeddings"].dtypes.astype(str).to_dict()
    axes = {f"z{axis}": "float32" for axis in range(16)}
    about = {"name": "str", "split": "str", "label": "int64", "class": "str", "cluster": "int64"}
    assert types == about | axes


def embed(pair_model, train=None, test=None, others=None):
    splits = (images("train"), images("test"), images("test"))
    features = (train or latents("train"), test or latents("test"), others or unlabeled())
    return nodes.embed_images(ENCODER, pair_model, *features, *splits, PARAMS, 0)[0]


def test_rows_are_named_by_the_index_of_the_latents(outcome):
    train = latents("train")
    backwards = Tensors({name: array[::-1].copy() for name, array in train.arrays.items()}, train.header)
    named, again = (
        embed(outcome["pair_model"], train=one).set_index("name").sort_index().filter(regex="^(z|label)")
        for one in (train, backwards)
    )  # fmt: skip
    pd.testing.assert_frame_equal(named, again)


def test_metrics_are_json_and_name_encoder_and_images(outcome):
    metrics = outcome["pair_metrics"]
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics
    assert (metrics["encoder_version"], metrics["data_fingerprint"]) == ("v1", "test-images")


def test_metrics_have_the_number_of_pairs_and_the_units(outcome):
    pairs = outcome["pair_metrics"]["pairs"]
    assert (pairs["train"], pairs["validation"], pairs["test"]) == (192, 48, 60)
    assert pairs["mean target"] == pytest.approx(targets(outcome["image_pairs"], "train").mean())
    assert pairs["target_scale"] == outcome["pair_model"]["target_scale"][0]
    assert "mean target of the training pairs" in pairs["unit"]


def targets(table, split):
    return table.loc[table["split"] == split, "target"]


def test_scores_are_computed_on_the_test_pairs(outcome):
    row, *others = outcome["pair_metrics"]["rows"]
    lines = outcome["pair_predictions"]
    unit = targets(outcome["image_pairs"], "train").mean()
    assert {row["n"], *(other["n"] for other in others)} == {60}
    assert row["l1"] == pytest.approx(lines["difference"].mean() / unit)


def test_predictions_have_names_target_and_difference(outcome):
    lines, pairs = outcome["pair_predictions"], outcome["image_pairs"].query("split == 'test'").reset_index(drop=True)
    pd.testing.assert_frame_equal(lines[["left", "right", "target"]], pairs[["left", "right", "target"]])
    np.testing.assert_allclose(lines["difference"], (lines["pair model"] - lines["target"]).abs())


def test_predictions_follow_from_the_distance_of_the_embeddings(outcome):
    z = outcome["pair_embeddings"].set_index("name").filter(regex="^z")
    lines, (offset, scale) = (
        outcome["pair_predictions"],
        (outcome["pair_model"][name][0] for name in ("target_offset", "target_scale")),
    )
    apart = np.linalg.norm(z.loc[lines["left"]].to_numpy() - z.loc[lines["right"]].to_numpy(), axis=1)
    np.testing.assert_allclose(lines["pair model"], offset + apart / scale, rtol=1e-5)


def test_clusters_are_compared_with_the_labels_of_test(outcome):
    assert {"method": "kmeans", "k": 3, "n": 30}.items() <= outcome["pair_metrics"]["clusters"].items()


def test_the_cluster_list_has_each_name(outcome):
    pd.testing.assert_frame_equal(outcome["cluster_list"], outcome["pair_embeddings"][["name", "cluster"]])


def test_the_sheet_has_a_row_for_each_cluster(outcome):
    clusters = outcome["pair_embeddings"].query("split == 'test'")["cluster"].nunique()
    assert outcome["cluster_sheet"].shape[0] == clusters * (64 + 2)


def test_a_row_of_the_sheet_shows_images_of_its_cluster(outcome):
    pixels, test = images("test").pixels, outcome["pair_embeddings"].query("split == 'test'")
    for row, number in enumerate(sorted(set(test["cluster"]))):
        shown = outcome["cluster_sheet"][66 * row : 66 * row + 64 : 16, 96 : 96 + 64 : 16].transpose(2, 0, 1)
        (place,) = np.flatnonzero((pixels == shown).all(axis=(1, 2, 3)))
        assert test["cluster"].iloc[place] == number


def test_the_history_has_a_row_for_each_epoch(outcome):
    assert outcome["pair_history"]["epoch"].tolist() == [1, 2, 3, 4, 5]


def test_the_map_shows_test_images_only(outcome):
    names = {name for trace in outcome["pair_embedding_map"].data for name in trace.text}
    assert len(names) == 20
    assert names <= set(images("test").names)


def test_the_model_does_not_depend_on_test_features(outcome):
    test = latents("test")
    moved = Tensors(test.arrays | {"features": test["features"] + 1000}, test.header)
    again = run(latents_test=moved)["pair_model"]
    assert all(np.array_equal(outcome["pair_model"][name], again[name]) for name in again.keys())  # noqa: SIM118  # no mapping


def test_a_pair_file_replaces_sampled_pairs():
    rows = [(f"train/{i:02}", f"train/{i + 1:02}", 20.0 + i, 20.0) for i in range(20)]
    given = run(pair_file=pd.DataFrame(rows, columns=NO_FILE.columns))
    assert given["image_pairs"]["psnr_1"].tolist() == [20.0 + i for i in range(20)]


def test_a_pair_file_without_test_pairs_gives_no_scores():
    given = run(pair_file=pd.DataFrame([("train/01", "train/02", 20.0, 20.0)], columns=NO_FILE.columns))
    assert {row["l1"] for row in given["pair_metrics"]["rows"]} == {None}


def test_clusters_without_labels_have_no_agreement():
    def nameless(split):
        return Tensors(latents(split).arrays | {"labels": np.full(len(images(split)), -1)}, latents(split).header)

    given = run(train=nameless("train"), latents_test=nameless("test"))
    assert given["pair_metrics"]["clusters"] == {
        "method": "kmeans", "k": 3, "nmi": None, "ari": None, "purity": None, "n": 0, "in none": 0,
    }  # fmt: skip
    assert given["pair_embedding_map"].data[0].name.startswith("cluster ")


def of_another_encoder(tensors):
    return Tensors(tensors.arrays, tensors.header | {"encoder_fingerprint": "e2"})


@pytest.mark.parametrize("split", ["train", "test"])
def test_features_of_another_encoder_are_not_fitted(split):
    with pytest.raises(UserError, match="extract"):
        run(**{f"latents_{split}": of_another_encoder(latents(split))})


@pytest.mark.parametrize("other", ["pair_model", "train", "test", "others"])
def test_features_and_model_of_different_encoders_are_refused(other, outcome):
    given = {
        "pair_model": outcome["pair_model"], "train": latents("train"), "test": latents("test"), "others": unlabeled(3),
    }  # fmt: skip
    given[other] = of_another_encoder(given[other])
    with pytest.raises(UserError, match="extract"):
        embed(**given)


def test_features_of_other_images_are_refused():
    with pytest.raises(UserError, match="run the pipeline extract again"):
        run(images_train=replace(images("train"), fingerprint="other"))


def test_without_the_network_of_the_target_there_is_no_model(caplog):
    left_out = reference_latents()
    left_out.header["left_out"] = '["imagenet"]'
    given = run(reference_latents=left_out, settings=with_pairs(target="cosine", reference="imagenet"))
    assert "the network 'imagenet' of the target is not available" in caplog.text
    assert given["image_pairs"].empty
    assert list(given["image_pairs"]) == ["left", "right", "target", "psnr_1", "psnr_2", "split"]
    assert dict(given["pair_model"].arrays) == {}


def first(split, count):
    """The first `count` images of a split, and their features."""
    some, all_ = images(split), latents(split)
    kept = replace(some, pixels=some.pixels[:count], labels=some.labels[:count], names=some.names[:count])
    return kept, Tensors({name: array[:count] for name, array in all_.arrays.items()}, all_.header)


def test_without_a_test_pair_the_model_is_fitted_but_not_evaluated(outcome, caplog):
    test, features = first("test", 1)
    given = run(images_test=test, latents_test=features)
    assert "the pair model is not evaluated: no test pair among 60 train and 1 test images" in caplog.text
    assert given["pair_predictions"].empty
    assert {row["l1"] for row in given["pair_metrics"]["rows"]} == {None}
    train = outcome["pair_embeddings"]["split"] == "train"
    pd.testing.assert_frame_equal(given["pair_embeddings"][:-1], outcome["pair_embeddings"][train])


def test_without_a_train_pair_all_outputs_are_empty(caplog):
    train, features = first("train", 1)
    given = run(images_train=train, train=features)
    assert "the pair model, the clusters and the map are skipped: no train pair" in caplog.text
    assert dict(given["pair_model"].arrays) == {}
    assert given["pair_model"].header == ENCODER_HEADER
    for name in ("pair_history", "pair_predictions", "pair_embeddings", "cluster_list"):
        assert given[name].empty, name
    assert not given["pair_embedding_map"].data
    assert given["pair_metrics"]["rows"] == []
    assert given["pair_metrics"]["clusters"]["k"] == 0
    assert json.loads(json.dumps(given["pair_metrics"], allow_nan=False)) == given["pair_metrics"]


def test_epochs_are_logged_to_tensorboard(tmp_path, outcome):
    again = run(event_files=EventFolder(tmp_path), **{"params:tensorboard": True})
    (folder,) = tmp_path.glob("pair-model-*")
    curves = points(folder)
    assert set(curves) == {"lr", "train_l1", "validation_l1"}
    for name, curve in curves.items():
        np.testing.assert_allclose(curve, outcome["pair_history"][["epoch", name]], rtol=1e-6)
    pd.testing.assert_frame_equal(again["pair_history"], outcome["pair_history"])


def test_unlabeled_images_have_embeddings_and_clusters(outcome):
    table = embed(outcome["pair_model"], others=unlabeled(7))
    rest = table[table["split"] == "unlabeled"]
    assert rest["label"].tolist() == [-1] * 7
    # They are the test images.
    again = table[table["split"] == "test"].head(7)
    np.testing.assert_array_equal(rest.filter(regex="^z|cluster"), again.filter(regex="^z|cluster"))


def test_missing_features_of_unlabeled_images_are_a_warning(outcome, caplog):
    splits = (images("train"), images("test"), images("test"))
    settings = PARAMS.model_copy(update={"unlabeled": True})
    nodes.embed_images(
        ENCODER, outcome["pair_model"], latents("train"), latents("test"), unlabeled(), *splits, settings, 0
    )
    assert "pair_model.unlabeled has no effect" in caplog.text


def test_cosine_target_uses_the_named_reference():
    table = run(settings=with_pairs(target="cosine"))["image_pairs"]
    features = dict(zip(images("train").names + images("test").names, [*DATA.train_x, *DATA.test_x], strict=True))
    theirs = [cosine(features[row.left], features[row.right]) for row in table.itertuples()]
    np.testing.assert_allclose(table["target"], theirs, atol=1e-6)


def test_an_unknown_reference_is_named_with_the_known_ones():
    with pytest.raises(UserError, match=r"no network 'dinov2', expected one of untrained"):
        run(settings=with_pairs(target="cosine", reference="dinov2"))


def test_metrics_name_the_split():
    assert run(settings=with_pairs(split="pair"))["pair_metrics"]["pairs"]["split by"] == "pair"


def saved_tensors(dim=12):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(50, dim)).astype(np.float32)
    left, right = generator.integers(0, 50, (2, 2000))
    return Tensors({"x1": x[left], "x2": x[right], "y": np.abs(x[left] - x[right])[:, 0].astype(float)}, {})


def test_saved_features_replace_sampled_pairs(caplog):
    given = run(pair_tensors=saved_tensors())
    assert given["image_pairs"]["left"].str.startswith("pairs.pt/").all()
    assert given["pair_metrics"]["rows"][0]["n"] > 20
    assert "does not name its encoder" in caplog.text


def pair_messages(caplog, **given):
    """Log messages about the source of the pairs."""
    with caplog.at_level("INFO", "byol_kedro"):
        run(**given)
    return [message for message in caplog.messages if message.startswith("pairs: ")]


def test_sampled_pairs_are_logged(caplog):
    assert pair_messages(caplog) == ["pairs: none given, 300 sampled with target psnr"]


def test_fewer_pairs_than_requested_are_logged(caplog):
    every = sum(images * (images - 1) // 2 for images in (48, 12, 30))  # within each split
    (message,) = pair_messages(caplog, settings=with_pairs(count=9000))
    assert message.startswith(f"pairs: none given, {every:,} sampled with target psnr; 9,000 requested")


def test_saved_features_are_logged_as_the_source_of_pairs(caplog):
    assert pair_messages(caplog, pair_tensors=saved_tensors()) == ["pairs: 2,000 given, as saved features in pairs.pt"]


def test_a_pair_file_is_logged_as_the_source_of_pairs(caplog):
    file = pd.DataFrame([("train/01", "train/02", 20.0, 20.0)], columns=NO_FILE.columns)
    assert pair_messages(caplog, pair_file=file) == ["pairs: 1 given, by name in the pair file"]


def test_saved_features_of_another_dimension_are_refused():
    with pytest.raises(UserError, match=r"features have 5 numbers, those of the encoder 12"):
        run(pair_tensors=saved_tensors(5))


def test_a_pair_file_together_with_saved_features_is_refused():
    with pytest.raises(UserError, match="given twice, in pair_file and in pair_tensors"):
        run(pair_file=pd.DataFrame([("train/01", "train/02", 20.0, 20.0)], columns=NO_FILE.columns),
            pair_tensors=saved_tensors())  # fmt: skip


def train_statistics():
    """Mean and standard deviation of the features of all train images."""
    features = DATA.train_x.astype(np.float64)
    return features.mean(axis=0), features.std(axis=0)


@pytest.fixture
def imported(tmp_path):
    """A network, and a file of its weights in the published format."""
    layers = [nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 16)]
    state = {f"linear{i}.{name}": w for i, n in ((1, 0), (2, 2)) for name, w in layers[n].state_dict().items()}
    torch.save(state, tmp_path / "512_16.pt")
    return nn.Sequential(*layers), str(tmp_path / "512_16.pt")


def test_imported_weights_are_used_unchanged(imported):
    network, path = imported
    given = run(settings=params(weights_from=path))
    mean, deviation = train_statistics()
    with torch.no_grad():
        expected = network(torch.from_numpy(((DATA.train_x - mean) / deviation).astype(np.float32))).numpy()
    found = given["pair_embeddings"].query("split == 'train'").filter(regex="^z").to_numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(given["pair_history"]) == 0
    assert given["pair_model"].header["widths"] == "[8]"


OTHER_PAIRS = {
    "fewer pairs": {"settings": {"count": 20}},
    "another split": {"settings": {"split": "pair"}},
    "another seed": {"params:seed": 7},
    "a pair file": {"pair_file": pd.DataFrame([("train/01", "train/02", 20.0, 20.0)], columns=NO_FILE.columns)},
}


def of_other_pairs(name, **settings):
    """A run with other pairs of the same images and features."""
    others = dict(OTHER_PAIRS[name])
    given = params(**settings, pairs=PARAMS.pairs.model_dump() | others.pop("settings", {}))
    return run(settings=given, **others)


@pytest.mark.parametrize("name", OTHER_PAIRS)
def test_embeddings_of_imported_weights_do_not_depend_on_the_pairs(name, imported):
    weights = {"weights_from": imported[1]}
    one, other = (given["pair_embeddings"].filter(regex="^z") for given in (
        run(settings=params(**weights)), of_other_pairs(name, **weights)))  # fmt: skip
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("name", OTHER_PAIRS)
def test_the_scaler_is_fitted_on_all_train_images(name):
    mlp = of_other_pairs(name)["pair_model"]
    np.testing.assert_allclose([mlp["mean"], mlp["scale"]], train_statistics(), rtol=1e-5)


@pytest.mark.parametrize("name", ["another split", "fewer pairs"])
def test_the_baselines_are_fitted_on_all_train_images(name, monkeypatch):
    seen = []
    original = baselines._principal_axes
    monkeypatch.setattr(baselines, "_principal_axes", lambda *given: seen.append(given) or original(*given))
    of_other_pairs(name)
    ((features, scaler),) = seen
    np.testing.assert_array_equal(features, DATA.train_x)
    np.testing.assert_allclose([scaler.mean, scaler.scale], train_statistics(), rtol=1e-5)


def test_weights_of_another_encoder_are_refused(tmp_path, outcome):
    mlp = of_another_encoder(outcome["pair_model"])
    save_file(mlp.arrays, tmp_path / "pair_model.safetensors", metadata=mlp.header)
    with pytest.raises(UserError, match=r"fitted to features of encoder v1, .* --load-versions"):
        run(settings=params(weights_from=str(tmp_path / "pair_model.safetensors")))


def test_weights_of_a_run_reproduce_its_embeddings(tmp_path, outcome):
    mlp = outcome["pair_model"]
    save_file(mlp.arrays, tmp_path / "pair_model.safetensors", metadata=mlp.header)
    again = run(settings=params(weights_from=str(tmp_path / "pair_model.safetensors")))
    pd.testing.assert_frame_equal(again["pair_embeddings"], outcome["pair_embeddings"])


def test_all_outputs_exist_without_a_cluster():
    given = run(settings=params(clusters={"method": "hdbscan", "count": 3, "min_size": 61}))
    assert {"k": 0, "in none": 30}.items() <= given["pair_metrics"]["clusters"].items()
    assert set(given["cluster_list"]["cluster"]) == {-1}
    assert given["cluster_sheet"].ndim == 3


def test_a_pickled_module_is_refused(tmp_path):
    torch.save(nn.Linear(12, 16), tmp_path / "512_16.pt")
    with pytest.raises(UserError, match=r"pair_model.weights_from: .* could run code; .*model.state_dict\(\)"):
        run(settings=params(weights_from=str(tmp_path / "512_16.pt")))


@pytest.mark.parametrize(("word", "widths"), [("256-128", [256, 128]), (64, [64]), ([8, 4], [8, 4])])
def test_widths_can_be_given_as_one_word(word, widths):
    assert params(widths=word).widths == widths
