"""The table of embeddings: each row belongs to one image."""

from dataclasses import replace

import numpy as np
import pandas as pd

from byol_kedro.pair_model.embeddings import SplitEmbeddings, embedding_table, embeddings_of, empty_embedding_table
from byol_kedro.parameters import Clusters

CLASSES = ["left", "right"]
TWO = Clusters(method="kmeans", count=2, min_size=5)


def split_of(name, count, dim=16):
    """Embeddings of two separated classes in random order; label 1 is on the right."""
    generator = np.random.default_rng(count)
    labels = generator.integers(0, 2, count)
    vectors = (10 * labels[:, None] + generator.normal(size=(count, dim))).astype(np.float32)
    return SplitEmbeddings(name, [f"{name}/{i}" for i in range(count)], labels, vectors)


def test_rows_match_their_embeddings_in_every_split():
    table = embedding_table(
        split_of("train", 40), [split_of("test", 30), split_of("unlabeled", 20)], ["left", "right"], TWO, 0
    )
    (right,) = set(table.loc[table["z0"] > 5, "cluster"])
    assert ((table["z0"] > 5) == (table["cluster"] == right)).all()
    assert ((table["z0"] > 5) == (table["label"] == 1)).all()
    assert ((table["z0"] > 5) == (table["class"] == "right")).all()
    assert table["split"].tolist() == ["train"] * 40 + ["test"] * 30 + ["unlabeled"] * 20


def test_embeddings_are_read_back_in_order():
    train, test = split_of("train", 12), split_of("test", 5)
    table = embedding_table(train, [test], CLASSES, TWO, 0)
    np.testing.assert_array_equal(embeddings_of(table[table["split"] == "test"]), test.embeddings)


def test_columns_follow_the_embedding_dimension():
    table = embedding_table(split_of("train", 12, dim=11), [split_of("test", 5, dim=11)], CLASSES, TWO, 0)
    assert [name for name in table if name.startswith("z")] == [f"z{axis}" for axis in range(11)]


def test_empty_table_has_the_same_columns():
    table = embedding_table(split_of("train", 12), [split_of("test", 5)], ["left", "right"], TWO, 0)
    pd.testing.assert_frame_equal(empty_embedding_table(), table[:0])


def test_a_split_without_images_has_no_rows():
    table = embedding_table(
        split_of("train", 12), [split_of("test", 5), split_of("unlabeled", 0)], ["left", "right"], TWO, 0
    )
    assert table.dtypes[["name", "split", "label", "class", "cluster", "z0"]].astype(str).tolist() == [
        "str", "str", "int64", "str", "int64", "float32",
    ]  # fmt: skip
    assert len(table) == 17


def test_an_image_with_unknown_label_has_no_class():
    some = split_of("train", 12)
    unknown = replace(some, labels=np.where(np.arange(12) < 4, -1, some.labels))
    classes = embedding_table(unknown, [split_of("test", 5)], CLASSES, TWO, 0)["class"]
    assert classes.isna().tolist() == [True] * 4 + [False] * 13


def test_the_class_column_is_empty_without_labels():
    nameless = [replace(split_of(name, 12), labels=np.full(12, -1)) for name in ("train", "test")]
    table = embedding_table(nameless[0], nameless[1:], [], TWO, 0)
    assert table["class"].isna().all()
    assert str(table["class"].dtype) == "str"
