"""What could break: an answer for another image, another encoder's classifier, or everything held in memory."""

import json
import logging
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
from byol_kedro.parameters import Predict, Probes
from byol_kedro.pipelines.predict import neighbors
from byol_kedro.pipelines.predict import rows as rows_module
from byol_kedro.pipelines.predict.nodes import predict
from tests.support.deep_images import ramp, write_png
from tests.support.image_folders import noise
from tests.support.kedro_runs import Chain
from tests.support.trainings import CPU

SPLITS = ["train", "test", "unlabeled"]
TENSORS = ["encoder", "probe_published", "probe_logistic", "probe_mlp", "pair_model", *(f"latents_{s}" for s in SPLITS)]
PROTOCOLS = ["linear_adam", "logistic", "mlp", "knn", "knn_weighted"]

Inputs = dict[str, Any]


@pytest.fixture(scope="module")
def inputs(chain: Chain) -> Inputs:
    """What the node reads of the chain."""
    read = {name: TensorsDataset(filepath=str(chain.versions(name)[-1])).load() for name in TENSORS}
    manifest = json.loads(chain.versions("run_manifest")[-1].read_text("utf-8"))
    return {
        **read,
        **{f"images_{s}": ImagesDataset(filepath=str(chain.versions(f"images_{s}")[-1])).load() for s in SPLITS},
        "probes": Probes.model_validate(manifest["parameters"]["probes"]),
        "parameters": Predict(probe="logistic", neighbors=3),
        "seed": 0,
        "device": "cpu",
    }


@pytest.fixture(scope="module")
def tests(chain: Chain) -> Images:
    """The test images of the chain."""
    return ImagesDataset(filepath=str(chain.versions("images_test")[-1])).load()


