"""The node predict: each row belongs to its image, artifacts match the encoder, memory is bounded."""

import json
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from byol_kedro.byol.encoder import EncoderHeader, restore_encoder
from byol_kedro.byol.features import encode
from byol_kedro.datasets.images import Images, ImagesDataset
from byol_kedro.datasets.new_images import NewImagesDataset
from byol_kedro.datasets.tables import TableStream
from byol_kedro.datasets.tensors import Tensors, TensorsDataset
from byol_kedro.errors import UserError
from byol_kedro.evaluation import search
from byol_kedro.evaluation.probes.base import PROBES
from byol_kedro.parameters import Predict, Probes
from byol_kedro.pipelines.predict import rows as rows_module
from byol_kedro.pipelines.predict.nodes import predict
from tests.support.deep_images import ramp, write_png
from tests.support.image_folders import noise
from tests.support.kedro_runs import Chain
from tests.support.trainings import CPU

SPLITS = ["train", "test", "unlabeled"]
TENSORS = ["encoder", "probes", "pair_model", *(f"latents_{s}" for s in SPLITS)]

Inputs = dict[str, Any]


@pytest.fixture(scope="module")
def inputs(chain: Chain) -> Inputs:
    """Inputs of the node, from a run of all pipelines."""
    read = {name: TensorsDataset(filepath=str(chain.versions(name)[-1])).load() for name in TENSORS}
    manifest = json.loads(chain.versions("run_manifest")[-1].read_text("utf-8"))
    return {
        **read,
        **{f"images_{s}": ImagesDataset(filepath=str(chain.versions(f"images_{s}")[-1])).load() for s in SPLITS},
        "probe_parameters": Probes.model_validate(manifest["parameters"]["probes"]),
        "parameters": Predict(probe="logistic", neighbors=3),
        "seed": 0,
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def images_test(chain: Chain) -> Images:
    """The test images of that run."""
    return ImagesDataset(filepath=str(chain.versions("images_test")[-1])).load()


@pytest.fixture(scope="module")
def folder(images_test: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images as PNG files, the last one first: image i is `{999 - i}.png` of the folder of its class."""
    root = tmp_path_factory.mktemp("new images")
    for i, pixels in enumerate(images_test.pixels):
        path = root / images_test.class_names[images_test.labels[i]] / f"{999 - i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path)
    return root


def features_of(inputs: Inputs, *images: Image.Image | np.ndarray) -> np.ndarray:
    """Features of (H, W, 3) images by the encoder, without the pipeline."""
    header = EncoderHeader.from_dict(inputs["encoder"].header)
    pixels = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    return encode(restore_encoder(header, inputs["encoder"].arrays), pixels, header, CPU)


def stream_of(inputs: Inputs, folder: Path, **changes: Any) -> TableStream:
    given = NewImagesDataset(filepath=str(folder)).load()
    return predict(**{**inputs, "new_images": given, **changes})


def rows_of(inputs: Inputs, folder: Path, **changes: Any) -> pd.DataFrame:
    """The rows of the images in a folder."""
    stream = stream_of(inputs, folder, **changes)
    return pa.Table.from_batches(list(stream.batches()), stream.schema).to_pandas()


def in_image_order(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the test images."""
    number = rows["path"].map(lambda path: 999 - int(Path(path).stem))
    return rows.set_index(number).sort_index()


@pytest.mark.parametrize("protocol", PROBES)
def test_predictions_agree_with_the_results_table(inputs, images_test, folder, chain, protocol, monkeypatch):
    monkeypatch.setattr(rows_module, "BATCH", 7)
    rows = in_image_order(rows_of(inputs, folder, parameters=Predict(probe=protocol, neighbors=1)))
    expected = (
        pd.read_parquet(chain.versions("probe_predictions")[-1]).query("protocol == @protocol").sort_values("index")
    )
    assert len(expected) == len(images_test)
    assert rows["class"].tolist() == [images_test.class_names[guess] for guess in expected["guess"]]
    np.testing.assert_allclose(rows["confidence"], expected["confidence"], atol=1e-5)


def test_features_agree_with_the_encoder(inputs, images_test, folder):
    expected = features_of(inputs, *images_test.pixels.transpose(0, 2, 3, 1))
    found = np.stack(in_image_order(rows_of(inputs, folder))["features"])
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_embeddings_agree_with_the_pair_model(inputs, images_test, folder, chain):
    vectors = pd.read_parquet(chain.versions("pair_embeddings")[-1]).set_index("name").loc[images_test.names]
    axes = [f"z{i}" for i in range(16)]
    found = in_image_order(rows_of(inputs, folder))[axes]
    np.testing.assert_allclose(found, vectors[axes], atol=1e-4 * np.abs(vectors[axes]).max().max())


def with_unlabeled(inputs: Inputs) -> Inputs:
    """Inputs with features of all unlabeled images, as with `pair_model.unlabeled=true`."""
    images, latents = inputs["images_unlabeled"], inputs["latents_unlabeled"]
    features = features_of(inputs, *images.pixels.transpose(0, 2, 3, 1))
    arrays = {"features": features, "labels": images.labels, "index": np.arange(len(images))}
    return inputs | {"latents_unlabeled": Tensors(arrays, latents.header)}


def known_images(inputs: Inputs) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Features, names, splits and pixels of all images with saved features."""
    features, names, splits, pixels = [], [], [], []
    for split in SPLITS:
        images, latents = inputs[f"images_{split}"], inputs[f"latents_{split}"]
        features.append(latents["features"])
        names += [images.names[row] for row in latents["index"]]
        splits += [split] * len(latents["index"])
        pixels.append(images.pixels[latents["index"]])
    return np.concatenate(features), names, splits, np.concatenate(pixels)


def save_png(folder: Path, images: Images, rows: Sequence[int]) -> None:
    for i in rows:
        Image.fromarray(images.pixels[i].transpose(1, 2, 0)).save(folder / f"{i:03}.png")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("block", [7, 4096])
def test_nearest_images_are_from_all_splits_without_the_image_itself(inputs, tmp_path, split, block, monkeypatch):
    monkeypatch.setattr(search, "ROWS", block)
    given = with_unlabeled(inputs)
    images = given[f"images_{split}"]
    save_png(tmp_path, images, range(6))
    features, names, splits, pixels = known_images(given)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    rows = rows_of(given, tmp_path)
    assert len(rows) == 6
    for i, row in enumerate(rows.itertuples()):
        mine = features_of(given, images.pixels[i].transpose(1, 2, 0))[0]
        similarity = unit @ (mine / np.linalg.norm(mine))
        similarity[(pixels == images.pixels[i]).all(axis=(1, 2, 3))] = -2  # itself, and copies of it
        order = np.argsort(-similarity, kind="stable")[:3]
        np.testing.assert_allclose(row.similarity, similarity[order], atol=1e-5)
        assert list(row.nearest) == [names[k] for k in order]
        assert list(row.nearest_split) == [splits[k] for k in order]
        assert images.names[i] not in row.nearest


def test_search_without_features_of_unlabeled_images(inputs, images_test, tmp_path, caplog):
    save_png(tmp_path, images_test, range(4))
    caplog.set_level("INFO", "byol_kedro")
    found = {split for splits in rows_of(inputs, tmp_path)["nearest_split"] for split in splits}
    assert found <= {"train", "test"}
    (searched,) = (record.getMessage() for record in caplog.records if "nearest" in record.getMessage())
    assert "train (" in searched
    assert "test (" in searched
    assert "unlabeled" not in searched


@pytest.mark.parametrize("count", [3, 1000])
def test_copies_are_never_neighbors(inputs, tmp_path, count):
    """Five of six training images are the same image, so the search has to go far beyond the nearest ones."""
    train, latents = inputs["images_train"], inputs["latents_train"]
    same = np.where(np.arange(len(train)) % 6 > 0, 0, np.arange(len(train)))
    given = {"features": latents["features"][same], "labels": latents["labels"], "index": latents["index"]}
    none = Tensors({name: inputs["latents_test"][name][:0] for name in given}, inputs["latents_test"].header)
    save_png(tmp_path, train, [0])
    few = {
        "images_train": replace(train, pixels=train.pixels[same]),
        "latents_train": Tensors(given, latents.header),
        "latents_test": none,
    }
    others = {train.names[i] for i in np.flatnonzero(same != 0)}
    (row,) = rows_of(inputs, tmp_path, parameters=Predict(probe="logistic", neighbors=count), **few).itertuples()
    assert len(row.nearest) == len(row.similarity) == len(row.nearest_split) == min(count, len(others))
    assert set(row.nearest) <= others


def test_near_duplicate_is_a_neighbor(inputs, tmp_path):
    train = inputs["images_train"]
    pixels = train.pixels[5].copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "a.png")
    assert rows_of(inputs, tmp_path)["nearest"][0][0] == train.names[5]


def test_new_images_are_resized_to_the_ingested_size(inputs, tmp_path):
    """Images of another size than the encoder's may have been ingested since."""
    train = inputs["images_train"]
    pixels = train.pixels.repeat(2, axis=2).repeat(2, axis=3)
    features = features_of(inputs, *pixels.transpose(0, 2, 3, 1))
    larger = replace(train, pixels=pixels)
    latents = Tensors({**inputs["latents_train"].arrays, "features": features}, inputs["latents_train"].header)
    save_png(tmp_path, larger, [3])
    (row,) = rows_of(inputs, tmp_path, images_train=larger, latents_train=latents).itertuples()
    np.testing.assert_allclose(row.features, features[3], rtol=1e-4, atol=1e-5)
    assert train.names[3] not in row.nearest


def test_larger_image_is_resized(inputs, tmp_path):
    image = Image.open(noise(tmp_path / "small.png"))
    large = image.resize((64, 64), Image.Resampling.BOX)  # 4 × 4 equal pixels for each
    large.save(tmp_path / "large.png")
    found = rows_of(inputs, tmp_path).set_index("path")["features"]
    (expected,) = features_of(inputs, large.resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found["large.png"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_unreadable_image_has_a_row_with_the_reason(inputs, tmp_path, batch, monkeypatch):
    monkeypatch.setattr(rows_module, "BATCH", batch)
    expected = features_of(
        inputs, *(Image.open(noise(tmp_path / f"{name}.png", seed)) for seed, name in enumerate("bd"))
    )
    (tmp_path / "a.jpg").write_text("no image")
    (tmp_path / "c.png").write_bytes(noise(tmp_path / "c.png").read_bytes()[:100])
    (tmp_path / "e.gif").write_bytes(b"")
    rows = rows_of(inputs, tmp_path).set_index("path")
    assert list(rows.index) == ["a.jpg", "b.png", "c.png", "d.png", "e.gif"]
    assert rows["reason"].notna().tolist() == [True, False, True, False, True]
    assert rows.loc[["a.jpg", "c.png", "e.gif"]].drop(columns="reason").isna().all(axis=None)
    np.testing.assert_allclose(np.stack(rows["features"][["b.png", "d.png"]]), expected, rtol=1e-4, atol=1e-5)
    assert rows.loc["b.png"].drop("reason").notna().all()


def test_narrow_range_images_are_counted_and_predicted(inputs, tmp_path, caplog):
    for name, most in (("a", 4095), ("b", 65535), ("c", 4095)):
        write_png(tmp_path / f"{name}.png", ramp(0, most))
    (tmp_path / "d.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        rows = rows_of(inputs, tmp_path)
    assert rows["reason"].isna().tolist() == [True, True, True, False]
    (line,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert line.startswith("2 of 4 images use a small part of their range of values and look black or flat")


def test_undecodable_name_is_escaped(inputs, tmp_path):
    noise(tmp_path / "a\udcff\n.png")
    rows = rows_of(inputs, tmp_path)
    assert rows["path"].tolist() == [r"a\xff\n.png"]
    assert rows["reason"].isna().all()


def test_images_are_decoded_batch_by_batch(inputs, folder, monkeypatch):
    asked = 0

    def counted(paths, size):
        nonlocal asked
        for _ in paths:
            asked += 1
            yield np.zeros((3, size, size), np.uint8)

    monkeypatch.setattr(rows_module, "BATCH", 5)
    monkeypatch.setattr(rows_module, "decode_all", counted)
    for done, _ in enumerate(stream_of(inputs, folder).batches(), start=1):
        assert asked <= 5 * done


@pytest.mark.parametrize("name", ["probes", "pair_model", *(f"latents_{split}" for split in SPLITS)])
def test_artifacts_of_another_encoder_are_refused(inputs, folder, name):
    theirs = Tensors(inputs[name].arrays, inputs[name].header | {"encoder_fingerprint": "other"})
    with pytest.raises(
        UserError, match=r"do not match encoder .*run the pipeline evaluate again for encoder .*, or pin"
    ):
        rows_of(inputs, folder, **{name: theirs})


def test_unused_probes_of_another_encoder_are_accepted(inputs, folder):
    other = Tensors(inputs["probes"].arrays, inputs["probes"].header | {"encoder_fingerprint": "other"})
    assert len(rows_of(inputs, folder, probes=other, parameters=Predict(probe="knn", neighbors=3)))


def test_missing_probe_is_refused(inputs, folder):
    """Such as in the artifact of a run before the probe was registered."""
    older = {name: array for name, array in inputs["probes"].arrays.items() if not name.startswith("mlp.")}
    probes = Tensors(older, inputs["probes"].header)
    with pytest.raises(UserError, match=r"probes of .* has no mlp\.mean: run the pipeline probes again"):
        rows_of(inputs, folder, probes=probes, parameters=Predict(probe="mlp", neighbors=3))


@pytest.mark.parametrize("split", SPLITS)
def test_features_of_other_images_are_refused(inputs, folder, split):
    others = {f"images_{split}": replace(inputs[f"images_{split}"], fingerprint="other")}
    with pytest.raises(UserError, match="run the pipeline extract again"):
        rows_of(inputs, folder, **others)


def unlabeled(inputs: Inputs) -> Inputs:
    latents = inputs["latents_train"]
    arrays = {**latents.arrays, "labels": np.full(len(latents["labels"]), -1)}
    return {"latents_train": Tensors(arrays, latents.header), "parameters": Predict(probe="knn", neighbors=3)}


LEFT_OUT: list[tuple[str, list[str], Callable[[Inputs], Inputs]]] = [
    ("no probe", ["class", "confidence"], lambda i: {"probes": Tensors({}, i["probes"].header)}),
    ("no probe", ["class", "confidence"], unlabeled),
    ("no embeddings", [f"z{a}" for a in range(16)], lambda i: {"pair_model": Tensors({}, i["pair_model"].header)}),
]


@pytest.mark.parametrize(("words", "columns", "without"), LEFT_OUT, ids=["no probe", "no labels", "no pair model"])
def test_columns_without_a_model_are_left_out_and_logged(inputs, folder, caplog, words, columns, without):
    everything = [field.name for field in stream_of(inputs, folder).schema]
    with caplog.at_level(logging.INFO, "byol_kedro"):
        rows = rows_of(inputs, folder, **without(inputs))
    assert list(rows) == [name for name in everything if name not in columns]
    assert [" ".join(re.findall(r"\w+", line)[:2]) for line in caplog.messages if line.startswith("no ")] == [words]


def test_without_known_images_there_are_no_nearest_columns(inputs, folder, caplog):
    none = {
        f"latents_{split}": Tensors({name: latents[name][:0] for name in latents.keys()}, latents.header)  # noqa: SIM118  # Tensors is no dict
        for split, latents in ((split, inputs[f"latents_{split}"]) for split in SPLITS)
    }
    with caplog.at_level(logging.INFO, "byol_kedro"):
        rows = rows_of(inputs, folder, **none)
    assert not {"nearest", "nearest_split", "similarity"} & set(rows)
    assert "no known images" in caplog.text


def test_last_message_counts_ignored_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise(tmp_path / "a.png")
    for name in ("b.heic", "c.HEIC", "d.nef"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.INFO, "byol_kedro"):
        images = NewImagesDataset(filepath=str(tmp_path)).load()
        list(rows_module.rows(images, 16, lambda pixels: pixels, []).batches())
    assert caplog.messages[-1] == (
        f"1 image of {tmp_path}, all could be read; 3 files of other types ignored: .heic 2, .nef 1"
    )
