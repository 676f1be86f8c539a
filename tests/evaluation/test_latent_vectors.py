"""The table of latent vectors: what stands in a row belongs to one picture."""

import numpy as np

from byol_kedro.evaluation.latent_vectors import latent_table, vectors_of


def split_of(name, count):
    """Vectors in two heaps, in an order of the split's own; label 1 is the heap on the right."""
    generator = np.random.default_rng(count)
    labels = generator.integers(0, 2, count)
    vectors = (10 * labels[:, None] + generator.normal(size=(count, 16))).astype(np.float32)
    return [f"{name}/{i}" for i in range(count)], labels, vectors


def test_a_rows_cluster_is_that_of_its_vector_in_both_splits():
    table = latent_table(split_of("train", 40), split_of("test", 30), 2, 0)
    (right,) = set(table.loc[table["z0"] > 5, "cluster"])
    assert ((table["z0"] > 5) == (table["cluster"] == right)).all()
    assert ((table["z0"] > 5) == (table["label"] == 1)).all()


def test_vectors_come_back_from_the_table_in_their_order():
    train, test = split_of("train", 12), split_of("test", 5)
    table = latent_table(train, test, 2, 0)
    np.testing.assert_array_equal(vectors_of(table[table["split"] == "test"]), test[2])
