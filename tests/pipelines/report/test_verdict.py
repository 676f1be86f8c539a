"""The sentence above the report: it says what the rows say, also when that is bad news."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume
from hypothesis import given as drawn
from hypothesis import strategies as st

from byol_kedro.evaluation.comparison import compare_all
from byol_kedro.pipelines.report.results import collect
from byol_kedro.pipelines.report.verdict import summary, verdict, without_labels
from tests.support import report_inputs as given


def compared(p):
    """Comparisons of BYOL with other features by the logistic regression, of their p values before any adjustment."""
    names = ["features_a", "protocol_a", "features_b", "protocol_b", "p"]
    return pd.DataFrame([["BYOL", "logistic", other, "logistic", value] for other, value in p.items()], columns=names)


def say(*, byol=0.612, pixels=0.402, untrained=0.522, header=None, evaluated="photos", more=(), p=None, steps=11):
    rows = [
        given.row("logistic", "BYOL", byol),
        given.row("logistic", "pixels, PCA 256", pixels),
        given.row("logistic", "untrained network", untrained),
        *more,
    ]
    tables = {"probe_metrics": given.metrics(rows)}
    header = (header or given.encoder()).header
    return " ".join(summary(rows_of(header, tables, evaluated), compared(p or {}), steps))


def rows_of(header, tables, evaluated="photos"):
    return collect(header, given.manifest(), tables, evaluated, header["data_fingerprint"], evaluated)


def test_what_byol_beats_comes_first_with_by_how_much():
    assert say() == "BYOL beats PCA 256 of the pixels by 21.0 points and the untrained network by 9.0 points."


def test_what_byol_is_behind_is_said_in_plain_words():
    assert say(byol=0.302).startswith(
        "BYOL is behind PCA 256 of the pixels by 10.0 points and the untrained network by 22.0 points."
    )


def test_what_can_be_downloaded_and_what_labels_give_is_compared_too():
    more = [
        given.row("logistic", "imagenet (resnet18.tv_in1k)", 0.712),
        given.row("logistic", "supervised, from scratch", 0.512),
    ]
    text = say(more=more)
    assert (
        "and the same network trained with labels by 10.0 points. BYOL is behind imagenet (resnet18.tv_in1k) by" in text
    )


def test_a_reference_whose_name_begins_as_byols_is_not_taken_for_it():
    assert "BYOL2 (resnet18) by 51.2 points" in say(more=[given.row("logistic", "BYOL2 (resnet18)", 0.1)])


NOT_SHOWN = "points over the untrained network: too little to rule out luck."


def test_a_difference_that_may_be_luck_is_not_claimed():
    text = say(untrained=0.52, p={"untrained network": 0.2})
    assert text == f"BYOL beats PCA 256 of the pixels by 21.0 points. BYOL is 9.2 {NOT_SHOWN}"


def test_a_difference_beyond_luck_is_not_doubted_even_where_the_intervals_overlap():
    assert "luck" not in say(untrained=0.60, p={"untrained network": 0.001})


def test_a_deficit_beyond_luck_is_said_even_where_the_intervals_overlap():
    text = say(byol=0.59, untrained=0.60, p={"untrained network": 0.001})
    assert "BYOL is behind the untrained network by 1.0 points." in text


def guesses(features, protocol, right):
    """A classifier's guesses on 400 images, right on those whose numbers are given."""
    named = np.isin(np.arange(400), right)
    facts = {"name": [f"test/{i:03}" for i in range(400)], "truth": 1, "guess": named.astype(int)}
    return pd.DataFrame(facts).assign(features=features, protocol=protocol)


def test_the_verdict_is_adjusted_for_its_own_comparisons_and_not_for_all_pairs_of_the_run():
    """41 images right with BYOL alone, 76 with the untrained network alone: p = 0.0017, above 0.05 among 91 pairs."""
    table = pd.concat(
        [
            guesses("BYOL", "logistic", range(141)),
            guesses("untrained network", "logistic", [*range(100), *range(200, 276)]),
            guesses("pixels, PCA 256", "logistic", range(20)),
            *(guesses("other", str(i), range(100 + i % 2)) for i in range(11)),
        ]
    )
    found = compare_all(table, 0)
    pair = found[(found["features_a"] == "BYOL") & (found["features_b"] == "untrained network")].iloc[0]
    assert (len(found), pair["only_a"], pair["only_b"]) == (91, 41, 76)
    assert pair["p"] == pytest.approx(0.0017, abs=5e-5)
    assert pair["p_holm"] > 0.05
    rows = [
        given.row("logistic", features, top1)
        for features, top1 in (("BYOL", 141 / 400), ("untrained network", 176 / 400), ("pixels, PCA 256", 20 / 400))
    ]
    results = rows_of(given.encoder().header, {"probe_metrics": given.metrics(rows)})
    assert verdict(results, found) == [
        "BYOL beats PCA 256 of the pixels by 30.3 points.",
        "BYOL is behind the untrained network by 8.8 points.",
    ]


