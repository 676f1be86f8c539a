"""The sentence above the report: it says what the rows say, also when that is bad news."""

import pandas as pd
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from byol_kedro.pipelines.report.results import collect
from byol_kedro.pipelines.report.words import summary

from . import report_inputs as given


def compared(p):
    """Comparisons of BYOL with other features by the logistic regression, of their adjusted p values."""
    names = ["features_a", "protocol_a", "features_b", "protocol_b", "p_holm"]
    return pd.DataFrame([["BYOL", "logistic", other, "logistic", value] for other, value in p.items()], columns=names)


def say(*, byol=0.612, pixels=0.402, untrained=0.522, chance=0.06, header=None, evaluated="photos", more=(), p=None):
    rows = [
        given.row("logistic", "BYOL", byol),
        given.row("logistic", "pixels, PCA 256", pixels),
        given.row("logistic", "untrained network", untrained),
        *more,
    ]
    tables = {"probe_metrics": given.metrics(rows)}
    header = (header or given.encoder()).header
    return " ".join(summary(rows_of(header, tables, evaluated), chance, compared(p or {})))


def rows_of(header, tables, evaluated="photos"):
    return collect(header, given.manifest(), tables, evaluated, header["data_fingerprint"])


def test_top1_stands_with_its_interval():
    assert say().startswith(
        "BYOL + logistic regression names 61.2 % of the test pictures right (95 % interval 59.9–62.5)"
    )


def test_what_is_better_is_over():
    assert "21.0 points over PCA 256 of the pixels, 9.0 points over the untrained network." in say()


def test_what_is_worse_is_below():
    assert "10.0 points below PCA 256 of the pixels" in say(byol=0.302)


def test_what_is_certainly_worse_is_said_again_in_plain_words():
    assert "BYOL is worse than PCA 256 of the pixels and the untrained network here." in say(byol=0.302)


def test_what_can_be_downloaded_and_what_labels_give_is_compared_too():
    more = [
        given.row("logistic", "imagenet (resnet18.tv_in1k)", 0.712),
        given.row("logistic", "supervised, from scratch", 0.512),
    ]
    text = say(more=more)
    assert (
        "10.0 points below imagenet (resnet18.tv_in1k), 10.0 points over the same network trained with labels." in text
    )
    assert "BYOL is worse than imagenet (resnet18.tv_in1k) here." in text


def test_a_reference_whose_name_begins_as_byols_is_not_taken_for_it():
    assert say(more=[given.row("logistic", "BYOL2 (resnet18)", 0.1)]).startswith(
        "BYOL + logistic regression names 61.2 %"
    )
    assert "51.2 points over BYOL2 (resnet18)" in say(more=[given.row("logistic", "BYOL2 (resnet18)", 0.1)])


NOT_SHOWN = "Between BYOL and the untrained network a difference beyond luck is not shown."


def test_a_difference_that_may_be_luck_is_not_claimed():
    assert NOT_SHOWN in say(untrained=0.52, p={"untrained network": 0.2})


def test_a_difference_beyond_luck_is_not_doubted_even_where_the_intervals_overlap():
    assert "luck" not in say(untrained=0.60, p={"untrained network": 0.001})


def test_a_deficit_beyond_luck_is_said_even_where_the_intervals_overlap():
    text = say(byol=0.59, untrained=0.60, p={"untrained network": 0.001})
    assert "BYOL is worse than the untrained network here." in text


def test_a_deficit_that_may_be_luck_is_not_called_worse():
    assert "worse" not in say(byol=0.45, untrained=0.60, pixels=0.1, p={"untrained network": 0.2})


def test_without_common_pictures_overlapping_intervals_claim_nothing():
    assert NOT_SHOWN in say(untrained=0.60)


def test_without_common_pictures_separate_intervals_are_not_doubted():
    assert "luck" not in say()


@pytest.mark.parametrize(("chance", "said"), [(0.06, "is 6.0 %."), (1 / 300, "is 0.3 %.")])
def test_chance_is_named(chance, said):
    assert said in say(chance=chance)


def test_other_pictures_are_not_compared_with_published_rows():
    assert say().endswith("Published rows are of stl10 and say nothing about these pictures.")


def test_on_the_same_pictures_the_published_classifier_stands_beside_the_published_rows():
    text = say(header=given.encoder(data="stl10"), evaluated="stl10", more=[given.row("published", "BYOL", 0.68)])
    assert text.endswith("it is 68.0 % after 40 epochs; that table says 70.1 % after 40 and 75.2 % after 80.")


def test_without_rows_it_says_that_nothing_was_measured():
    results = rows_of(given.encoder().header, {})
    assert summary(results, None, compared({}))[0].startswith("Nothing was measured")


def test_without_the_fixed_classifier_no_other_takes_its_place():
    tables = {"probe_metrics": given.metrics([given.row("mlp", "BYOL", 0.9)])}
    results = rows_of(given.encoder().header, tables)
    assert summary(results, 0.1, compared({})) == [
        "BYOL features were not measured with logistic regression, so nothing can be said of them."
    ]


@drawn(byol=st.integers(0, 1000), untrained=st.integers(0, 1000))
def test_the_direction_of_a_difference_is_always_right(byol, untrained):
    word = "level with" if byol == untrained else "over" if byol > untrained else "below"
    assert f"{word} the untrained network" in say(byol=byol / 1000, untrained=untrained / 1000)