@pytest.fixture(scope="module")
def folder(tests: Images, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The test images as PNG files, the last one first: image i is `{999 - i}.png` of the folder of its class."""
    root = tmp_path_factory.mktemp("new images")
    for i, pixels in enumerate(tests.pixels):
        path = root / tests.class_names[tests.labels[i]] / f"{999 - i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.transpose(1, 2, 0)).save(path)
    return root


def features_of(inputs: Inputs, *images: Image.Image | np.ndarray) -> np.ndarray:
    """Of (H, W, 3) images, by the network and the header, without the pipeline."""
    header = EncoderHeader.from_dict(inputs["encoder"].header)
    pixels = np.stack([np.asarray(image).transpose(2, 0, 1) for image in images])
    return encode(restore_encoder(header, inputs["encoder"].arrays), pixels, header, CPU)


def stream_of(inputs: Inputs, folder: Path, **changes: Any) -> TableStream:
    given = NewImagesDataset(filepath=str(folder)).load()
    return predict(**{**inputs, "new_images": given, **changes})


def answers(inputs: Inputs, folder: Path, **changes: Any) -> pd.DataFrame:
    """The rows of the images in a folder."""
    stream = stream_of(inputs, folder, **changes)
    return pa.Table.from_batches(list(stream.batches()), stream.schema).to_pandas()


def in_order(answered: pd.DataFrame) -> pd.DataFrame:
    """The rows in the order of the test images."""
    number = answered["path"].map(lambda path: 999 - int(Path(path).stem))
    return answered.set_index(number).sort_index()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_guess_for_each_test_image_is_the_tables(inputs, tests, folder, chain, protocol, monkeypatch):
    monkeypatch.setattr(rows_module, "BATCH", 7)
    answered = in_order(answers(inputs, folder, parameters=Predict(probe=protocol, neighbors=1)))
    said = pd.read_parquet(chain.versions("probe_predictions")[-1]).query("protocol == @protocol").sort_values("index")
    assert len(said) == len(tests)
    assert answered["class"].tolist() == [tests.class_names[guess] for guess in said["guess"]]
    np.testing.assert_allclose(answered["confidence"], said["confidence"], atol=1e-5)


def test_features_are_those_of_the_encoder(inputs, tests, folder):
    expected = features_of(inputs, *tests.pixels.transpose(0, 2, 3, 1))
    found = np.stack(in_order(answers(inputs, folder))["features"])
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_latent_vectors_are_those_of_the_pair_model(inputs, tests, folder, chain):
    vectors = pd.read_parquet(chain.versions("pair_embeddings")[-1]).set_index("name").loc[tests.names]
    axes = [f"z{i}" for i in range(16)]
    found = in_order(answers(inputs, folder))[axes]
    np.testing.assert_allclose(found, vectors[axes], atol=1e-4 * np.abs(vectors[axes]).max().max())


def with_unlabeled(inputs: Inputs) -> Inputs:
    """With features of all images without labels, as `pair_model.unlabeled=true` leaves them."""
    images, latents = inputs["images_unlabeled"], inputs["latents_unlabeled"]
    features = features_of(inputs, *images.pixels.transpose(0, 2, 3, 1))
    arrays = {"features": features, "labels": images.labels, "index": np.arange(len(images))}
    return inputs | {"latents_unlabeled": Tensors(arrays, latents.header)}


def all_known(inputs: Inputs) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Features, names, splits and pixels of every image whose features are there."""
    features, names, splits, pixels = [], [], [], []
    for split in SPLITS:
        images, latents = inputs[f"images_{split}"], inputs[f"latents_{split}"]
        features.append(latents["features"])
        names += [images.names[row] for row in latents["index"]]
        splits += [split] * len(latents["index"])
        pixels.append(images.pixels[latents["index"]])
    return np.concatenate(features), names, splits, np.concatenate(pixels)


def as_files(folder: Path, images: Images, rows: Sequence[int]) -> None:
    for i in rows:
        Image.fromarray(images.pixels[i].transpose(1, 2, 0)).save(folder / f"{i:03}.png")


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("block", [7, 4096])
def test_the_nearest_are_those_of_all_splits_without_the_image_itself(inputs, tmp_path, split, block, monkeypatch):
    monkeypatch.setattr(neighbors, "TRAIN_ROWS", block)
    given = with_unlabeled(inputs)
    images = given[f"images_{split}"]
    as_files(tmp_path, images, range(6))
    features, names, splits, pixels = all_known(given)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    answered = answers(given, tmp_path)
    assert len(answered) == 6
    for i, row in enumerate(answered.itertuples()):
        mine = features_of(given, images.pixels[i].transpose(1, 2, 0))[0]
        similarity = unit @ (mine / np.linalg.norm(mine))
        similarity[(pixels == images.pixels[i]).all(axis=(1, 2, 3))] = -2  # itself, and copies of it
        order = np.argsort(-similarity, kind="stable")[:3]
        np.testing.assert_allclose(row.similarity, similarity[order], atol=1e-5)
        assert list(row.nearest) == [names[k] for k in order]
        assert list(row.nearest_split) == [splits[k] for k in order]
        assert images.names[i] not in row.nearest


def test_without_features_of_the_unlabeled_the_others_are_searched(inputs, tests, tmp_path, caplog):
    as_files(tmp_path, tests, range(4))
    caplog.set_level("INFO", "byol_kedro")
    found = {split for splits in answers(inputs, tmp_path)["nearest_split"] for split in splits}
    assert found <= {"train", "test"}
    (searched,) = (record.getMessage() for record in caplog.records if "nearest" in record.getMessage())
    assert "train (" in searched
    assert "test (" in searched
    assert "unlabeled" not in searched


@pytest.mark.parametrize("count", [3, 1000])
def test_however_many_copies_there_are_none_of_them_is_a_neighbor(inputs, tmp_path, count):
    """Five in six train images are one image: it has to be looked far behind the nearest ones."""
    train, latents = inputs["images_train"], inputs["latents_train"]
    same = np.where(np.arange(len(train)) % 6 > 0, 0, np.arange(len(train)))
    given = {"features": latents["features"][same], "labels": latents["labels"], "index": latents["index"]}
    none = Tensors({name: inputs["latents_test"][name][:0] for name in given}, inputs["latents_test"].header)
    as_files(tmp_path, train, [0])
    few = {
        "images_train": replace(train, pixels=train.pixels[same]),
        "latents_train": Tensors(given, latents.header),
        "latents_test": none,
    }
    others = {train.names[i] for i in np.flatnonzero(same != 0)}
    (row,) = answers(inputs, tmp_path, parameters=Predict(probe="logistic", neighbors=count), **few).itertuples()
    assert len(row.nearest) == len(row.similarity) == len(row.nearest_split) == min(count, len(others))
    assert set(row.nearest) <= others


def test_an_image_that_is_only_alike_is_a_neighbor(inputs, tmp_path):
    train = inputs["images_train"]
    pixels = train.pixels[5].copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels.transpose(1, 2, 0)).save(tmp_path / "a.png")
    assert answers(inputs, tmp_path)["nearest"][0][0] == train.names[5]