@pytest.mark.parametrize(("p", "sure"), [(0.024, True), (0.026, False)])
def test_two_comparisons_are_adjusted_for_two(p, sure):
    text = say(untrained=0.6, p={"untrained network": p, "pixels, PCA 256": 0.9})
    assert ("BYOL beats the untrained network" in text) == sure


@pytest.mark.parametrize(("p", "sure"), [(0.016, True), (0.018, False)])
def test_a_reference_is_one_more_comparison(p, sure):
    more = [given.row("logistic", "imagenet (resnet18.tv_in1k)", 0.6)]
    others = {"pixels, PCA 256": 0.9, "imagenet (resnet18.tv_in1k)": 0.9}
    text = say(untrained=0.6, more=more, p={"untrained network": p, **others})
    assert ("BYOL beats the untrained network" in text) == sure


def test_a_deficit_that_may_be_luck_is_not_taken_for_certain():
    text = say(byol=0.45, untrained=0.60, pixels=0.1, p={"untrained network": 0.2})
    assert "15.0 points below the untrained network: too little to rule out luck." in text


@pytest.mark.parametrize("p", [0.2, 0.001], ids=["perhaps by luck", "for certain"])
def test_behind_the_untrained_network_the_usual_reason_and_the_length_of_the_training_are_named(p):
    text = say(byol=0.59, untrained=0.60, p={"untrained network": p}, steps=1234)
    assert text.endswith("too few steps for so few images: this training took 1,234 (docs/recipes.md, “Few images”).")


def test_a_training_of_unknown_length_is_given_none():
    assert say(byol=0.5, untrained=0.6, steps=None).endswith("for so few images (docs/recipes.md, “Few images”).")


@pytest.mark.parametrize("byol", [0.522, 0.53])
def test_level_with_or_over_the_untrained_network_nothing_is_advised(byol):
    assert "steps" not in say(byol=byol)


def test_without_common_images_overlapping_intervals_claim_nothing():
    assert NOT_SHOWN in say(untrained=0.60)


def test_without_common_images_separate_intervals_are_not_doubted():
    assert "luck" not in say()


def test_on_other_images_nothing_published_is_mentioned():
    assert "published" not in say()


def test_on_the_same_images_the_published_classifier_stands_beside_the_published_rows():
    text = say(header=given.encoder(data="stl10"), evaluated="stl10", more=[given.row("linear_adam", "BYOL", 0.68)])
    assert text.endswith("BYOL is at 68.0 % after 40 epochs; that table says 70.1 % after 40 and 75.2 % after 80.")


def test_one_epoch_is_no_epochs():
    header = given.encoder(data="stl10", epochs="1")
    text = say(header=header, evaluated="stl10", more=[given.row("linear_adam", "BYOL", 0.68)])
    assert "BYOL is at 68.0 % after 1 epoch; that" in text


@pytest.mark.parametrize("settings", [{"epochs": 5}, {"lr": 0.003}, None], ids=["epochs", "rate", "unknown"])
def test_of_the_published_classifier_with_other_settings_nothing_is_said(settings):
    row = given.row("linear_adam", "BYOL", 0.68)
    changed = row | {"settings": row["settings"] | settings} if settings else row
    if settings is None:
        del changed["settings"]
    assert "published" not in say(header=given.encoder(data="stl10"), evaluated="stl10", more=[changed])


def test_without_labels_it_says_what_there_is():
    quality = given.quality_metrics()["rows"]
    assert " ".join(without_labels(1240, 12, quality, "no test image has a label")) == (
        "1,240 images, 12 clusters. No test image has a label, so no classifier is measured. The effective rank of "
        "BYOL's features is 211.4, that of the untrained network's 13.2; which are better it does not say."
    )


def test_without_the_fixed_classifier_no_other_takes_its_place():
    tables = {"probe_metrics": given.metrics([given.row("mlp", "BYOL", 0.9)])}
    results = rows_of(given.encoder().header, tables)
    assert summary(results, compared({}), 11) == [
        "BYOL features were not measured with logistic regression, so nothing can be said of them."
    ]


@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_the_direction_of_a_difference_is_always_right(byol, untrained):
    word = "level with" if byol == untrained else "over" if byol > untrained else "below"
    text = say(byol=byol / 1000, untrained=untrained / 1000, p={"pixels, PCA 256": 0.2, "untrained network": 0.2})
    assert f"{word} the untrained network" in text


@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_who_is_ahead_is_always_right(byol, untrained):
    assume(byol != untrained)
    text = say(byol=byol / 1000, untrained=untrained / 1000, p={"pixels, PCA 256": 0.2, "untrained network": 0.001})
    assert f"BYOL {'beats' if byol > untrained else 'is behind'} the untrained network by" in text
