"""The first screen: of what the report is, and the numbers that the verdict rests on."""

import html
import re

import pytest

from byol_kedro.pipelines.report import lead, nodes
from tests.support import report_inputs as given


def introduce(manifest=None, labeled=True):
    nothing = {} if labeled else {"baselines": given.metrics([]), "probes": given.metrics([])}
    results, _ = given.tabulate(**nothing)
    guesses = given.predictions("BYOL", ["knn", "logistic"]) if labeled else given.predictions("BYOL", ["knn"])
    told = (given.history(2), given.data_summary(), results, nodes.compare_classifiers(guesses, 0))
    metrics = (given.quality_metrics(), given.pair_metrics())
    return nodes.introduce(given.encoder(), manifest or given.manifest(), *told, *metrics)


def tiles(page):
    return [re.findall(r"<(?:small|b)>(.*?)</", tile) for tile in re.findall(r"<div>(.*?)</div>", page)]


def test_images_and_training_are_told_in_one_line():
    assert re.search('<p class="facts-line">(.*?)</p>', introduce())[1] == (
        "photos: 12,000 unlabeled, 400 train, 20 test images of 32 px, 4 classes · "
        "recipe base: 40 epochs, 100 steps of 256 images"
    )


def test_the_steps_of_another_training_are_not_told():
    read = {"training_history": {"version": "2026-08-01T00.00.00.000Z", "command": "kedro run"}}
    assert "steps" not in introduce(manifest=given.manifest(reads=read))


def test_the_numbers_are_top1_with_its_interval_and_chance():
    assert tiles(introduce()) == [
        ["BYOL", "61.2 %", "59.9–62.5"],
        ["untrained network", "52.2 %", "50.9–53.5"],
        ["pixels, PCA 256", "40.2 %", "38.9–41.5"],
        ["chance", "25.0 %", "the most frequent class of train"],
    ]


@pytest.mark.parametrize(("chance", "shown"), [(0.06, "6.0 %"), (1 / 300, "0.3 %")])
def test_chance_has_a_decimal(chance, shown):
    comparisons = nodes.compare_classifiers(given.predictions("BYOL", ["knn"]), 0)
    shown_tiles = tiles(lead.labeled(given.tabulate()[0], chance, comparisons, 1))
    assert shown_tiles[-1][:2] == ["chance", shown]


def test_the_test_behind_the_verdict_is_named_with_both_families():
    text = introduce()
    assert "McNemar's test on the same images" in html.unescape(text)
    assert "over the comparisons of these sentences alone (2)" in text
    assert "adjusted over all of them (1)" in text


def test_without_labels_images_of_all_splits_are_counted():
    assert '<p class="lead">12,420 images, 3 clusters.' in introduce(labeled=False)
