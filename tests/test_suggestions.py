"""Suggestions for unknown names."""

from byol_kedro.suggestions import RENAMED, close_names, did_you_mean


def test_a_new_name_is_suggested_only_where_it_is_known() -> None:
    assert did_you_mean("latent", ["pair_model", "probes"]) == "did you mean pair_model?"
    assert did_you_mean("latent", ["probes", "seed"]) == "expected one of probes, seed"


def test_no_name_is_renamed_twice() -> None:
    assert not RENAMED.keys() & set(RENAMED.values())


def test_parts_of_dotted_names_are_found_but_not_when_many_have_them() -> None:
    assert close_names("train", ["a.train", "b.train", "c.test"]) == ["a.train", "b.train"]
    assert close_names("a", ["a.b", "a.c", "a.d", "a.e"]) == []


def test_similar_names_are_suggested() -> None:
    assert close_names("resnet81", ["resnet18", "resnet50", "vit"], most=2) == ["resnet18", "resnet50"]
    assert did_you_mean("xyz", ["seed"], "see conf/") == "see conf/"
