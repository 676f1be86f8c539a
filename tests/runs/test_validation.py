"""What could break: a parameter that was typed and does nothing, without a word."""

import logging

import pytest
from kedro.config import OmegaConfigLoader

from byol_kedro.errors import UserError
from byol_kedro.runs.validation import validated_parameters, warn_of_what_has_no_effect
from byol_kedro.settings import CONFIG_LOADER_ARGS
from tests.support.kedro_runs import ROOT


def warned(caplog: pytest.LogCaptureFixture, typed: dict[str, object], *inputs: str) -> list[str]:
    """The warnings about what was typed for a run that reads `inputs`."""
    with caplog.at_level(logging.INFO):
        warn_of_what_has_no_effect(typed, {f"params:{name}" for name in inputs})
    return caplog.messages


def test_a_block_that_no_node_reads_is_warned_of_by_the_names_that_were_typed(caplog) -> None:
    typed = {"ingest": {"image_size": 96, "max_broken": 0.1}, "pretrain": {"epochs": 3}}
    line = "ingest.image_size, ingest.max_broken: without effect: nothing in this run reads that"
    assert warned(caplog, typed, "pretrain", "seed") == [line]


def test_names_that_are_no_blocks_are_not(caplog) -> None:
    assert warned(caplog, {"data_root": "x", "seed": 3, "raw_root": "y"}, "pretrain") == []


def test_a_single_parameter_that_a_node_reads_is_not_but_its_neighbors_are(caplog) -> None:
    typed = {"pair_model": {"unlabeled": True, "epochs": 3}}
    line = "pair_model.epochs: without effect: nothing in this run reads that"
    assert warned(caplog, typed, "pair_model.unlabeled") == [line]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        (
            "pretrain.fine_tune_from",
            None,
            "pretrain.fine_tune_from: there is no such parameter; did you mean init_from?",
        ),
        ("pretrain.accumulate", 2, "did you mean accumulation_steps?"),
        ("pretrain.views.first.crop_area", [0.1, 1], "did you mean scale?"),
        ("pretrain.views.first.crop_aspect", [1, 1], "did you mean ratio?"),
        ("pretrain.views.first.flip", 0, "did you mean hflip_prob?"),
        ("pretrain.views.first.jitter", 0, "did you mean color_jitter_prob?"),
        ("pretrain.views.second.grey", 0, "did you mean grayscale_prob?"),
        ("pretrain.views.second.gray", 0, "did you mean grayscale_prob?"),
        ("pretrain.views.second.blur", 0, "did you mean blur_prob?"),
        ("pretrain.views.second.solarize", 0, "did you mean solarize_prob?"),
        ("pretrain.normalise", True, "did you mean normalize?"),
        ("probes.published", {}, "did you mean linear_adam?"),
        ("probes.knn200.neighbours", 3, "did you mean knn_weighted?"),
        ("latent.epochs", 3, "latent: there is no such parameter; did you mean pair_model?"),
        ("predict.probe", "published", "did you mean linear_adam?"),
        ("pretrain.optimizer.name", "adam", "did you mean adamw?"),
    ],
)
def test_a_former_name_is_answered_with_the_present_one(name: str, value: object, expected: str) -> None:
    given = value
    for part in reversed(name.split(".")):
        given = {part: given}
    loader = OmegaConfigLoader(str(ROOT / "conf"), env="test", runtime_params=given, **CONFIG_LOADER_ARGS)
    with pytest.raises(UserError) as caught:
        validated_parameters(loader)
    assert expected in str(caught.value)