def test_new_images_are_made_as_large_as_those_that_everything_was_fitted_to(inputs, tmp_path):
    """Images of another size than the encoder's may have been ingested and evaluated since."""
    train = inputs["images_train"]
    pixels = train.pixels.repeat(2, axis=2).repeat(2, axis=3)
    features = features_of(inputs, *pixels.transpose(0, 2, 3, 1))
    larger = replace(train, pixels=pixels)
    latents = Tensors({**inputs["latents_train"].arrays, "features": features}, inputs["latents_train"].header)
    as_files(tmp_path, larger, [3])
    (row,) = answers(inputs, tmp_path, images_train=larger, latents_train=latents).itertuples()
    np.testing.assert_allclose(row.features, features[3], rtol=1e-4, atol=1e-5)
    assert train.names[3] not in row.nearest


def test_a_image_of_another_size_is_made_as_large_as_the_encoders(inputs, tmp_path):
    image = Image.open(noise(tmp_path / "small.png"))
    large = image.resize((64, 64), Image.Resampling.BOX)  # 4 × 4 equal pixels for each
    large.save(tmp_path / "large.png")
    found = answers(inputs, tmp_path).set_index("path")["features"]
    (expected,) = features_of(inputs, large.resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(found["large.png"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, 256])
def test_an_unreadable_image_has_a_row_that_says_why_and_shifts_no_other(inputs, tmp_path, batch, monkeypatch):
    monkeypatch.setattr(rows_module, "BATCH", batch)
    expected = features_of(
        inputs, *(Image.open(noise(tmp_path / f"{name}.png", seed)) for seed, name in enumerate("bd"))
    )
    (tmp_path / "a.jpg").write_text("no image")
    (tmp_path / "c.png").write_bytes(noise(tmp_path / "c.png").read_bytes()[:100])
    (tmp_path / "e.gif").write_bytes(b"")
    answered = answers(inputs, tmp_path).set_index("path")
    assert list(answered.index) == ["a.jpg", "b.png", "c.png", "d.png", "e.gif"]
    assert answered["reason"].notna().tolist() == [True, False, True, False, True]
    assert answered.loc[["a.jpg", "c.png", "e.gif"]].drop(columns="reason").isna().all(axis=None)
    np.testing.assert_allclose(np.stack(answered["features"][["b.png", "d.png"]]), expected, rtol=1e-4, atol=1e-5)
    assert answered.loc["b.png"].drop("reason").notna().all()


def test_images_that_come_out_black_are_counted_and_answered_for(inputs, tmp_path, caplog):
    for name, most in (("a", 4095), ("b", 65535), ("c", 4095)):
        write_png(tmp_path / f"{name}.png", ramp(0, most))
    (tmp_path / "d.png").write_bytes(b"no image")
    with caplog.at_level(logging.WARNING):
        answered = answers(inputs, tmp_path)
    assert answered["reason"].isna().tolist() == [True, True, True, False]
    (line,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert line.startswith("2 of 4 images use a small part of their range of values and look black or flat")


def test_a_name_that_is_no_unicode_is_written_so_that_it_can_be_read(inputs, tmp_path):
    noise(tmp_path / "a\udcff\n.png")
    answered = answers(inputs, tmp_path)
    assert answered["path"].tolist() == [r"a\xff\n.png"]
    assert answered["reason"].isna().all()


def test_no_more_than_a_batch_is_decoded_before_it_is_written(inputs, folder, monkeypatch):
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


@pytest.mark.parametrize("name", ["probe_logistic", "pair_model", *(f"latents_{split}" for split in SPLITS)])
def test_what_is_another_encoders_is_refused(inputs, folder, name):
    theirs = Tensors(inputs[name].arrays, inputs[name].header | {"encoder_fingerprint": "other"})
    with pytest.raises(UserError, match=r"do not match encoder .*run the pipeline evaluate again .*, or pin"):
        answers(inputs, folder, **{name: theirs})


def test_a_probe_that_is_not_asked_may_be_another_encoders(inputs, folder):
    theirs = Tensors(inputs["probe_mlp"].arrays, inputs["probe_mlp"].header | {"encoder_fingerprint": "other"})
    assert len(answers(inputs, folder, probe_mlp=theirs))


@pytest.mark.parametrize("split", SPLITS)
def test_features_of_other_images_are_refused(inputs, folder, split):
    others = {f"images_{split}": replace(inputs[f"images_{split}"], fingerprint="other")}
    with pytest.raises(UserError, match="run the pipeline extract again"):
        answers(inputs, folder, **others)


def unlabeled(inputs: Inputs) -> Inputs:
    latents = inputs["latents_train"]
    arrays = {**latents.arrays, "labels": np.full(len(latents["labels"]), -1)}
    return {"latents_train": Tensors(arrays, latents.header), "parameters": Predict(probe="knn", neighbors=3)}


LEFT_OUT: list[tuple[str, list[str], Callable[[Inputs], Inputs]]] = [
    ("no classes", ["class", "confidence"], lambda i: {"probe_logistic": Tensors({}, i["probe_logistic"].header)}),
    ("no classes", ["class", "confidence"], unlabeled),
    ("no latent vectors", [f"z{a}" for a in range(16)], lambda i: {"pair_model": Tensors({}, i["pair_model"].header)}),
]


@pytest.mark.parametrize(("words", "columns", "without"), LEFT_OUT, ids=["no probe", "no labels", "no pair model"])
def test_what_was_not_learned_is_left_out_with_one_line(inputs, folder, caplog, words, columns, without):
    everything = [field.name for field in stream_of(inputs, folder).schema]
    with caplog.at_level(logging.INFO, "byol_kedro"):
        answered = answers(inputs, folder, **without(inputs))
    assert list(answered) == [name for name in everything if name not in columns]
    assert [line.partition(":")[0] for line in caplog.messages if line.startswith("no ")] == [words]


def test_without_known_images_no_nearest_are_named(inputs, folder, caplog):
    none = {
        f"latents_{split}": Tensors({name: latents[name][:0] for name in latents.keys()}, latents.header)  # noqa: SIM118  # Tensors is no dict
        for split, latents in ((split, inputs[f"latents_{split}"]) for split in SPLITS)
    }
    with caplog.at_level(logging.INFO, "byol_kedro"):
        answered = answers(inputs, folder, **none)
    assert not {"nearest", "nearest_split", "similarity"} & set(answered)
    assert "no known images" in caplog.text


def test_the_last_line_says_which_files_were_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    noise(tmp_path / "a.png")
    for name in ("b.heic", "c.HEIC", "d.nef"):
        (tmp_path / name).touch()
    with caplog.at_level(logging.INFO, "byol_kedro"):
        images = NewImagesDataset(filepath=str(tmp_path)).load()
        list(rows_module.rows(images, 16, lambda pixels: pixels, []).batches())
    assert caplog.messages[-1] == (
        f"1 image of {tmp_path}, all could be read; 3 files of other types ignored: .heic 2, .nef 1"
    )
