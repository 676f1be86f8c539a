"""Sections on clusters and pair model: undefined scores are empty, cluster sizes are complete."""

import pytest

from byol_kedro.pipelines.report import pair_sections
from tests.support import report_inputs as given


def pairs(**changes):
    return pair_sections.pairs(given.pair_metrics() | changes)


def clusters(embeddings):
    return pair_sections.clusters(given.pair_metrics(), embeddings, given.CLASSES)


def test_undefined_score_is_empty():
    rows = {row[0]: row[1:] for row in pairs()["table"].rows}
    assert rows["mean of train"] == [
        "0.020 (0.019 to 0.021)", "", "0.000 (−0.001 to 0.001)", "0.008 (0.007 to 0.009)",
    ]  # fmt: skip


def test_pair_model_has_no_difference_to_itself():
    rows = {row[0]: row[1:] for row in pairs()["table"].rows}
    assert rows["pair model"][-1] == ""


def test_without_test_pairs_there_is_no_table():
    counts = {"train": 15, "test": 0}
    assert pairs(rows=[given.latent_row("pair model", n=0)], pairs=counts) == {
        "table": None, "pairs": counts, "sentences": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("difference", "sentences"),
    [
        (0.004, []),
        (-0.0005, []),  # within the interval
        (-0.004, ["The baseline ridge has a lower error than the pair model on these pairs."]),
    ],
)
def test_baseline_that_is_better_than_the_pair_model_is_named(difference, sentences):
    rows = [given.latent_row("pair model", l1=0.01, l1_behind=0.0), given.latent_row("ridge", l1_behind=difference)]
    assert pairs(rows=rows)["sentences"] == sentences


def test_without_pair_model_there_is_no_section():
    assert pairs(rows=[]) is None


def test_without_embeddings_there_are_no_clusters():
    assert clusters(given.pair_embeddings()[:0]) is None


def test_undefined_agreement_is_left_out():
    metrics = given.pair_metrics() | {"clusters": {"k": 3, "nmi": None, "n": 0}}
    found = pair_sections.clusters(metrics, given.pair_embeddings(), given.CLASSES)
    assert found["scores"] == {"clusters": 3, "labeled test images": 0}


def test_clusters_have_size_and_most_frequent_class():
    assert clusters(given.pair_embeddings())["sizes"].rows == [
        (0, 3, "astronaut (67%)"),
        (1, 2, "cat (50%)"),
        (2, 1, ""),
    ]


def test_images_in_no_cluster_are_counted():
    assert clusters(given.pair_embeddings().assign(cluster=-1))["sizes"].rows == [("none", 6, "astronaut (40%)")]
